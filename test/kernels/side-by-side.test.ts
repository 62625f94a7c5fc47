import { describe, expect, it } from 'vitest';
import { conv2dSplit } from '../../src/kernels/conv/conv2d-split.ts';
import { depthwiseColumns } from '../../src/kernels/conv/depthwise.ts';
import { packWeights } from '../../src/kernels/conv/methods.ts';
import { packChannels } from '../../src/kernels/conv/spec.ts';
import { withHalfImages } from '../../src/kernels/dispatch.ts';
import { fitsOneLaunch, isSociable, type Neighbour, sideBySide } from '../../src/kernels/side-by-side.ts';
import { openGpu } from '../support/gpu.ts';
import { createRng } from '../support/rng.ts';
import { convCase } from './support/conv-cases.ts';
import { runSteps } from './support/run-steps.ts';

// workgroups of 12, 32, 8 and 16 invocations; three have the same input, and the fourth's is the residual of the last
const window = convCase([5, 9], [6, 7], { kernel: [3, 3], pads: 1, batch: 2, activation: { kind: 'relu' } }).spec;
const pointwise = convCase([9, 7], [5, 4], { activation: { kind: 'sigmoid' }, bias: false }).spec;
const filters = convCase([5, 5], [6, 7], { kernel: [3, 3], pads: 1, batch: 2, group: 5 }).spec;
const residual = convCase([6, 9], [10, 8], { upsample: 2, activation: { kind: 'leakyRelu', slope: 0.1 } }).spec;
const members = [
  {
    spec: window,
    order: 'octets',
    dispatch: conv2dSplit(window, { pixels: 2, blocks: 1, lanes: 4, slices: 1, split: 3, unroll: 3 }),
    input: 0,
    output: 2,
  },
  {
    spec: pointwise,
    order: 'octets',
    dispatch: conv2dSplit(pointwise, { pixels: 1, blocks: 1, lanes: 16, slices: 2, split: 1, unroll: 1 }),
    input: 1,
    output: 3,
  },
  {
    spec: filters,
    order: 'depthwise',
    dispatch: depthwiseColumns(filters, { rows: 2, workgroup: 8 }),
    input: 0,
    output: 4,
  },
  {
    spec: residual,
    order: 'octets',
    dispatch: conv2dSplit(residual, { pixels: 1, blocks: 2, lanes: 8, slices: 1, split: 2, unroll: 1 }),
    input: 0,
    output: 5,
    residual: 1,
  },
] as const;

describe('launches side by side', () => {
  it.each(['f32', 'f16'] as const)('have the bits that they have one after the other: %s', async (precision) => {
    if (precision === 'f16' && !(await openGpu()).device.features.has('shader-f16')) return;
    const rng = createRng(3);
    const contents: Record<string, ArrayBufferView> = {};
    const [weights, biases]: Float32Array[][] = [[], []];
    let [firstWeight, firstBias] = [0, 0];
    const neighbours: Neighbour[] = [];
    const steps = members.map(({ spec, order, dispatch, input, output, ...others }, i) => {
      const packed = packWeights(
        order,
        rng.floats((spec.outChannels * spec.inChannels * spec.kernel[0] * spec.kernel[1]) / spec.group),
        spec,
      );
      const bias = packChannels(rng.floats(spec.outChannels), spec.outChannels);
      weights!.push(packed);
      biases!.push(bias);
      Object.assign(contents, { [`weights ${i}`]: packed, [`bias ${i}`]: bias });
      const halves = precision === 'f16' ? withHalfImages(dispatch, { inputs: true, output: true }) : dispatch;
      const besides = 'residual' in others ? others.residual : null;
      neighbours.push({ dispatch: halves, input, residual: besides, output, firstWeight, firstBias });
      firstWeight += packed.length / 4;
      firstBias += bias.length / 4;
      return {
        dispatch: halves,
        buffers: [`image ${input}`, `weights ${i}`, `bias ${i}`, `image ${besides ?? input}`, `image ${output}`],
      };
    });
    for (let image = 0; image < 2; image++) {
      // of half floats below 1 any bits will do
      const floats = rng.floats(2000);
      contents[`image ${image}`] =
        precision === 'f16' ? Uint16Array.from(floats, (v) => 0x3000 + Math.round(v * 1000)) : floats;
    }
    const joined = (parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));
    const all = { ...contents, weights: joined(weights!), biases: joined(biases!) };
    const dispatch = sideBySide(neighbours, all.weights.byteLength, all.biases.byteLength);
    const images = Array.from({ length: 6 }, (_, i) => `image ${i}`);
    const outputs = images.slice(2);
    const apart = await runSteps(steps, contents, outputs);
    const together = await runSteps([{ dispatch, buffers: ['weights', 'biases', ...images] }], all, outputs);
    for (const output of outputs) expect(new Uint16Array(together[output]!)).toEqual(new Uint16Array(apart[output]!));
  });

  it('are of shaders that can idle', () => {
    expect(isSociable(members[0].dispatch)).toBe(true);
    expect(isSociable({ overrides: { WORKGROUP: 64 } })).toBe(false);
  });

  it('bind no more than every device can, and launch no more workgroups', () => {
    const dispatches = members.map(({ dispatch }) => dispatch);
    expect(fitsOneLaunch(dispatches, 6)).toBe(true);
    expect(fitsOneLaunch(dispatches, 7)).toBe(false);
    expect(fitsOneLaunch([...dispatches, { ...dispatches[0]!, workgroups: [65535, 1, 1] }], 6)).toBe(false);
  });
});
