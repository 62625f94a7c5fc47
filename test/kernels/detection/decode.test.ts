import { describe, expect, it } from 'vitest';
import {
  type CandidateSpec,
  candidateBytes,
  candidatesOf,
  decode,
  type HeadSpec,
  recordsBytes,
  totalAnchors,
} from '../../../src/kernels/detection/decode.ts';
import { IMAGE_PARAMS_BYTES, type ImageParams, packImageParams } from '../../../src/kernels/detection/image-params.ts';
import { faceBytes, nms } from '../../../src/kernels/detection/nms.ts';
import { sortCandidates } from '../../../src/kernels/detection/sort-candidates.ts';
import { expectClose, expectSameFaces } from '../../support/compare.ts';
import { type Candidate, decodeOutputs, type ReferenceLayout } from '../../support/reference-scrfd.ts';
import { createRng } from '../../support/rng.ts';
import {
  candidateLists,
  type Heads,
  headBuffers,
  headContents,
  headSpec,
  imageParamsOf,
  keptOf,
  publishedLayout,
  randomHeads,
} from '../support/heads.ts';
import { runSteps } from '../support/run-steps.ts';

interface Case {
  readonly layout: ReferenceLayout;
  readonly batch: number;
  readonly inputSize: readonly [number, number];
  readonly threshold: number;
  readonly scales: readonly number[];
}

const CASES: readonly Case[] = [
  { layout: publishedLayout(3, 0), batch: 1, inputSize: [96, 64], threshold: 0.5, scales: [1] },
  { layout: publishedLayout(3, 5), batch: 1, inputSize: [64, 96], threshold: 0.5, scales: [0.37] },
  { layout: publishedLayout(3, 5), batch: 2, inputSize: [96, 64], threshold: 0.02, scales: [1.7, 0.213] },
  { layout: publishedLayout(5, 0), batch: 2, inputSize: [128, 256], threshold: 0.5, scales: [0.5, 3] },
  { layout: publishedLayout(5, 5), batch: 3, inputSize: [256, 128], threshold: 0.9, scales: [1, 0.1, 10] },
  { layout: publishedLayout(3, 5), batch: 1, inputSize: [640, 640], threshold: 0.9, scales: [0.4] },
  { layout: publishedLayout(3, 0), batch: 1, inputSize: [32, 32], threshold: 0, scales: [1] },
  { layout: publishedLayout(5, 0), batch: 1, inputSize: [128, 128], threshold: 1, scales: [1] },
  {
    layout: { strides: [8, 16, 32], anchors: 2, points: 4 },
    batch: 2,
    inputSize: [64, 96],
    threshold: 0.5,
    scales: [0.4, 1],
  },
  {
    layout: { strides: [16, 32], anchors: 3, points: 6 },
    batch: 1,
    inputSize: [96, 64],
    threshold: 0.4,
    scales: [0.7],
  },
  {
    layout: { strides: [8], anchors: 1, points: 98 },
    batch: 2,
    inputSize: [64, 64],
    threshold: 0.5,
    scales: [1.3, 0.6],
  },
  { layout: { strides: [12, 24], anchors: 3, points: 1 }, batch: 1, inputSize: [96, 72], threshold: 0.5, scales: [1] },
];

function titleOf({ layout: { strides, anchors, points }, batch, inputSize, threshold }: Case): string {
  const size = inputSize.join('×');
  return `strides ${strides}, ${anchors} anchors, ${points} points, batch ${batch}, ${size}, threshold ${threshold}`;
}

function paramsOf({ scales, threshold }: Case): ImageParams[] {
  return scales.map((scale) => imageParamsOf({ scale: [scale, scale], scoreThreshold: threshold }));
}

function referenceCandidates({ layout, inputSize, threshold, scales }: Case, heads: Heads): Candidate[][] {
  return heads.outputs.map((outputs, n) =>
    decodeOutputs(outputs, { layout, inputSize, scoreThreshold: threshold, detScale: scales[n]! }),
  );
}

function decodeStep(spec: HeadSpec) {
  return { dispatch: decode([spec]), buffers: ['imageParams', ...headBuffers(spec), 'candidates', 'records'] };
}

