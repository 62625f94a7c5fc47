/// <reference lib="esnext.disposable" preserve="true" />
import { Detector, type DetectorOptions } from './detector.ts';
import type { ModelInput } from './model-source.ts';
import { Network, type NetworkOptions } from './network.ts';
import { nodePlatform } from './platform.node.ts';

/**
 * A face detector for one SCRFD model.
 * @param model ONNX bytes, a path, a URL or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 */
export function createDetector(model: ModelInput, options: DetectorOptions = {}): Promise<Detector> {
  return Detector.create(nodePlatform, model, options);
}

/**
 * A network with the ONNX graph's own outputs.
 * @param model ONNX bytes, a path, a URL or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 */
export function createNetwork(model: ModelInput, options: NetworkOptions): Promise<Network> {
  return Network.create(nodePlatform, model, options);
}

export type { DetectOptions, Detector, DetectorOptions, ImageInput, MaxFacesMetric, Size } from './detector.ts';
export { drawFaces, writeAnnotated } from './draw.node.ts';
export {
  DeviceError,
  type DeviceErrorReason,
  DisposedError,
  ImageError,
  ModelError,
  UnsupportedOpError,
} from './errors.ts';
export type { Face, Pixels } from './face.ts';
export { readImage } from './images.node.ts';
export type { ModelInput } from './model-source.ts';
export type { Progress } from './models/download.ts';
export type { ModelIdentity } from './models/identify.ts';
export { bestModels, findModel, type ModelEntry, modelNames, type Source } from './models/registry.ts';
export { type ResolveOptions, resolveModel } from './models/resolve.node.ts';
export type { InputShape, Network, NetworkOptions, OutputTensor, RunOptions } from './network.ts';
