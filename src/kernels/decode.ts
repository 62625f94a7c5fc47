import { shaders } from '../shaders.gen.ts';
import { FRAME_BYTES } from './frame.ts';
import { type Dispatch, packedBytes, packParams } from './kernel.ts';

/** Strides at most: the person model's 8 to 128. */
export const MAX_LEVELS = 5;
/** Bytes of one decoded anchor: box, score, five keypoints, one unused float. */
export const RECORD_BYTES = 64;

const WORKGROUP = 64;

/** The shape of SCRFD's heads for one input size. */
export interface HeadSpec {
  readonly batch: number;
  /** Of a cell. */
  readonly anchors: number;
  readonly keypoints: boolean;
  /** Strides ascending. */
  readonly levels: readonly { readonly stride: number; readonly width: number; readonly height: number }[];
}

/** Channels of one head: a score, four distances and maybe five points, for every anchor. */
export function headChannels(spec: HeadSpec): number {
  return spec.anchors * (spec.keypoints ? 15 : 5);
}

/** Anchors of all levels, for one image. */
export function totalAnchors(spec: HeadSpec): number {
  return spec.levels.reduce((sum, level) => sum + level.width * level.height * spec.anchors, 0);
}

/** Bytes of the candidate lists: for each image a count, then a (score, anchor) pair for every anchor. */
export function candidateBytes(spec: HeadSpec): number {
  return spec.batch * (totalAnchors(spec) + 1) * 8;
}

/** Bytes of the decoded records: a fixed place for every anchor. */
export function recordBytes(spec: HeadSpec): number {
  return spec.batch * totalAnchors(spec) * RECORD_BYTES;
}

/**
 * Heads → unordered candidates. Bindings: frames, five heads (unused ones repeat the first), candidates, records.
 * The candidate counts must be zero before.
 */
export function decode(spec: HeadSpec): Dispatch {
  const total = totalAnchors(spec);
  let first = 0;
  const table = Array.from({ length: MAX_LEVELS }, (_, i) => {
    const level = spec.levels[i];
    if (!level) return [total, 1, 1, 1];
    const row = [first, level.width, level.width * level.height, level.stride];
    first += level.width * level.height * spec.anchors;
    return row;
  });
  const heads = Array.from({ length: MAX_LEVELS }, (_, i) => {
    const level = spec.levels[i] ?? spec.levels[0]!;
    return packedBytes(spec.batch, headChannels(spec), level.height, level.width);
  });
  return {
    kernel: 'decode',
    source: shaders.decode,
    constants: { WORKGROUP },
    params: packParams([spec.levels.length, spec.anchors, total, spec.keypoints ? 1 : 0, ...table.flat()]),
    bindingBytes: [spec.batch * FRAME_BYTES, ...heads, candidateBytes(spec), recordBytes(spec)],
    workgroups: [Math.ceil(total / WORKGROUP), spec.batch, 1],
  };
}
