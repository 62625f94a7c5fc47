/// <reference lib="esnext.disposable" preserve="true" />
import { Detector, type DetectorOptions } from './detector/detector.ts';
import { Network, type NetworkOptions } from './runtime/network.ts';
import type { ModelInput } from './runtime/open-model.ts';
import { browserPlatform } from './web/platform.ts';

/**
 * A face detector for one SCRFD model.
 * @param model ONNX bytes or a Blob, a path or URL, or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 */
export function createDetector(model: ModelInput, options: DetectorOptions = {}): Promise<Detector> {
  return Detector.create(browserPlatform, model, options);
}

/**
 * A network with the ONNX graph's own outputs.
 * @param model ONNX bytes or a Blob, a path or URL, or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 */
export function createNetwork(model: ModelInput, options: NetworkOptions): Promise<Network> {
  return Network.create(browserPlatform, model, options);
}

/**
 * Whether WebGPU works here. Where it does not, `createDetector` rejects with a `DeviceError` that says why.
 */
export async function isSupported(): Promise<boolean> {
  return (await browserPlatform.requestAdapter().catch(() => null)) !== null;
}

export * from './exports.ts';
export { fetchModel } from './web/model-cache.ts';
export { createWorkerDetector } from './web/worker/worker-detector.ts';
