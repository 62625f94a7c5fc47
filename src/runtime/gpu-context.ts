import { DeviceError, type DeviceErrorReason, DisposedError } from '../common/errors.ts';
import { preloadTarget } from '../graph/load-target.ts';
import type { AdapterClass, AdapterTraits, Precision } from '../kernels/dispatch.ts';
import { DeviceLoss } from './device-loss.ts';
import { MapMode } from './gpu-flags.ts';
import type { PollPacer, YieldCore } from './poll-pacer.ts';
import type { OnPhaseEnd } from './run-phases.ts';

/** Limits that large pictures and networks can need more of than WebGPU guarantees. */
const RAISED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxStorageBuffersPerShaderStage',
  'maxTextureDimension2D',
] as const;

/** Used when the adapter has them: subgroups choose kernels, timestamps measure them, half floats are asked for. */
const WANTED_FEATURES = ['subgroups', 'timestamp-query', 'shader-f16'] as const;

/** Whether an adapter runs on the CPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  // in the specification, but not in `@webgpu/types` yet
  return (info as GPUAdapterInfo & { readonly isFallbackAdapter?: boolean }).isFallbackAdapter === true;
}

/** Guesses from the names that browsers and drivers give: what an adapter can do, it does not tell. */
export function classOf({ vendor, architecture, device, description }: GPUAdapterInfo): AdapterClass {
  const name = `${vendor} ${architecture} ${device} ${description}`.toLowerCase();
  if (/\b(arm|qualcomm|img-tec|samsung|mali|adreno|powervr|xclipse)\b/.test(name)) return 'phone';
  if (/\barc\b|xe-hpg|radeon (rx|pro)|geforce|rtx|quadro/.test(name)) return 'desktop';
  if (/\b(g?[abhlv]\d{2,3}|instinct|mi\d{3})\b/.test(name)) return 'server';
  return name.includes('nvidia') ? 'desktop' : 'integrated';
}

function readTraits(device: GPUDevice): AdapterTraits {
  const info = device.adapterInfo;
  const { subgroupMinSize, subgroupMaxSize } = info;
  // a size that may vary between pipelines cannot be relied on in a shader
  const fixed = device.features.has('subgroups') && subgroupMinSize === subgroupMaxSize;
  return {
    software: isSoftware(info),
    subgroupSize: fixed ? subgroupMinSize : 0,
    class: classOf(info),
    storageBuffers: device.limits.maxStorageBuffersPerShaderStage,
  };
}

function pipelineKey(source: string, overrides: Readonly<Record<string, number>>): string {
  return `${JSON.stringify(overrides)}\n${source}`;
}

/** Where devices come from. */
export interface GpuProvider {
  /** The high-performance WebGPU adapter, or null where there is none. */
  requestAdapter(): Promise<GPUAdapter | null>;
  /** How to get a WebGPU adapter on this machine, as full sentences. */
  adapterHelp(): string;
  /**
   * Where waiting for the GPU keeps a core busy: lets events in, then gives that core away for a moment. See
   * `PollPacer`. Null elsewhere.
   */
  readonly yieldCore: YieldCore | null;
}

/** A device with what is compiled on it. One owner disposes it; a borrowed GPUDevice is never destroyed. */
export class GpuContext {
  readonly device: GPUDevice;
  readonly traits: AdapterTraits;
  readonly #owned: boolean;
  readonly #yieldCore: GpuProvider['yieldCore'];
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #loss: DeviceLoss;
  readonly #forgets: (() => void)[] = [];
  #disposed = false;

  private constructor(device: GPUDevice, owned: boolean, yieldCore: GpuProvider['yieldCore']) {
    this.device = device;
    this.traits = readTraits(device);
    this.#owned = owned;
    this.#yieldCore = this.traits.software ? yieldCore : null;
    this.#loss = DeviceLoss.of(device);
  }

  /**
   * Opens the provider's adapter, or wraps a device of the caller's.
   * @throws DeviceError when there is no adapter or it grants no device
   */
  static async open(provider: GpuProvider, borrowed: GPUDevice | undefined): Promise<GpuContext> {
    if (borrowed) return new GpuContext(borrowed, false, provider.yieldCore);
    const adapter = await provider.requestAdapter();
    if (!adapter) throw new DeviceError('no-adapter', `no WebGPU adapter found. ${provider.adapterHelp()}`);
    const requiredLimits = Object.fromEntries(RAISED_LIMITS.map((name) => [name, adapter.limits[name]]));
    // beside the device, not after it
    preloadTarget({ software: isSoftware(adapter.info) });
    const requiredFeatures = WANTED_FEATURES.filter((name) => adapter.features.has(name));
    try {
      const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
      return new GpuContext(device, true, provider.yieldCore);
    } catch (cause) {
      throw new DeviceError('driver', `the WebGPU adapter grants no device: ${String(cause)}`, { cause });
    }
  }

