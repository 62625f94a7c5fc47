import { expect } from 'vitest';
import {
  type CandidateSpec,
  candidateBytes,
  type HeadSpec,
  headChannels,
} from '../../../src/kernels/detection/decode.ts';
import type { ImageParams } from '../../../src/kernels/detection/image-params.ts';
import type { OrtTensor } from '../../support/ort.ts';
import { type Candidate, nms, type ReferenceLayout } from '../../support/reference-scrfd.ts';
import type { Rng } from '../../support/rng.ts';
import { packImage } from './images.ts';

/** Parameters of an image of the size and thresholds given; the rest does not matter after the letterbox. */
export function imageParamsOf(options: Partial<ImageParams>): ImageParams {
  return {
    ...{ width: 640, height: 640, channels: 3, rowBytes: 1920, blueFirst: false, firstWord: 0 },
    ...{ newWidth: 640, newHeight: 640, firstEntry: 0, scale: [1, 1], padding: -0.99609375 },
    ...{ scoreThreshold: 0.5, iouThreshold: 0.4, clip: false, includeLastPixel: true },
    ...{ maxFaces: 0, preferCentral: true },
    ...options,
  };
}

/** As SCRFD's published files have it: strides 8, 16, 32 with two anchors a cell, or 8 to 128 with one. */
export function publishedLayout(levels: 3 | 5, points: number): ReferenceLayout {
  return { strides: Array.from({ length: levels }, (_, i) => 8 << i), anchors: levels === 3 ? 2 : 1, points };
}

export function headSpec(layout: ReferenceLayout, batch: number, [width, height]: readonly [number, number]) {
  const { strides, anchors, points } = layout;
  return {
    decoder: 'scrfd',
    ...{ batch, keypoints: points, anchors },
    levels: strides.map((stride) => {
      return { stride, width: Math.floor(width / stride), height: Math.floor(height / stride) };
    }),
  } satisfies HeadSpec;
}

/** Candidate lists as decode leaves them: what lies beyond the counts is not to be read. */
export function candidateLists(
  spec: CandidateSpec,
  lists: readonly (readonly Candidate[])[],
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(candidateBytes(spec) / 4).fill(0x7fc00000);
  const bits = new Uint32Array(1);
  const score = new Float32Array(bits.buffer);
  for (let n = 0; n < spec.batch; n++) {
    const start = n * (spec.total + 1) * 2;
    const list = lists[n] ?? [];
    words[start] = list.length;
    list.forEach((candidate, i) => {
      score[0] = candidate.score;
      words[start + 2 + i * 2] = bits[0]!;
      words[start + 3 + i * 2] = candidate.anchor;
    });
  }
  return words;
}

/** Heads of a batch: for the kernel one packed tensor a level, for the reference each image's outputs. */
export interface Heads {
  readonly packed: Float32Array[];
  readonly outputs: OrtTensor[][];
}

/** Normal logits and distances. No score is so near the threshold that an adapter's exp() decides. */
export function randomHeads(rng: Rng, spec: HeadSpec, scoreThreshold: number, spread = 2): Heads {
  const { batch, anchors, keypoints } = spec;
  const packed: Float32Array[] = [];
  const levels = spec.levels.map(({ width, height }) => {
    const channels = headChannels(spec);
    const plane = width * height;
    const data = new Float32Array(batch * channels * plane);
    for (let i = 0; i < data.length; i++) {
      const channel = Math.floor(i / plane) % channels;
      if (channel < anchors) data[i] = clearLogit(rng.normal() * spread, scoreThreshold);
      else data[i] = channel < anchors * 5 ? rng.uniform(-0.2, 3) : rng.normal();
    }
    packed.push(packImage(data, [batch, channels, height, width]).packed);
    return { data, width, height, plane, channels };
  });
  const outputs = Array.from({ length: batch }, (_, n) => {
    const part = (first: number, count: number, map: (v: number) => number = (v) => v) =>
      levels.map(({ data, width, height, plane, channels }): OrtTensor => {
        const start = (n * channels + first) * plane;
        return { dims: [1, count, height, width], data: data.slice(start, start + count * plane).map(map) };
      });
    const scores = part(0, anchors, (logit) => 1 / (1 + Math.exp(-logit)));
    const boxes = part(anchors, anchors * 4);
    return [...scores, ...boxes, ...(keypoints > 0 ? part(anchors * 5, anchors * 2 * keypoints) : [])];
  });
  return { packed, outputs };
}

function clearLogit(logit: number, threshold: number): number {
  const score = 1 / (1 + Math.exp(-logit));
  return Math.abs(score - threshold) < 1e-4 ? logit + 0.01 : logit;
}

/** The five head bindings: unused ones repeat the first. */
export function headBuffers(spec: HeadSpec): string[] {
  return Array.from({ length: 5 }, (_, i) => `head${i < spec.levels.length ? i : 0}`);
}

export function headContents({ packed }: Heads): Record<string, Float32Array> {
  return Object.fromEntries(packed.map((data, i) => [`head${i}`, data]));
}

/** The reference's answer; fails when an IoU is so near the threshold that the adapter's division decides. */
export function keptOf(list: readonly Candidate[], iouThreshold: number): Candidate[] {
  const kept = nms(list, iouThreshold);
  if (iouThreshold > 0 && iouThreshold < 1) {
    for (const margin of [1 - 1e-6, 1 + 1e-6]) {
      expect(nms(list, iouThreshold * margin).length, 'an IoU ties with the threshold: take another').toBe(kept.length);
    }
  }
  return kept;
}
