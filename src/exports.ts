// What both entries export besides the functions that are bound to a platform.

import { loadPart } from './common/load-part.ts';
import type { TrackerOptions } from './faces/tracking/byte-track.ts';
import type { Tracker } from './faces/tracking/tracker.ts';

export type { ModelIdentity } from './architectures/identify.ts';
export {
  DeviceError,
  type DeviceErrorReason,
  DisposedError,
  ImageError,
  ModelError,
  ShapeError,
  UnsupportedOpError,
} from './common/errors.ts';
export type { Face } from './common/face.ts';
export type { AffineMatrix, Size } from './common/geometry.ts';
export type { ImageDataLike, ImageInput, Pixels, TextureSource } from './common/image.ts';
export type { ReadLimits } from './common/limits.ts';
export type { Keypoints } from './detector/align-faces.ts';
export type { AlignOptions, Detector, DetectorEventMap, DetectorOptions } from './detector/detector.ts';
export type { Compat, DetectOptions, MaxFacesMetric, Timings } from './detector/options.ts';
export type { StreamOptions, StreamResult } from './detector/stream.ts';
export { type BlurOptions, blurFaces } from './faces/blur.ts';
export { type DrawingContext, type DrawOptions, drawFaces } from './faces/draw.ts';
export { alignmentMatrix, arcfaceTemplate, estimateSimilarity } from './faces/similarity.ts';
export type { TrackerOptions } from './faces/tracking/byte-track.ts';
export type { Tracked, Tracker } from './faces/tracking/tracker.ts';
export type { Interpolation } from './kernels/detection/letterbox.ts';
export type { Precision } from './kernels/dispatch.ts';
export type { DownloadProgress } from './models/download.ts';
export { bestModels, findModel, type ModelEntry, modelNames, type Source } from './models/registry.ts';
export type { InputShape, InputShapes, Network, NetworkOptions, OutputTensor, RunOptions } from './runtime/network.ts';
export type { ModelInput } from './runtime/open-model.ts';
export type { LiveInput } from './runtime/platform.ts';
export type { CompileProgress, Progress } from './runtime/progress.ts';
export type { FetchModelOptions } from './web/model-cache.ts';
export type { WorkerDetector, WorkerDetectorOptions } from './web/worker/worker-detector.ts';

/**
 * A tracker for the faces of one video. Detect with a `scoreThreshold` of `lowScore`, 0.1, so that faint faces keep their tracks.
 * @throws RangeError for an option out of its range
 * @category What is done with faces
 * @example
 * ```js
 * import { createTracker } from 'scrfd-webgpu';
 *
 * const tracker = await createTracker();
 * for await (const { faces } of detector.stream(video, { scoreThreshold: 0.1 })) {
 *   for (const { track, box } of tracker.update(faces)) console.log(track, box);
 * }
 * ```
 */
export async function createTracker(options: TrackerOptions = {}): Promise<Tracker> {
  // pages load what few ask for when it is asked for
  return new (await loadPart(() => import('./faces/tracking/tracker.ts'))).Tracker(options);
}
