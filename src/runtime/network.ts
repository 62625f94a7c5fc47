import { assertKnown, isRecord, type OptionNames } from '../common/check.ts';
import { classNameOf } from '../common/class-name.ts';
import type { ReadLimits } from '../common/limits.ts';
import { settleAll } from '../common/settle-all.ts';
import { TaskQueue } from '../common/task-queue.ts';
import { type Dims, formatDims, MAX_RANK, sizeOf } from '../common/tensor.ts';
import { TypedEventTarget } from '../common/typed-event-target.ts';
import { type InputDims, isOneShape } from '../graph/build.ts';
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

/** Dimensions of an input, outermost first, as the file has them: `[n, c, h, w]` of images, mostly. Up to eight; none of a single number. */
export type InputShape = readonly number[];

/** The shape of every input, by its name in the file. */
export type InputShapes = Readonly<Record<string, InputShape>>;

export interface NetworkOptions {
  /**
   * Of a file's one input; `run` may ask for others later. Of a file that is made for one image a batch gives what each image gives alone, one
   * behind the other along the leading dimension of every output; it is a `ShapeError` where an operator would mix them.
   */
  readonly inputShape?: InputShape;
  /** In place of `inputShape`, of files of several inputs. */
  readonly inputShapes?: InputShapes;
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
  /** The same, of several inputs. */
  readonly inputShapes?: InputShapes;
  readonly signal?: AbortSignal;
}

