import { expect, it } from 'vitest';
import { packChannels } from '../../../src/kernels/conv/spec.ts';
import {
  type ConvTransposeSpec,
  convTranspose,
  packTransposedWeights,
} from '../../../src/kernels/general/conv-transpose.ts';
import { packOnCpu } from '../../../src/kernels/nc4hw4.ts';
import { expectClose } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { createRng } from '../../support/rng.ts';
import { runDispatch } from '../support/run-steps.ts';

/** Every input pixel adds its window to the output. */
function reference(x: Float32Array, weights: Float32Array, bias: Float32Array, spec: ConvTransposeSpec): Float64Array {
  const { batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth, kernel, strides, pads, group } = spec;
  const [kh, kw] = kernel;
  const groupOut = outChannels / group;
  const out = new Float64Array(batch * outChannels * outHeight * outWidth);
  for (let i = 0; i < out.length; i++) out[i] = bias[Math.floor(i / (outHeight * outWidth)) % outChannels]!;
  for (let i = 0; i < x.length; i++) {
    const [column, row] = [i % inWidth, Math.floor(i / inWidth) % inHeight];
    const channel = Math.floor(i / inWidth / inHeight) % inChannels;
    const n = Math.floor(i / inWidth / inHeight / inChannels);
    const first = Math.floor(channel / (inChannels / group)) * groupOut;
    for (let o = 0; o < groupOut; o++) {
      for (let tap = 0; tap < kh * kw; tap++) {
        const y = row * strides[0] + Math.floor(tap / kw) * spec.dilations[0] - pads[0];
        const x0 = column * strides[1] + (tap % kw) * spec.dilations[1] - pads[1];
        if (y < 0 || x0 < 0 || y >= outHeight || x0 >= outWidth) continue;
        const at = ((n * outChannels + first + o) * outHeight + y) * outWidth + x0;
        out[at]! += x[i]! * weights[(channel * groupOut + o) * kh * kw + tap]!;
      }
    }
  }
  return out;
}

const base = {
  ...{ batch: 1, inChannels: 3, inHeight: 4, inWidth: 5, outChannels: 6, outHeight: 8, outWidth: 10 },
  ...{ kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0], group: 1 },
} as const satisfies ConvTransposeSpec;

const SPECS: readonly ConvTransposeSpec[] = [
  base,
  { ...base, batch: 2, kernel: [3, 3], pads: [1, 0], outHeight: 9, outWidth: 12 },
  { ...base, inChannels: 9, outChannels: 3, group: 3, kernel: [3, 2], dilations: [2, 3], outHeight: 11 },
  { ...base, inChannels: 5, outChannels: 5, group: 5, strides: [1, 3], outHeight: 5, outWidth: 14 },
  { ...base, batch: 3, inChannels: 4, outChannels: 16, group: 2, strides: [3, 1], outHeight: 20, outWidth: 3 },
  { ...base, inChannels: 6, outChannels: 4, group: 2, kernel: [1, 1], strides: [4, 4], outHeight: 13, outWidth: 17 },
];

it.each(SPECS)('%j', async (spec) => {
  const rng = createRng(spec.outChannels);
  const { batch, inChannels: channels, inHeight: height, inWidth: width, kernel, outChannels } = spec;
  const x = rng.floats(batch * channels * height * width);
  const weights = rng.floats((channels * outChannels * kernel[0] * kernel[1]) / spec.group);
  const bias = rng.floats(outChannels);
  const launch = convTranspose(spec);
  const inputs = [
    packOnCpu(x, { batch, channels, height, width }),
    packTransposedWeights(weights, spec),
    packChannels(bias, outChannels),
  ];
  const output = unpackOnCpu(new Float32Array(await runDispatch(launch, inputs)), [
    ...([batch, outChannels, spec.outHeight, spec.outWidth] as const),
  ]);
  expectClose(output, reference(x, weights, bias, spec), { abs: 1e-5, reason: 'float32 sums of up to 81 products' });
  expect(inputs.map(({ byteLength }) => byteLength)).toEqual(launch.bindingBytes.slice(0, 3));
});
