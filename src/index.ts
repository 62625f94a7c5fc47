/// <reference lib="esnext.disposable" preserve="true" />
import { Detector, type DetectorOptions } from './detector.ts';
import type { ModelInput } from './model-source.ts';
import { Network, type NetworkOptions } from './network.ts';
import { browserPlatform } from './platform.browser.ts';

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

export { fetchModel } from './models/cache.browser.ts';
export * from './public.ts';
export { createWorkerDetector } from './worker/worker-detector.browser.ts';
