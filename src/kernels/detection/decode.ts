import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { packedBytes } from '../nc4hw4.ts';
import { IMAGE_PARAMS_BYTES } from './image-params.ts';

/** Heads at most: the person model has strides of 8 to 128. */
export const MAX_LEVELS = 5;
/** Vectors of a decoded anchor's record at least: box, score, five keypoints, one unused float. */
const LEAST_VECTORS = 4;

const WORKGROUP = 64;

/** The shape of a detector's heads for one input size. */
export interface HeadSpec {
  /** How anchors become boxes: SCRFD's distances from a point, or RetinaFace's deltas from a square. */
  readonly decoder: 'scrfd' | 'retinaface';
  readonly batch: number;
  /** Anchors of a cell. */
  readonly anchors: number;
  /** Points of a face, 0 for boxes alone. */
  readonly keypoints: number;
  /** Heads in the order of the file's outputs, which is that of the anchors; sizes in cells, strides in pixels. */
  readonly levels: readonly { readonly stride: number; readonly width: number; readonly height: number }[];
}

/** Channels of one anchor: one or two score logits, four box values, and the points. */
function anchorChannels({ decoder, keypoints }: HeadSpec): number {
  return (decoder === 'retinaface' ? 6 : 5) + 2 * keypoints;
}

/** Channels of one head. */
export function headChannels(spec: HeadSpec): number {
  return spec.anchors * anchorChannels(spec);
}

/** RetinaFace's larger anchor on each stride, in pixels: 32, 128 and 512 on 8, 16 and 32. */
function anchorSide({ decoder }: HeadSpec, stride: number): number {
  return decoder === 'retinaface' ? stride ** 2 / 2 : 0;
}

/** Anchors of all levels, for one image. */
export function totalAnchors(spec: HeadSpec): number {
  return spec.levels.reduce((sum, level) => sum + level.width * level.height * spec.anchors, 0);
}

/** The candidates of a batch: a list an image, with room for every anchor of all input sizes that are searched together. */
export interface CandidateSpec {
  readonly batch: number;
  /** Anchors of all input sizes, for one image. */
  readonly total: number;
}

/** The same with what is decoded of each. */
export interface RecordSpec extends CandidateSpec {
  /** Of one anchor: box, score and keypoints, to a whole vector. */
  readonly recordBytes: number;
}

/** Room for the candidates of the heads of all input sizes, one after another. */
export function candidatesOf(heads: readonly HeadSpec[]): RecordSpec {
  const { batch, keypoints } = heads[0]!;
  const total = heads.reduce((sum, spec) => sum + totalAnchors(spec), 0);
  return { batch, total, recordBytes: 16 * Math.max(LEAST_VECTORS, Math.ceil((5 + 2 * keypoints) / 4)) };
}

/** Bytes of the candidate lists: for each image a count, then a (score, anchor) pair for every anchor. */
export function candidateBytes({ batch, total }: CandidateSpec): number {
  return batch * (total + 1) * 8;
}

/** Bytes of the decoded records: a fixed place for every anchor. */
export function recordsBytes({ batch, total, recordBytes }: RecordSpec): number {
  return batch * total * recordBytes;
}

/**
 * Heads → unordered candidates. Bindings: image parameters, five heads (unused ones repeat the first), candidates, records.
 * The candidate counts must be zero before the first input size's launch.
 * @param heads of all input sizes, which share the candidates
 * @param index of the input size among them
 */
export function decode(heads: readonly HeadSpec[], index = 0): Dispatch {
  const spec = heads[index]!;
  const candidates = candidatesOf(heads);
  const firstAnchor = heads.slice(0, index).reduce((sum, before) => sum + totalAnchors(before), 0);
  const count = totalAnchors(spec);
  let first = 0;
  const table = Array.from({ length: MAX_LEVELS }, (_, i) => {
    const level = spec.levels[i];
    if (!level) return [count, 1, 1, 1, 0, 0, 0, 0];
    const { width, height, stride } = level;
    const row = [first, width, width * height, stride, anchorSide(spec, stride), 0, 0, 0];
    first += width * height * spec.anchors;
    return row;
  });
  const headBytes = Array.from({ length: MAX_LEVELS }, (_, i) => {
    const level = spec.levels[i] ?? spec.levels[0]!;
    return packedBytes(spec.batch, headChannels(spec), level.height, level.width);
  });
  return dispatch(spec.decoder === 'retinaface' ? 'decode-retinaface' : 'decode-scrfd', {
    overrides: { WORKGROUP },
    params: packParams([
      ...[spec.levels.length, spec.anchors, count, anchorChannels(spec)],
      ...[candidates.total, firstAnchor, index * spec.batch, 0],
      ...table.flat(),
    ]),
    bindingBytes: [
      heads.length * spec.batch * IMAGE_PARAMS_BYTES,
      ...headBytes,
      candidateBytes(candidates),
      recordsBytes(candidates),
    ],
    workgroups: [Math.ceil(count / WORKGROUP), spec.batch, 1],
  });
}
