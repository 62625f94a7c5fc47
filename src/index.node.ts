/// <reference lib="esnext.disposable" preserve="true" />
import { readFile } from 'node:fs/promises';
import { Detector, type DetectorOptions } from './detector/detector.ts';
import type { ModelEntry } from './models/registry.ts';
import { resolveModel } from './node/models/resolve.ts';
import { nodePlatform } from './node/platform.ts';
import { Network, type NetworkOptions } from './runtime/network.ts';
import type { ModelInput } from './runtime/open-model.ts';
import type { FetchModelOptions } from './web/model-cache.ts';
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
  return Detector.create(nodePlatform, model, options);
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
  return Network.create(nodePlatform, model, options);
}

/**
 * In pages a detector in a worker. Node has no web workers: frameworks that render a page's code on a server, too, find the
 * name, and a call rejects.
 * @throws TypeError
 * @category Finding faces
 */
export async function createWorkerDetector(
  _model: ModelInput,
  _options: WorkerDetectorOptions = {},
): Promise<WorkerDetector> {
  throw new TypeError('createWorkerDetector: expected a page, got Node, which has no web workers: use createDetector');
}

/**
 * The bytes of a published model, from the user's cache folder or downloaded and kept there, checked by SHA-256.
 * @param model a name or alias, or an entry of one's own
 * @throws ModelError naming every source and why it failed, and `signal.reason` when aborted
 * @category Models
 * @example
 * ```js
 * import { createDetector, fetchModel } from 'scrfd-webgpu';
 *
 * const bytes = await fetchModel('scrfd_2.5g_kps', { onProgress: ({ received, total }) => console.log(received, total) });
 * const detector = await createDetector(bytes);
 * ```
 */
export async function fetchModel(
  model: string | ModelEntry,
  { caches: _, ...options }: FetchModelOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return readFile(await resolveModel(model, options));
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
  return (await nodePlatform.requestAdapter().catch(() => null)) !== null;
}

export * from './exports.ts';
export { type PaintOptions, paintFaces, writeAnnotated } from './node/draw.ts';
export { type EncodedImage, type ReadImageOptions, readImage } from './node/images.ts';
export { type ResolveOptions, resolveModel } from './node/models/resolve.ts';
