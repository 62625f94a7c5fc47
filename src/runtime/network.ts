import { assertKnown, type OptionNames } from '../common/check.ts';
import { classNameOf } from '../common/class-name.ts';
import type { ReadLimits } from '../common/limits.ts';
import { settleAll } from '../common/settle-all.ts';
import { TaskQueue } from '../common/task-queue.ts';
import { type Dims, formatDims, sizeOf } from '../common/tensor.ts';
import { TypedEventTarget } from '../common/typed-event-target.ts';
import { compileNetwork } from '../graph/compile.ts';
import type { NetworkPlan } from '../graph/plan.ts';
import type { Precision } from '../kernels/dispatch.ts';
import { floatBytes } from '../kernels/nc4hw4.ts';
import type { Model } from '../loader/model.ts';
import type { Executor } from './executor.ts';
import type { GpuContext, Own } from './gpu-context.ts';
import { BufferUsage } from './gpu-flags.ts';
import { type ModelInput, openModel } from './open-model.ts';
import type { Platform } from './platform.ts';
import { type DeviceEventMap, Renewable } from './renewable.ts';
import { assertSessionOptions, Session } from './session.ts';

export type InputShape = readonly [batch: number, channels: number, height: number, width: number];

export interface NetworkOptions {
  /**
   * `[n, 3, h, w]`; `run` may ask for others later. A batch that the file does not declare is a `ShapeError` where its images would not
   * stay apart: where the leading dimension of some value is not the batch.
   */
  readonly inputShape: InputShape;
  /** A device to share; it is never destroyed. By default the network opens and owns one. */
  readonly device?: GPUDevice;
  readonly signal?: AbortSignal;
  /** Time the likely ways to compute each convolution and take the fastest: see the detector's option. Default false. */
  readonly autotune?: boolean;
  /** How values are stored between layers: see the detector's option. Inputs and outputs are float32. Default `f32`. */
  readonly precision?: Precision;
  /** What is read of a model at most, in Node. */
  readonly limits?: ReadLimits;
  /** Merge nodes into fewer kernels (default). Off, every node of the file runs as it stands. */
  readonly fuse?: boolean;
  /** Let intermediate values share memory (default). Off, each has its own. */
  readonly reuse?: boolean;
}

export interface RunOptions {
  /** Names of intermediate values to return beside the outputs. They are kept from being fused away. */
  readonly tap?: readonly string[];
  /** Another input shape; its plan is compiled on first use, shares the weights, and stays with the eight used last. */
  readonly inputShape?: InputShape;
  readonly signal?: AbortSignal;
}

const NETWORK_OPTIONS: OptionNames<NetworkOptions> = {
  ...{ inputShape: 1, device: 1, signal: 1, autotune: 1, precision: 1, fuse: 1, reuse: 1, limits: 1 },
};
const RUN_OPTIONS: OptionNames<RunOptions> = { tap: 1, inputShape: 1, signal: 1 };

/** A result tensor, row-major. */
export interface OutputTensor {
  readonly dims: Dims;
  readonly data: Float32Array;
}

/** A compiled plan with what its runs are read from. */
class PreparedPlan {
  readonly plan: NetworkPlan;
  readonly executor: Executor;
  readonly staging: GPUBuffer;
  readonly #context: GpuContext;

  constructor(context: GpuContext, plan: NetworkPlan, executor: Executor, own: Own) {
    const size = plan.outputs.reduce((sum, { dims }) => sum + floatBytes(sizeOf(dims)), 0);
    this.#context = context;
    this.plan = plan;
    this.executor = executor;
    const usage = BufferUsage.MAP_READ | BufferUsage.COPY_DST;
    this.staging = own(context.device.createBuffer({ label: 'read-back', size, usage }));
  }

  /** @throws DeviceError */
  async run(input: Float32Array<ArrayBuffer>): Promise<Record<string, OutputTensor>> {
    this.#context.assertUsable();
    const { plan, executor, staging } = this;
    const parts = plan.outputs.map(({ dims, buffer }) => ({
      buffer: executor.buffer(buffer),
      offset: 0,
      bytes: sizeOf(dims) * 4,
    }));
    const { result, checked } = this.#context.scoped('running the network', () => {
      this.#context.device.queue.writeBuffer(executor.buffer(plan.input.buffer), 0, input);
      const encoder = this.#context.device.createCommandEncoder();
      executor.encode(encoder);
      return { copies: this.#context.read(encoder, staging, parts, { pacer: executor.pacer }) };
    });
    const [, copies] = await settleAll([checked, result.copies]).catch((error: unknown) => {
      executor.forget();
      throw error;
    });
    const tensors = plan.outputs.map(({ name, dims }, i): [string, OutputTensor] => [
      name,
      { dims, data: new Float32Array(copies[i]!) },
    ]);
    return Object.fromEntries(tensors);
  }

  dispose(): void {
    this.staging.destroy();
  }
}

