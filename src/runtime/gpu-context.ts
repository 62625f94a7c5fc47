import { DeviceError, DisposedError } from '../common/errors.ts';
import type { AdapterClass, AdapterTraits, Precision } from '../kernels/dispatch.ts';
import { MapMode } from './gpu-flags.ts';
import type { PollPacer } from './poll-pacer.ts';
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
  readonly yieldCore: (() => Promise<void>) | null;
}

/** A device with what is compiled on it. One owner disposes it; a borrowed GPUDevice is never destroyed. */
export class GpuContext {
  readonly device: GPUDevice;
  readonly traits: AdapterTraits;
  /** Resolves when the device is lost, with the error that calls under way reject with. */
  readonly lost: Promise<DeviceError>;
  readonly #owned: boolean;
  readonly #yieldCore: GpuProvider['yieldCore'];
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  #failure: Error | null = null;

  private constructor(device: GPUDevice, owned: boolean, yieldCore: GpuProvider['yieldCore']) {
    this.device = device;
    this.traits = readTraits(device);
    this.#owned = owned;
    this.#yieldCore = this.traits.software ? yieldCore : null;
    this.lost = device.lost.then((info) => {
      const error = new DeviceError('lost', `the GPU device was lost (${info.reason}): ${info.message}`);
      this.#failure ??= error;
      return error;
    });
    if (owned) {
      // a result computed after an error that nobody awaited is not to be trusted
      device.addEventListener('uncapturederror', ({ error }) => {
        this.#failure ??= new DeviceError('driver', `the GPU reported an error: ${error.message}`);
      });
    }
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
    return this.#owned && this.#failure instanceof DeviceError && this.#failure.reason === 'lost';
  }

  /** @throws DeviceError when the device is lost, DisposedError after `dispose` */
  assertUsable(): void {
    if (this.#failure) throw this.#failure;
  }

  /** @throws DeviceError when one buffer of this size is more than the device can bind */
  assertBindable(bytes: number, what: string): void {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.device.limits;
    const limit = Math.min(maxStorageBufferBindingSize, maxBufferSize);
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
    }
    return pipeline;
  }

  async #compile(label: string, source: string, overrides: Readonly<Record<string, number>>) {
    const module = this.device.createShaderModule({ label, code: source });
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

  /** Runs GPU calls and turns what WebGPU reports of them into a typed error. */
  async guarded<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    this.assertUsable();
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    let result: T;
    let validation: GPUError | null;
    let memory: GPUError | null;
    try {
      result = await work();
    } finally {
      // popped in any case: a scope left behind would swallow later errors
      [validation, memory] = await Promise.all([this.device.popErrorScope(), this.device.popErrorScope()]);
    }
    this.assertUsable();
    if (memory) throw new DeviceError('out-of-memory', `${what}: the GPU is out of memory: ${memory.message}`);
    if (validation) throw new DeviceError('driver', `${what}: ${validation.message}`);
    return result;
  }

  /** Submits what is encoded, then copies parts of buffers to the CPU. `staging` must hold all of them. */
  async read(
    encoder: GPUCommandEncoder,
    staging: GPUBuffer,
    parts: readonly BufferPart[],
    { pacer, before = [], onPhaseEnd }: ReadOptions = {},
  ): Promise<ArrayBuffer[]> {
    let offset = 0;
    for (const part of parts) {
      encoder.copyBufferToBuffer(part.buffer, part.offset, staging, offset, part.bytes);
      offset += part.bytes;
    }
    const commands = encoder.finish();
    onPhaseEnd?.('encode');
    this.device.queue.submit([...before, commands]);
    onPhaseEnd?.('submit');
    const map = () => this.map(staging, 0, offset);
    await (this.#yieldCore && pacer ? pacer.wait(map, this.#yieldCore) : map());
    onPhaseEnd?.('wait');
    const mapped = staging.getMappedRange(0, offset);
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
      // a device that dies rejects the mapping before it reports the loss
      await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
      this.assertUsable();
      const what = mode === MapMode.READ ? 'reading back from' : 'writing to';
      throw new DeviceError('driver', `${what} the GPU failed: ${String(cause)}`, { cause });
    }
  }

  /** Idempotent. */
  dispose(): void {
    this.#failure ??= new DisposedError('this detector or network has been disposed');
    this.#pipelines.clear();
    if (this.#owned) this.device.destroy();
  }
}

interface ReadOptions {
  /** Knows how long such a run takes. */
  readonly pacer?: PollPacer | undefined;
  /** Submitted together with what is encoded, before it. */
  readonly before?: readonly GPUCommandBuffer[] | undefined;
  /** Hears of `encode`, `submit` and `wait`. */
  readonly onPhaseEnd?: OnPhaseEnd | undefined;
}

/** A range to read back; offset and bytes are multiples of 4. */
export interface BufferPart {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}
