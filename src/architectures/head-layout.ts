/** How a detector's outputs are arranged. */
export interface HeadLayout {
  readonly family: 'scrfd' | 'retinaface';
  /** In the order of the outputs. */
  readonly strides: readonly number[];
  /** Of a cell. */
  readonly anchors: 1 | 2;
  readonly keypoints: boolean;
}

/** Dimensions of an output as far as they are known: numbers, or what the file calls them. */
type OutputDims = readonly (number | string | null)[] | null;

const THREE_STRIDES = [8, 16, 32] as const;
const FIVE_STRIDES = [8, 16, 32, 64, 128] as const;

/** SCRFD's outputs are all scores, then all boxes, then all keypoints, by strides: their number tells the rest. */
const SCRFD_LAYOUTS: Readonly<Record<number, HeadLayout>> = {
  6: { family: 'scrfd', strides: THREE_STRIDES, anchors: 2, keypoints: false },
  9: { family: 'scrfd', strides: THREE_STRIDES, anchors: 2, keypoints: true },
  10: { family: 'scrfd', strides: FIVE_STRIDES, anchors: 1, keypoints: false },
  15: { family: 'scrfd', strides: FIVE_STRIDES, anchors: 1, keypoints: true },
};

const RETINAFACE_LAYOUT: HeadLayout = { family: 'retinaface', strides: [32, 16, 8], anchors: 2, keypoints: true };
/** Channels of RetinaFace's class, box and keypoint maps, which it gives stride by stride, in NCHW. */
export const RETINAFACE_CHANNELS = [4, 8, 20] as const;

function isRetinaFace(outputs: readonly OutputDims[]): boolean {
  return (
    outputs.length === 9 && outputs.every((dims, i) => dims?.length === 4 && dims[1] === RETINAFACE_CHANNELS[i % 3])
  );
}

/** What a detector's outputs mean: by their number, and RetinaFace's by their channels. Undefined for no detector. */
export function headLayoutOf(outputs: readonly OutputDims[]): HeadLayout | undefined {
  return isRetinaFace(outputs) ? RETINAFACE_LAYOUT : SCRFD_LAYOUTS[outputs.length];
}

/** Numbers of outputs that detectors have, as people list them. */
export function describeOutputCounts(): string {
  const counts = Object.keys(SCRFD_LAYOUTS);
  return `${counts.slice(0, -1).join(', ')} or ${counts.at(-1)}`;
}
