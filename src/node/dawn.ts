import { DeviceError } from '../common/errors.ts';

interface DawnOptions {
  /**
   * Dawn (webgpu 0.6.2) rounds timestamps to 65 µs, longer than many a kernel takes; exact ones are for measuring. The
   * rounding is gone when the times of `scrfd bench --kernels` are other than multiples of 65.536 µs without this.
   */
  readonly exactTimestamps?: boolean;
  /** Dawn (webgpu 0.6.2) leaves `shader-f16` out on NVIDIA's Vulkan driver unless it is told to take it: for measuring, too. */
  readonly halfFloatsOnNvidia?: boolean;
}

// one a process, never collected: a collected one crashes or hangs while its devices live (webgpu 0.6.2)
let instance: Promise<GPU> | undefined;

/**
 * The process's one GPU object, made with the options of the first call.
 * @throws DeviceError when the package `webgpu` is missing or does not load
 */
export function loadGpu({ exactTimestamps = false, halfFloatsOnNvidia = false }: DawnOptions = {}): Promise<GPU> {
  instance ??= createDawn([
    ...(exactTimestamps ? ['disable-dawn-features=timestamp_quantization'] : []),
    ...(halfFloatsOnNvidia ? ['enable-dawn-features=vulkan_enable_f16_on_nvidia'] : []),
  ]);
  return instance;
}

/** The high-performance adapter of the process's GPU object. @throws DeviceError as `loadGpu` does */
export async function requestAdapter(): Promise<GPUAdapter | null> {
  const gpu = await loadGpu();
  // Dawn prints two "artificially reduced" warnings here from native code; no option of webgpu 0.6.2 silences them
  return gpu.requestAdapter({ powerPreference: 'high-performance' });
}

async function createDawn(options: string[]): Promise<GPU> {
  try {
    const { create } = await import('webgpu');
    return create(options);
  } catch (error) {
    instance = undefined;
    const missing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    throw new DeviceError(
      missing ? 'no-adapter' : 'driver',
      missing
        ? 'WebGPU in Node needs the package webgpu: npm install webgpu'
        : `The package webgpu does not load on ${process.platform}-${process.arch}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