/** One image's list as (score bits, anchor) pairs. */
function readList(words: Uint32Array, { total }: CandidateSpec, n: number): { bits: number; anchor: number }[] {
  const start = n * (total + 1) * 2;
  return Array.from({ length: words[start]! }, (_, i) => ({
    bits: words[start + 2 + i * 2]!,
    anchor: words[start + 3 + i * 2]!,
  }));
}

describe('decode', () => {
  it('states its bindings and workgroups', () => {
    const spec = headSpec(publishedLayout(3, 5), 2, [640, 640]);
    expect(totalAnchors(spec)).toBe(16800);
    expect(candidateBytes(candidatesOf([spec]))).toBe(2 * 16801 * 8);
    expect(recordsBytes(candidatesOf([spec]))).toBe(2 * 16800 * 64);
    const { bindingBytes, workgroups } = decode([spec]);
    const heads = [80, 40, 20].map((side) => 2 * 8 * side * side * 16);
    expect(bindingBytes).toEqual([
      2 * IMAGE_PARAMS_BYTES,
      ...heads,
      heads[0],
      heads[0],
      candidateBytes(candidatesOf([spec])),
      recordsBytes(candidatesOf([spec])),
    ]);
    expect(workgroups).toEqual([263, 2, 1]);
  });

  it.each(CASES.map((c) => [titleOf(c), c] as const))('finds the anchors above the threshold: %s', async (_, c) => {
    const spec = headSpec(c.layout, c.batch, c.inputSize);
    const heads = randomHeads(createRng(1), spec, c.threshold);
    const contents = {
      imageParams: packImageParams(paramsOf(c)),
      ...headContents(heads),
      candidates: candidateLists(candidatesOf([spec]), []),
    };
    const result = await runSteps([decodeStep(spec)], contents, ['candidates', 'records']);
    const words = new Uint32Array(result.candidates);
    const records = new Float32Array(result.records);
    const recordBits = new Uint32Array(result.records);
    const recordFloats = candidatesOf([spec]).recordBytes / 4;
    const written = 5 + 2 * c.layout.points;

    referenceCandidates(c, heads).forEach((expected, n) => {
      const list = readList(words, candidatesOf([spec]), n);
      const anchors = list.map(({ anchor }) => anchor).sort((a, b) => a - b);
      expect(anchors, `image ${n}`).toEqual(expected.map(({ anchor }) => anchor));

      const first = n * totalAnchors(spec) * recordFloats;
      for (const { bits, anchor } of list) {
        expect(bits, `score of anchor ${anchor}`).toBe(recordBits[first + anchor * recordFloats + 4]);
      }
      const record = (anchor: number) => records.subarray(first + anchor * recordFloats).subarray(0, recordFloats);
      expectClose(
        expected.map(({ anchor }) => record(anchor)[4]!),
        expected.map(({ score }) => score),
        { abs: 1e-6, reason: 'WGSL exp is within 3 + 2|x| ULP, times s(1 - s) at most 2e-6 / 2' },
      );
      const scale = c.scales[n]!;
      expectClose(
        expected.flatMap(({ anchor }) => Array.from(record(anchor)).filter((_, i) => i !== 4 && i < written)),
        expected.flatMap(({ box, keypoints }) => [...box, ...(keypoints?.flat() ?? [])]),
        {
          abs: ((Math.max(...c.inputSize) + 500) / scale) * 2 ** -22,
          reason: 'a product, a sum and a division (2.5 ULP) of coordinates below input size + 500, all / scale',
        },
      );
      const unwritten = Array.from({ length: totalAnchors(spec) }, (_, anchor) => anchor).filter((a) =>
        Number.isNaN(record(a)[0]!),
      );
      expect(unwritten.length, 'records of no candidate').toBe(totalAnchors(spec) - expected.length);
    });
  });

  it('reads each image’s own threshold', async () => {
    const spec = headSpec(publishedLayout(3, 0), 2, [32, 32]);
    const imageParams = packImageParams([imageParamsOf({ scoreThreshold: 0 }), imageParamsOf({ scoreThreshold: 1 })]);
    const heads = randomHeads(createRng(2), spec, 0.5);
    const contents = { imageParams, ...headContents(heads), candidates: candidateLists(candidatesOf([spec]), []) };
    const { candidates } = await runSteps([decodeStep(spec)], contents, ['candidates']);
    const words = new Uint32Array(candidates);
    expect([0, 1].map((n) => readList(words, candidatesOf([spec]), n).length)).toEqual([totalAnchors(spec), 0]);
  });

  it('gives saturated logits the scores 0 and 1', async () => {
    const spec = headSpec(publishedLayout(5, 0), 1, [128, 128]);
    const heads = randomHeads(createRng(3), spec, 0.5);
    for (const packed of heads.packed) {
      for (let i = 0; i < packed.length / 8; i++) packed[i * 4] = i % 2 === 0 ? 1e30 : -1e30;
    }
    const contents = {
      imageParams: packImageParams([imageParamsOf({})]),
      ...headContents(heads),
      candidates: candidateLists(candidatesOf([spec]), []),
    };
    const { candidates } = await runSteps([decodeStep(spec)], contents, ['candidates']);
    const scores = readList(new Uint32Array(candidates), candidatesOf([spec]), 0).map(({ bits }) => bits);
    expect(new Set(scores)).toEqual(new Set([0x3f800000]));
    expect(scores.length).toBe([16, 8, 4, 2, 1].reduce((sum, side) => sum + Math.ceil((side * side) / 2), 0));
  });

  it.each([true, false])('leaves out what is not finite, clipped: %j', async (clip) => {
    const spec = headSpec(publishedLayout(3, 5), 1, [32, 32]);
    const heads = randomHeads(createRng(4), spec, 0.5);
    const [packed] = heads.packed as [Float32Array];
    const plane = packed.length / (4 * 8);
    const set = (cell: number, channel: number, value: number) => {
      packed[((channel >> 2) * plane + cell) * 4 + (channel & 3)] = value;
    };
    const bad = [NaN, Infinity, -Infinity];
    // two anchors a cell: scores, distances from channel 2 on, keypoints from channel 10 on, all of stride 8
    for (let cell = 0; cell < plane; cell++) {
      for (let channel = 0; channel < 30; channel++) set(cell, channel, 1);
      if (cell % 4 === 1) set(cell, 2 + (cell % 5), bad[cell % 3]!);
      if (cell % 4 === 2) set(cell, 10 + cell, bad[cell % 3]!);
      if (cell % 4 === 3) set(cell, 0, NaN);
    }
    const contents = {
      imageParams: packImageParams([imageParamsOf({ clip })]),
      ...headContents(heads),
      candidates: candidateLists(candidatesOf([spec]), []),
    };
    const { candidates, records } = await runSteps([decodeStep(spec)], contents, ['candidates', 'records']);
    const anchors = readList(new Uint32Array(candidates), candidatesOf([spec]), 0).map(({ anchor }) => anchor);
    const here = anchors.filter((anchor) => anchor < 2 * plane);
    // of cells of 1, 2 and 3 modulo 4 one anchor is not finite
    expect(here.length).toBe(plane + plane / 4);
    for (const anchor of here) {
      const record = new Float32Array(records, anchor * 64, 15);
      expect(record.every(Number.isFinite), `anchor ${anchor}: ${record}`).toBe(true);
    }
  });
});