const NETWORK_OPTIONS: OptionNames<NetworkOptions> = {
  ...{ inputShape: 1, inputShapes: 1, device: 1, signal: 1, autotune: 1, precision: 1, fuse: 1, reuse: 1, limits: 1 },
};
const RUN_OPTIONS: OptionNames<RunOptions> = { tap: 1, inputShape: 1, inputShapes: 1, signal: 1 };

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
  async run(inputs: readonly Float32Array<ArrayBuffer>[]): Promise<Record<string, OutputTensor>> {
    this.#context.assertUsable();
    const { plan, executor, staging } = this;
    const parts = plan.outputs.map(({ dims, buffer }) => ({
      buffer: executor.buffer(buffer),
      offset: 0,
      bytes: sizeOf(dims) * 4,
    }));
    const { result, checked } = this.#context.scoped('running the network', () => {
      plan.inputs.forEach(({ buffer }, i) => {
        this.#context.device.queue.writeBuffer(executor.buffer(buffer), 0, inputs[i]!);
      });
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

function assertShape(name: string, shape: InputShape): void {
  const sound =
    Array.isArray(shape) && shape.length <= MAX_RANK && shape.every((dim) => Number.isInteger(dim) && dim > 0);
  if (sound) return;
  const got = Array.isArray(shape) ? `[${shape.join(', ')}]` : String(shape);
  throw new RangeError(`${name}: expected up to ${MAX_RANK} positive integers, as [n, c, h, w], got ${got}`);
}

/** The shape of the one input, or those of all; undefined where there is neither. @throws RangeError */
function readShapes({
  inputShape,
  inputShapes,
}: Pick<RunOptions, 'inputShape' | 'inputShapes'>): InputDims | undefined {
  if (inputShape !== undefined) {
    if (inputShapes !== undefined) throw new RangeError('inputShapes: expected in place of inputShape, got both');
    assertShape('inputShape', inputShape);
    return inputShape;
  }
  if (inputShapes === undefined) return undefined;
  if (!isRecord(inputShapes)) throw new RangeError('inputShapes: expected an object of shapes by names of inputs');
  for (const [name, shape] of Object.entries(inputShapes)) assertShape(`inputShapes: "${name}"`, shape);
  return inputShapes;
}

/** Shapes by inputs, in their order. @throws RangeError where there is not one for each */
function shapesOf(names: readonly string[], shapes: InputDims): readonly Dims[] {
  if (isOneShape(shapes)) return [shapes];
  return names.map((name) => {
    const dims = shapes[name];
    if (!dims) throw new RangeError(`inputShapes: expected a shape of "${name}", got none`);
    return dims;
  });
}

type NetworkSession = Session<NetworkPlan, PreparedPlan>;

/** An ONNX graph on the GPU with its own outputs: raw tensors, no pre- or post-processing. */
export class Network extends TypedEventTarget<DeviceEventMap> {
  readonly #model: Model;
  readonly #options: NetworkOptions;
  readonly #shapes: InputDims;
  readonly #session: Renewable<NetworkSession>;
  readonly #queue = new TaskQueue();

  private constructor(
    model: Model,
    options: NetworkOptions,
    shapes: InputDims,
    first: NetworkSession,
    open: () => Promise<NetworkSession>,
  ) {
    super();
    this.#model = model;
    this.#options = options;
    this.#shapes = shapes;
    this.#session = new Renewable(this, first, open);
  }

  /** For the entries of each platform; users call `createNetwork`. */
  static async create(platform: Platform, input: ModelInput, options: NetworkOptions): Promise<Network> {
    const { signal, ...rest } = options;
    // before a model is read
    assertKnown(options, NETWORK_OPTIONS);
    assertSessionOptions(rest);
    const shapes = readShapes(rest);
    if (!shapes) throw new RangeError('inputShape: expected a shape, or inputShapes of several inputs, got neither');
    const { model } = await openModel(platform, input, { signal, limits: rest.limits });
    const prepare = (context: GpuContext, plan: NetworkPlan, executor: Executor, own: Own) =>
      new PreparedPlan(context, plan, executor, own);
    const open = () => Session.open(platform, model, rest, prepare);
    const network = new Network(model, rest, shapes, await open(), open);
    try {
      signal?.throwIfAborted();
      await network.#use(shapes, [], () => undefined, signal);
      signal?.throwIfAborted();
    } catch (error) {
      await network.dispose();
      throw error;
    }
    return network;
  }

  /** Name of the input in the file, of several the first one's. */
  get inputName(): string {
    return this.#model.inputs[0]!.name;
  }

  /** Names of the inputs, in the file's order. */
  get inputNames(): readonly string[] {
    return this.#model.inputs.map(({ name }) => name);
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
    const use = () => this.#use(this.#shapes, [], ({ plan }) => plan);
    return this.#session.call(undefined, use);
  }

  /**
   * Runs the graph on the numbers of a row-major tensor, or of one for each input, by name.
   * @returns every output, and every tapped value, by name
   * @throws TypeError for what is no Float32Array of an input's, RangeError for another number of elements, ModelError for an unknown tapped value, DeviceError
   */
  async run(
    x: Float32Array | Readonly<Record<string, Float32Array>>,
    options: RunOptions = {},
  ): Promise<Record<string, OutputTensor>> {
    assertKnown(options, RUN_OPTIONS);
    const { tap = [], signal } = options;
    signal?.throwIfAborted();
    const shapes = readShapes(options) ?? this.#shapes;
    const inputs = this.#read(x, shapes);
    const run = () =>
      this.#queue.run(async () => {
        signal?.throwIfAborted();
        return this.#use(shapes, tap, (prepared) => prepared.run(inputs), signal);
      });
    return this.#session.call(signal, run);
  }

  /** The numbers of every input, in the file's order: copies, because the caller may reuse the arrays while the run waits its turn. */
  #read(
    x: Float32Array | Readonly<Record<string, Float32Array>>,
    shapes: InputDims,
  ): readonly Float32Array<ArrayBuffer>[] {
    const names = this.inputNames;
    const quoted = names.map((name) => `"${name}"`).join(', ');
    const kind = classNameOf(x);
    const single = kind === 'Float32Array';
    if (single ? names.length > 1 : kind !== 'Object') {
      const expected = names.length > 1 ? `one for each of ${quoted}` : 'a Float32Array';
      throw new TypeError(`input: expected ${expected}, got ${single ? 'one Float32Array' : kind}`);
    }
    const given: Readonly<Record<string, unknown>> = single ? { [names[0]!]: x } : { ...x };
    const other = Object.keys(given).find((name) => !names.includes(name));
    if (other !== undefined) throw new TypeError(`input "${other}": the model has none of this name, it has ${quoted}`);
    const dims = shapesOf(names, shapes);
    return names.map((name, i) => {
      const numbers = given[name];
      if (classNameOf(numbers) !== 'Float32Array') {
        throw new TypeError(`input "${name}": expected a Float32Array, got ${classNameOf(numbers)}`);
      }
      const { length } = numbers as Float32Array;
      if (length !== sizeOf(dims[i]!)) {
        const expected = `${sizeOf(dims[i]!)} elements (${formatDims(dims[i]!)})`;
        throw new RangeError(`input "${name}": expected ${expected}, got ${length}`);
      }
      return Float32Array.from(numbers as Float32Array);
    });
  }

  async #use<T>(
    shapes: InputDims,
    tap: readonly string[],
    task: (prepared: PreparedPlan) => Promise<T> | T,
    signal?: AbortSignal,
  ): Promise<T> {
    const { fuse = true, reuse = true } = this.#options;
    const session = await this.#session.usable();
    return session.use(
      JSON.stringify([shapes, tap]),
      (options) => compileNetwork(this.#model, shapes, session.target, { ...options, fuse, reuse, tap }),
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