  /** Whether the device is lost and was this context's own, so that another one can take its place. */
  get isReplaceable(): boolean {
    return this.#owned && !this.#disposed && this.#loss.error !== null;
  }

  /** Calls a listener when the device is lost, unless this has been disposed before. */
  onLost(listener: (error: DeviceError) => void): void {
    this.#forgets.push(this.#loss.listen(listener));
  }

  /** @throws DeviceError when the device is lost, DisposedError after `dispose` */
  assertUsable(): void {
    // made here: V8 keeps an error's frames, with all they hold, as long as the error
    if (this.#disposed) throw new DisposedError('this detector or network has been disposed');
    if (this.#loss.error) throw this.#loss.error;
  }

  /** Bytes of the largest buffer that can be bound. */
  get maxBinding(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.device.limits;
    return Math.min(maxStorageBufferBindingSize, maxBufferSize);
  }

  /** @throws DeviceError when one buffer of this size is more than the device can bind */
  assertBindable(bytes: number, what: string): void {
    const limit = this.maxBinding;
    if (bytes <= limit) return;
    const mib = (n: number) => `${(n / 2 ** 20).toFixed(1)} MiB`;
    throw new DeviceError('limits', `${what} needs a buffer of ${mib(bytes)}, this GPU device allows ${mib(limit)}`);
  }

  /** @throws DeviceError when one of a plan's buffers is more than the device can bind */
  assertActivations(buffers: readonly number[]): void {
    buffers.forEach((bytes, i) => {
      this.assertBindable(bytes, `activation buffer ${i}`);
    });
  }

  /** @throws DeviceError when the device has no half floats and they are asked for */
  assertPrecision(precision: Precision): void {
    if (precision === 'f32' || this.device.features.has('shader-f16')) return;
    throw new DeviceError(
      'limits',
      "precision 'f16' needs the feature shader-f16, which this GPU device does not have",
    );
  }

  /** The compute pipeline of a shader, compiled at most once. @throws DeviceError naming line and column */
  pipeline(label: string, source: string, overrides: Readonly<Record<string, number>>): Promise<GPUComputePipeline> {
    const key = pipelineKey(source, overrides);
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(label, source, overrides);
      this.#pipelines.set(key, pipeline);
      // a failure may pass: the next one tries again
      pipeline.catch(() => this.#pipelines.delete(key));
    }
    return pipeline;
  }

  async #compile(label: string, source: string, overrides: Readonly<Record<string, number>>) {
    // an error of the module is one of the pipeline, which rejects
    const { result: module } = this.scoped(`shader ${label}`, () =>
      this.device.createShaderModule({ label, code: source }),
    );
    try {
      return await this.device.createComputePipelineAsync({
        label,
        layout: 'auto',
        compute: { module, entryPoint: 'main', constants: overrides },
      });
    } catch (cause) {
      this.assertUsable();
      const { messages } = await module.getCompilationInfo();
      const errors = messages.filter(({ type }) => type === 'error');
      const where = errors.map(({ lineNum, linePos, message }) => `${lineNum}:${linePos} ${message}`).join('; ');
      throw new DeviceError('shader', `shader ${label} does not compile: ${where || String(cause)}`, { cause });
    }
  }

  /**
   * Makes GPU calls and does not wait: `checked` rejects with what WebGPU reports of them. Calls that wait would leave the
   * scopes open to those of others.
   * @param refused the error's reason where a call is not valid
   */
  scoped<T>(what: string, work: () => T, refused: DeviceErrorReason = 'driver'): Scoped<T> {
    this.#pushScopes();
    let checked: Promise<void> | undefined;
    try {
      const result = work();
      checked = this.#popScopes(what, refused);
      return { result, checked };
    } finally {
      checked ??= this.#popScopes(what, refused);
      // whoever has more to wait for comes to it late
      checked.catch(() => {});
    }
  }

  /**
   * Makes GPU objects, all of them or none: what `make` gives to `own` is destroyed when one fails.
   * @throws DeviceError when there is no memory for them: that they fit the device's limits has been checked
   */
  async allocate<T>(what: string, make: (own: Own) => T): Promise<T> {
    this.assertUsable();
    const owned: { destroy(): void }[] = [];
    const own: Own = (object) => {
      owned.push(object);
      return object;
    };
    try {
      const { result, checked } = this.scoped(what, () => make(own), 'out-of-memory');
      await checked;
      return result;
    } catch (error) {
      for (const object of owned) object.destroy();
      throw error;
    }
  }

  /** Runs GPU calls that may wait, with nothing else on the device meanwhile, and turns what WebGPU reports of them into a typed error. */
  async guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.assertUsable();
    this.#pushScopes();
    try {
      return await work();
    } finally {
      // in any case: a scope left behind would swallow later errors
      await this.#popScopes(what, 'driver');
    }
  }

