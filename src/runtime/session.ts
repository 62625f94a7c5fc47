import { assertOneOf } from '../common/check.ts';
import { loadPart } from '../common/load-part.ts';
import { loadEveryMethod, loadTarget } from '../graph/load-target.ts';
import type { LoweringOptions } from '../graph/lower.ts';
import type { ModelPlan } from '../graph/plan.ts';
import type { Target } from '../graph/target.ts';
import { PRECISIONS, type Precision } from '../kernels/dispatch.ts';
import type { Model } from '../loader/model.ts';
import { ConstantStore } from './constant-store.ts';
import { Executor } from './executor.ts';
import { GpuContext, type Own } from './gpu-context.ts';
import { type Disposable, PlanCache } from './plan-cache.ts';
import type { Platform } from './platform.ts';
import type { OnCompile } from './progress.ts';
import type { Tuner } from './tuner.ts';

/** What a user of a model may choose of the device and its kernels. */
export interface SessionOptions {
  /** A device to share; it is never destroyed. By default one is opened and owned. */
  readonly device?: GPUDevice | undefined;
  /** Whether the likely ways to compute each convolution are timed and the fastest is taken. Default false. */
  readonly autotune?: boolean | undefined;
  /** How values are stored between layers. Default `f32`. */
  readonly precision?: Precision | undefined;
}

/** What whoever waits for a plan may want. */
export interface CompileOptions {
  /** Ends tuning. */
  readonly signal?: AbortSignal | undefined;
  readonly onCompile?: OnCompile | undefined;
}

interface CachedPlan<T> extends Disposable {
  readonly prepared: T;
}

/** What a compiled plan's runs need besides its executor. */
type Prepare<P, T> = (context: GpuContext, plan: P, executor: Executor, own: Own) => T;

/** @throws RangeError */
export function assertSessionOptions({ precision }: SessionOptions): void {
  if (precision !== undefined) assertOneOf('precision', precision, PRECISIONS);
}

/**
 * A model on a device: its weights, its tuner and its compiled plans.
 * @typeParam P the plans it compiles
 * @typeParam T a compiled plan with what its runs need besides
 */
export class Session<P extends ModelPlan, T extends Disposable> {
  readonly context: GpuContext;
  /** What its plans are compiled for. */
  readonly target: Target;
  readonly model: Model;
  readonly #precision: Precision;
  readonly #tuner: Tuner | null;
  readonly #prepare: Prepare<P, T>;
  readonly #constants: ConstantStore;
  readonly #plans = new PlanCache<CachedPlan<T>>();

  private constructor(
    context: GpuContext,
    target: Target,
    model: Model,
    precision: Precision,
    tuner: Tuner | null,
    prepare: Prepare<P, T>,
  ) {
    this.context = context;
    this.target = target;
    this.model = model;
    this.#precision = precision;
    this.#tuner = tuner;
    this.#prepare = prepare;
    this.#constants = new ConstantStore(context);
  }

  /**
   * Opens a device, or shares the one that is given.
   * @throws RangeError for an unknown precision, DeviceError when there is no device or it lacks the precision
   */
  static async open<P extends ModelPlan, T extends Disposable>(
    platform: Platform,
    model: Model,
    options: SessionOptions,
    prepare: Prepare<P, T>,
  ): Promise<Session<P, T>> {
    assertSessionOptions(options);
    const { device, autotune = false, precision = 'f32' } = options;
    const context = await GpuContext.open(platform, device);
    try {
      context.assertPrecision(precision);
      const target = await (autotune ? loadEveryMethod : loadTarget)(context.traits);
      // pages load what few ask for when it is asked for
      const tuning = autotune ? await loadPart(() => import('./tuner.ts')) : null;
      const tuner = tuning && new tuning.Tuner(context, target, platform.tuningStore, precision);
      return new Session(context, target, model, precision, tuner, prepare);
    } catch (error) {
      context.dispose();
      throw error;
    }
  }

  /** A plan with the kernels that suit the device. @throws ModelError, DeviceError, and `signal.reason` when tuning is aborted */
  async plan(compile: (options: LoweringOptions) => P, signal?: AbortSignal): Promise<P> {
    const precision = this.#precision;
    if (!this.#tuner) return compile({ precision });
    return this.#tuner.plan((choices) => compile({ choices, precision }), signal);
  }

  /**
   * Runs a task with the plan of a key, which is compiled when it first comes.
   * @throws what `plan` does
   */
  use<R>(
    key: string,
    compile: (options: LoweringOptions) => P,
    task: (prepared: T) => Promise<R> | R,
    options: CompileOptions = {},
  ): Promise<R> {
    return this.#plans.use(
      key,
      () => this.#compile(compile, options),
      ({ prepared }) => task(prepared),
    );
  }

  async #compile(
    compile: (options: LoweringOptions) => P,
    { signal, onCompile }: CompileOptions,
  ): Promise<CachedPlan<T>> {
    const plan = await this.plan(compile, signal);
    const executor = await Executor.create(this.context, this.#constants, plan, onCompile);
    try {
      const prepared = await this.context.allocate('allocating the network', (own) =>
        this.#prepare(this.context, plan, executor, own),
      );
      const dispose = () => {
        executor.dispose();
        prepared.dispose();
      };
      return { prepared, dispose };
    } catch (error) {
      executor.dispose();
      throw error;
    }
  }

  /** Frees all GPU memory once the tasks under way have compiled. A lost device takes all of it along. */
  async dispose(): Promise<void> {
    await this.#plans.dispose();
    this.#constants.dispose();
    this.context.dispose();
  }
}