describe('decode of several input sizes', () => {
  it('puts their candidates into one list, one size after another, each with its own parameters', async () => {
    const heads = [headSpec(publishedLayout(3, 5), 2, [32, 64]), headSpec(publishedLayout(3, 5), 2, [96, 64])];
    const spec = candidatesOf(heads);
    const scales = [0.25, 0.5, 0.75, 1.5];
    const random = heads.map((head, i) => randomHeads(createRng(7 + i), head, 0.6));
    const contents = Object.fromEntries(
      random.flatMap((each, i) => Object.entries(headContents(each)).map(([name, data]) => [`${name}.${i}`, data])),
    );
    const steps = heads.map((head, i) => ({
      dispatch: decode(heads, i),
      buffers: ['imageParams', ...headBuffers(head).map((name) => `${name}.${i}`), 'candidates', 'records'],
    }));
    const imageParams = packImageParams(
      scales.map((scale) => imageParamsOf({ scale: [scale, scale], scoreThreshold: 0.6 })),
    );
    const all = { ...contents, imageParams, candidates: candidateLists(spec, []) };
    const result = await runSteps(steps, all, ['candidates', 'records']);
    const records = new Float32Array(result.records);
    for (let n = 0; n < 2; n++) {
      const expected = heads.flatMap((head, i) => {
        const inputSize = i === 0 ? ([32, 64] as const) : ([96, 64] as const);
        const options = { inputSize, scoreThreshold: 0.6 };
        const found = decodeOutputs(random[i]!.outputs[n]!, { ...options, detScale: scales[i * 2 + n]! });
        return found.map((each) => ({ ...each, anchor: each.anchor + (i === 0 ? 0 : totalAnchors(heads[0]!)), head }));
      });
      const anchors = readList(new Uint32Array(result.candidates), spec, n).map(({ anchor }) => anchor);
      expect(anchors.sort((a, b) => a - b)).toEqual(expected.map(({ anchor }) => anchor));
      expectClose(
        expected.flatMap(({ anchor }) => Array.from(records.subarray((n * spec.total + anchor) * 16).subarray(0, 4))),
        expected.flatMap(({ box }) => box),
        { abs: 2400 * 2 ** -22, reason: 'a product, a sum and a division of coordinates below 600 / 0.25' },
      );
    }
  });

  it('clips boxes to the resized image and divides by a scale an axis', async () => {
    const spec = headSpec(publishedLayout(3, 5), 1, [64, 64]);
    const heads = randomHeads(createRng(9), spec, 0.5);
    const image = { scoreThreshold: 0.5, newWidth: 50, newHeight: 40 };
    const run = async (options: Partial<ImageParams>) => {
      const imageParams = packImageParams([imageParamsOf({ ...image, ...options })]);
      const contents = { imageParams, ...headContents(heads), candidates: candidateLists(candidatesOf([spec]), []) };
      const result = await runSteps([decodeStep(spec)], contents, ['candidates', 'records']);
      const list = readList(new Uint32Array(result.candidates), candidatesOf([spec]), 0);
      const records = new Float32Array(result.records);
      return list
        .map(({ anchor }) => anchor)
        .sort((a, b) => a - b)
        .map((a) => Array.from(records.subarray(a * 16, a * 16 + 15)));
    };
    const plain = await run({});
    const clipped = await run({ clip: true, scale: [2, 0.5] });
    expect(plain.flatMap((record) => record.slice(0, 4)).some((value) => value < 0 || value > 50)).toBe(true);
    const expected = plain.map((record) =>
      record.map((value, i) => {
        if (i === 4) return value;
        const vertical = i < 4 ? i % 2 === 1 : i % 2 === 0;
        const inside = i < 4 ? Math.min(Math.max(value, 0), vertical ? 40 : 50) : value;
        return inside / (vertical ? 0.5 : 2);
      }),
    );
    expect(clipped).toEqual(expected);
  });
});