  #pushScopes(): void {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
  }

  /** @param refused the reason for calls that are not valid */
  async #popScopes(what: string, refused: DeviceErrorReason): Promise<void> {
    const popped = [this.device.popErrorScope(), this.device.popErrorScope()];
    const [validation, memory] = await Promise.all(popped).catch((cause: unknown) => this.#fail(what, cause));
    this.assertUsable();
    if (memory) throw new DeviceError('out-of-memory', `${what}: the GPU is out of memory: ${memory.message}`);
    if (validation) throw new DeviceError(refused, `${what}: ${validation.message}`);
  }

  /**
   * Submits what is encoded, then copies parts of buffers to the CPU. `staging` must hold all of them. Whether WebGPU takes the commands
   * is told by the caller's scope.
   * @throws DeviceError
   */
  async read(
    encoder: GPUCommandEncoder,
    staging: GPUBuffer,
    parts: readonly BufferPart[],
    { pacer, before = [], onPhaseEnd }: ReadOptions = {},
  ): Promise<ArrayBuffer[]> {
    let bytes = 0;
    for (const part of parts) {
      encoder.copyBufferToBuffer(part.buffer, part.offset, staging, bytes, part.bytes);
      bytes += part.bytes;
    }
    const commands = encoder.finish();
    onPhaseEnd?.('encode');
    const last = before.at(-1) ?? [];
    for (const each of before.slice(0, -1)) this.device.queue.submit(each);
    this.device.queue.submit([...last, commands]);
    onPhaseEnd?.('submit');
    const map = () => this.map(staging, 0, bytes);
    try {
      await (this.#yieldCore && pacer ? pacer.wait(map, this.#yieldCore) : map());
    } catch (error) {
      staging.unmap();
      throw error;
    }
    onPhaseEnd?.('wait');
    const mapped = staging.getMappedRange(0, bytes);
    let end = 0;
    const copies = parts.map((part) => {
      end += part.bytes;
      return mapped.slice(end - part.bytes, end);
    });
    staging.unmap();
    return copies;
  }

  /** Maps a range, for reading unless told otherwise. @throws DeviceError */
  async map(staging: GPUBuffer, offset: number, bytes: number, mode: number = MapMode.READ): Promise<void> {
    try {
      await staging.mapAsync(mode, offset, bytes);
    } catch (cause) {
      await this.#fail(mode === MapMode.READ ? 'reading back' : 'uploading', cause);
    }
  }

  /** @throws DeviceError why the GPU did not do what it was asked for */
  async #fail(what: string, cause: unknown): Promise<never> {
    // a device that dies rejects what it was asked for before it reports the loss
    await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
    this.assertUsable();
    throw new DeviceError('driver', `${what}: the GPU failed: ${String(cause)}`, { cause });
  }

  /** Idempotent. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#pipelines.clear();
    for (const forget of this.#forgets) forget();
    if (this.#owned) this.device.destroy();
    // Dawn frees what was destroyed after the next submission, and there may be none
    else this.device.queue.submit([]);
  }
}

/** What GPU calls gave, and whether WebGPU took them. */
export interface Scoped<T> {
  readonly result: T;
  /** Rejects with a DeviceError; may be left alone. */
  readonly checked: Promise<void>;
}

/** Notes an object that is to be destroyed when another one fails. */
export type Own = <T extends { destroy(): void }>(object: T) => T;

interface ReadOptions {
  /** Knows how long such a run takes. */
  readonly pacer?: PollPacer | undefined;
  /** Submitted before what is encoded, one after the other; the last together with it. */
  readonly before?: readonly (readonly GPUCommandBuffer[])[] | undefined;
  /** Hears of `encode`, `submit` and `wait`. */
  readonly onPhaseEnd?: OnPhaseEnd | undefined;
}

/** A range to read back; offset and bytes are multiples of 4. */
export interface BufferPart {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}
