// What both entries export besides the functions that are bound to a platform.
export type {
  Compat,
  DetectOptions,
  MaxFacesMetric,
  Size,
  Timings,
} from './detect-options.ts';
export type {
  Detector,
  DetectorEventMap,
  DetectorOptions,
  ImageInput,
  Keypoints,
  StreamOptions,
} from './detector.ts';
export {
  DeviceError,
  type DeviceErrorReason,
  DisposedError,
  ImageError,
  ModelError,
  UnsupportedOpError,
} from './errors.ts';
export type { Face, Pixels } from './face.ts';
export type { Interpolation } from './kernels/letterbox.ts';
export type { ModelInput } from './model-source.ts';
export type { FetchModelOptions } from './models/cache.browser.ts';
export type { Progress } from './models/download.ts';
export type { ModelIdentity } from './models/identify.ts';
export { bestModels, findModel, type ModelEntry, modelNames, type Source } from './models/registry.ts';
export type { InputShape, Network, NetworkOptions, OutputTensor, RunOptions } from './network.ts';
export type { TextureSource } from './pictures.ts';
export type { LiveInput } from './platform.ts';
export type { StreamResult } from './streaming.ts';
