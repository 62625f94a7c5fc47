import { describe, expect, it } from 'vitest';
import { packChannels } from '../../../src/kernels/conv/spec.ts';
import { byChannels, octets } from '../../../src/kernels/conv/weight-orders.ts';
import { type Precision, withHalfImages } from '../../../src/kernels/dispatch.ts';
import { conv2dSplit } from '../../../src/kernels/hardware/conv2d-split.ts';
import { depthwiseColumns } from '../../../src/kernels/hardware/depthwise-columns.ts';
import {
  declarationsOf,
  firstOverride,
  isSociable,
  type Neighbour,
  sideBySide,
} from '../../../src/kernels/hardware/side-by-side.ts';
import { pool } from '../../../src/kernels/tensor/pool.ts';
import { openGpu } from '../../support/gpu.ts';
import { createRng } from '../../support/rng.ts';
import { convCase } from '../support/conv-cases.ts';
import { runSteps } from '../support/run-steps.ts';

const window = convCase([5, 9], [6, 7], { kernel: [3, 3], pads: 1, batch: 2, activation: { kind: 'relu' } }).spec;
const filters = convCase([5, 5], [6, 7], { kernel: [3, 3], pads: 1, batch: 2, group: 5 }).spec;
const residual = convCase([6, 9], [10, 8], { upsample: 2, activation: { kind: 'sigmoid' } }).spec;
const windows = { batch: 1, channels: 5, inHeight: 6, inWidth: 7, outHeight: 3, outWidth: 3, kernel: [2, 2] } as const;
const mean = {
  kind: 'average',
  strides: [2, 2],
  dilations: [1, 1],
  pads: [0, 0, 0, 0],
  countIncludePad: false,
} as const;

// workgroups of 12, 8, 16 and 20 invocations; all have one input, which is the residual of one, too
const convolutions = [
  {
    spec: window,
    order: octets,
    dispatch: conv2dSplit(window, { pixels: 2, blocks: 1, lanes: 4, slices: 1, split: 3, unroll: 3 }),
  },
  { spec: filters, order: byChannels, dispatch: depthwiseColumns(filters, { rows: 2, workgroup: 8 }) },
  {
    spec: residual,
    order: octets,
    dispatch: conv2dSplit(residual, { pixels: 1, blocks: 2, lanes: 8, slices: 1, split: 2, unroll: 1 }),
  },
] as const;
const pooled = pool({ ...windows, ...mean }, 20);

/** The launches apart and together, from the same numbers. */
function build(precision: Precision) {
  const rng = createRng(3);
  const contents: Record<string, Float32Array> = {};
  const steps: { dispatch: typeof pooled; buffers: string[] }[] = [];
  const neighbours: Neighbour[] = [];
  const shared = { weights: [] as number[], bias: [] as number[] };
  const half = (dispatch: typeof pooled) =>
    precision === 'f16' ? withHalfImages(dispatch, { inputs: true, output: true }) : dispatch;
  convolutions.forEach(({ spec, order, ...launch }, i) => {
    const dispatch = half(launch.dispatch);
    const products = (spec.outChannels * spec.inChannels * spec.kernel[0] * spec.kernel[1]) / spec.group;
    const weights = order.pack(rng.floats(products), spec);
    const bias = packChannels(rng.floats(spec.outChannels), spec.outChannels);
    Object.assign(contents, { [`weights ${i}`]: weights, [`bias ${i}`]: bias });
    steps.push({ dispatch, buffers: ['input', `weights ${i}`, `bias ${i}`, 'input', `output ${i}`] });
    const firsts = { FIRST_WEIGHTS: shared.weights.length / 4, FIRST_BIAS: shared.bias.length / 4 };
    neighbours.push({ dispatch, slots: [0, 1, 2, 0, 3 + i], firsts });
    shared.weights.push(...weights);
    shared.bias.push(...bias);
  });
  steps.push({ dispatch: half(pooled), buffers: ['input', 'output 3'] });
  neighbours.push({ dispatch: half(pooled), slots: [0, 6], firsts: {} });
  return {
    rng,
    contents,
    steps,
    neighbours,
    weights: Float32Array.from(shared.weights),
    bias: Float32Array.from(shared.bias),
  };
}

const OUTPUTS = ['output 0', 'output 1', 'output 2', 'output 3'];

describe('launches side by side', async () => {
  const half = (await openGpu()).device.features.has('shader-f16');
  it.for([
    { precision: 'f32', present: true },
    { precision: 'f16', present: half },
  ] as const)(
    'have the bits that they have one after the other: $precision',
    async ({ precision, present }, { skip }) => {
      if (!present) skip('no half floats here');
      const { rng, contents, steps, neighbours, weights, bias } = build(precision);
      const floats = rng.floats(2000);
      // half floats between 1/8 and 1
      const input = precision === 'f16' ? Uint16Array.from(floats, (v) => 0x3200 + Math.round(v * 1000)) : floats;
      const dispatch = sideBySide(
        neighbours,
        new Map([
          [1, weights.byteLength],
          [2, bias.byteLength],
        ]),
      );
      expect(dispatch.overrides.INVOCATIONS).toBe(20);
      const apart = await runSteps(steps, { ...contents, input }, OUTPUTS);
      const buffers = ['input', 'weights', 'bias', ...OUTPUTS];
      const together = await runSteps([{ dispatch, buffers }], { input, weights, bias }, OUTPUTS);
      for (const output of OUTPUTS) expect(new Uint16Array(together[output]!)).toEqual(new Uint16Array(apart[output]!));
    },
  );

  it('are of shaders that let others say how many invocations there are', () => {
    expect(isSociable(pooled)).toBe(true);
    expect(isSociable({ overrides: { WORKGROUP: 64 } })).toBe(false);
  });

  it('are read off their declarations', () => {
    const [{ dispatch }] = convolutions;
    expect(declarationsOf(dispatch)).toEqual([
      { name: 'input', type: 'vec4f', written: false },
      { name: 'weights', type: 'vec4f', written: false },
      { name: 'bias', type: 'vec4f', written: false },
      { name: 'residual', type: 'vec4f', written: false },
      { name: 'output', type: 'vec4f', written: true },
    ]);
    expect(firstOverride(dispatch, 'weights')).toBe('FIRST_WEIGHTS');
    expect(firstOverride(dispatch, 'residual')).toBeUndefined();
  });
});
