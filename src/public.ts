// What both entries export besides the functions that are bound to a platform.
export type { Keypoints } from './aligner.ts';
export { alignmentMatrix, arcfaceTemplate, estimateSimilarity } from './alignment.ts';
export { type BlurOptions, blurFaces } from './blur.ts';
export type {
  Compat,
  DetectOptions,
  MaxFacesMetric,
  Size,
  Timings,
} from './detect-options.ts';
export type {
  AlignOptions,
  Detector,
  DetectorEventMap,
  DetectorOptions,
  ImageInput,
} from './detector.ts';
export { type DrawingContext, type DrawOptions, drawFaces } from './draw.ts';
export {
  DeviceError,
  type DeviceErrorReason,
  DisposedError,
  ImageError,
  ModelError,
  UnsupportedOpError,
} from './errors.ts';
export type { Face, Pixels } from './face.ts';
export type { AffineMatrix } from './kernels/align.ts';
export type { Precision } from './kernels/half.ts';
export type { Interpolation } from './kernels/letterbox.ts';
export type { ModelInput } from './model-source.ts';
export type { FetchModelOptions } from './models/cache.browser.ts';
export type { Progress } from './models/download.ts';
export type { ModelIdentity } from './models/identify.ts';
export { bestModels, findModel, type ModelEntry, modelNames, type Source } from './models/registry.ts';
export type { InputShape, Network, NetworkOptions, OutputTensor, RunOptions } from './network.ts';
export type { TextureSource } from './pictures.ts';
export type { LiveInput } from './platform.ts';
export type { StreamOptions } from './stream-faces.ts';
export type { StreamResult } from './streaming.ts';
export type { WorkerDetector, WorkerDetectorOptions } from './worker/worker-detector.browser.ts';