describe('decode → sort → NMS', () => {
  it.each(CASES.filter(({ threshold }) => threshold > 0.1).map((c) => [titleOf(c), c] as const))(
    'is insightface: %s',
    async (_, c) => {
      const spec = headSpec(c.layout, c.batch, c.inputSize);
      const heads = randomHeads(createRng(5), spec, c.threshold);
      const contents = {
        imageParams: packImageParams(paramsOf(c)),
        ...headContents(heads),
        candidates: candidateLists(candidatesOf([spec]), []),
      };
      const steps = [
        decodeStep(spec),
        { dispatch: sortCandidates(candidatesOf([spec])), buffers: ['candidates'] },
        { dispatch: nms(candidatesOf([spec])), buffers: ['imageParams', 'records', 'candidates', 'faces'] },
      ];
      const { faces } = await runSteps(steps, contents, ['faces']);
      referenceCandidates(c, heads).forEach((candidates, n) => {
        const values = new Float32Array(faces, n * faceBytes(candidatesOf([spec])));
        const expected = keptOf(candidates, 0.4);
        expect(Array.from(values.subarray(0, 4))).toEqual([expected.length, expected.length, candidates.length, 0]);
        const actual = expected.map((_, i) => {
          const floats = candidatesOf([spec]).recordBytes / 4;
          const [x1, y1, x2, y2, score, ...rest] = values.subarray(4 + i * floats, 4 + (i + 1) * floats);
          const box = [x1!, y1!, x2!, y2!] as const;
          const { points } = c.layout;
          if (points === 0) return { box, score: score! };
          const pair = (_: unknown, k: number) => [rest[2 * k]!, rest[2 * k + 1]!] as const;
          return { box, score: score!, keypoints: Array.from({ length: points }, pair) };
        });
        expectSameFaces(actual, expected, { score: 1e-6, pixels: 1e-3 / c.scales[n]! });
      });
    },
  );
});