function assertShape(shape: readonly number[]): void {
  if (shape.length !== 4 || shape.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new RangeError(`inputShape: expected four positive integers [n, c, h, w], got [${shape.join(', ')}]`);
  }
}

type NetworkSession = Session<NetworkPlan, PreparedPlan>;

/** An ONNX graph on the GPU with its own outputs: raw tensors, no pre- or post-processing. */
export class Network extends TypedEventTarget<DeviceEventMap> {
  readonly #model: Model;
  readonly #options: NetworkOptions;
  readonly #session: Renewable<NetworkSession>;
  readonly #queue = new TaskQueue();

  private constructor(
    model: Model,
    options: NetworkOptions,
    first: NetworkSession,
    open: () => Promise<NetworkSession>,
  ) {
    super();
    this.#model = model;
    this.#options = options;
    this.#session = new Renewable(this, first, open);
  }

  /** For the entries of each platform; users call `createNetwork`. */
  static async create(platform: Platform, input: ModelInput, options: NetworkOptions): Promise<Network> {
    const { signal, ...rest } = options;
    // before a model is read
    assertKnown(options, NETWORK_OPTIONS);
    assertSessionOptions(rest);
    assertShape(rest.inputShape);
    const { model } = await openModel(platform, input, { signal, limits: rest.limits });
    const prepare = (context: GpuContext, plan: NetworkPlan, executor: Executor, own: Own) =>
      new PreparedPlan(context, plan, executor, own);
    const open = () => Session.open(platform, model, rest, prepare);
    const network = new Network(model, rest, await open(), open);
    try {
      signal?.throwIfAborted();
      await network.#use(rest.inputShape, [], () => undefined, signal);
      signal?.throwIfAborted();
    } catch (error) {
      await network.dispose();
      throw error;
    }
    return network;
  }

  /** Name of the input in the file. */
  get inputName(): string {
    return this.#model.inputs[0]!.name;
  }

  /** Names of the outputs, in the file's order. */
  get outputNames(): readonly string[] {
    return this.#model.outputs.map(({ name }) => name);
  }

  /** The device in use. Another one after a loss. */
  get device(): GPUDevice {
    return this.#session.current.context.device;
  }

  /** The compiled plan for the network's own input shape: kernels, buffers, constants. */
  async plan(): Promise<NetworkPlan> {
    const use = () => this.#use(this.#options.inputShape, [], ({ plan }) => plan);
    return this.#session.call(undefined, use);
  }

  /**
   * Runs the graph on one row-major `[n, c, h, w]` tensor.
   * @returns every output, and every tapped value, by name
   * @throws RangeError for another number of elements, ModelError for an unknown tapped value, DeviceError
   */
  async run(x: Float32Array, options: RunOptions = {}): Promise<Record<string, OutputTensor>> {
    assertKnown(options, RUN_OPTIONS);
    const { tap = [], inputShape = this.#options.inputShape, signal } = options;
    signal?.throwIfAborted();
    assertShape(inputShape);
    if (classNameOf(x) !== 'Float32Array') throw new TypeError(`input: expected a Float32Array, got ${classNameOf(x)}`);
    if (x.length !== sizeOf(inputShape)) {
      const expected = `${sizeOf(inputShape)} elements (${formatDims(inputShape)})`;
      throw new RangeError(`input "${this.inputName}": expected ${expected}, got ${x.length}`);
    }
    // a copy, because the caller may reuse the array while the run waits its turn
    const input = Float32Array.from(x);
    const run = () =>
      this.#queue.run(async () => {
        signal?.throwIfAborted();
        return this.#use(inputShape, tap, (prepared) => prepared.run(input), signal);
      });
    return this.#session.call(signal, run);
  }

  async #use<T>(
    shape: InputShape,
    tap: readonly string[],
    task: (prepared: PreparedPlan) => Promise<T> | T,
    signal?: AbortSignal,
  ): Promise<T> {
    const { fuse = true, reuse = true } = this.#options;
    const session = await this.#session.usable();
    return session.use(
      JSON.stringify([shape, tap]),
      (options) => compileNetwork(this.#model, shape, session.target, { ...options, fuse, reuse, tap }),
      task,
      { signal },
    );
  }

  /** Frees all GPU memory once the runs under way have ended. Idempotent. */
  dispose(): Promise<void> {
    return this.#session.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
