/// <reference lib="esnext.disposable" preserve="true" />
import { loadPart } from './common/load-part.ts';
import { Detector, type DetectorOptions } from './detector/detector.ts';
import { Network, type NetworkOptions } from './runtime/network.ts';
import type { ModelInput } from './runtime/open-model.ts';
import { browserPlatform } from './web/platform.ts';
import type { WorkerDetector, WorkerDetectorOptions } from './web/worker/worker-detector.ts';

/**
 * A face detector for one SCRFD model.
 * @param model ONNX bytes or a Blob, a path or URL, or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 * @category Finding faces
 * @example
 * ```js
 * import { createDetector } from 'scrfd-webgpu';
 *
 * const detector = await createDetector('scrfd_500m_kps', { inputSize: [640, 640] });
 * const faces = await detector.detect('photo.jpg', { scoreThreshold: 0.4 });
 * await detector.dispose();
 * ```
 */
export function createDetector(model: ModelInput, options: DetectorOptions = {}): Promise<Detector> {
  return Detector.create(browserPlatform, model, options);
}

/**
 * A network with the ONNX graph's own outputs.
 * @param model ONNX bytes or a Blob, a path or URL, or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 * @category Networks
 * @example
 * ```js
 * import { createNetwork } from 'scrfd-webgpu';
 *
 * const network = await createNetwork('model.onnx', { inputShape: [1, 3, 112, 112] });
 * const outputs = await network.run(new Float32Array(3 * 112 * 112));
 * for (const [name, { dims, data }] of Object.entries(outputs)) console.log(name, dims, data[0]);
 * ```
 */
export function createNetwork(model: ModelInput, options: NetworkOptions): Promise<Network> {
  return Network.create(browserPlatform, model, options);
}

/**
 * Whether WebGPU works here. Where it does not, `createDetector` rejects with a `DeviceError` that says why.
 * @category Finding faces
 * @example
 * ```js
 * import { isSupported } from 'scrfd-webgpu';
 *
 * if (!(await isSupported())) console.log('this needs WebGPU');
 * ```
 */
export async function isSupported(): Promise<boolean> {
  return (await browserPlatform.requestAdapter().catch(() => null)) !== null;
}

/**
 * A detector in a worker, with the same methods.
 * @param model as `createDetector` takes it; addresses are relative to the page
 * @throws what `createDetector` does
 * @category Finding faces
 * @example
 * ```js
 * import { createWorkerDetector } from 'scrfd-webgpu';
 *
 * const detector = await createWorkerDetector('/models/scrfd_500m_kps.onnx');
 * const faces = await detector.detect(document.images[0]);
 * ```
 */
export async function createWorkerDetector(
  model: ModelInput,
  options: WorkerDetectorOptions = {},
): Promise<WorkerDetector> {
  // pages without one do not load it
  const { WorkerDetector } = await loadPart(() => import('./web/worker/worker-detector.ts'));
  return WorkerDetector.create(model, options);
}

export * from './exports.ts';
export { fetchModel } from './web/model-cache.ts';
