import { toHalf, widenFloat16 } from '../../../src/common/float16.ts';
import { type ConvSpec, packChannels } from '../../../src/kernels/conv/spec.ts';
import type { Dispatch, Precision } from '../../../src/kernels/dispatch.ts';
import { expectClose } from '../../support/compare.ts';
import { unpackOnCpu } from '../../support/gpu.ts';
import { add, conv2d, resize } from '../../support/reference-ops.ts';
import { createRng, type Rng } from '../../support/rng.ts';
import { referenceActivation } from './activations.ts';
import type { ConvCase } from './conv-cases.ts';
import { type Dims4, randomImage } from './images.ts';
import { runSteps, type Step } from './run-steps.ts';

/** Puts ONNX weights in a kernel's order. */
export type PackWeights = (weights: Float32Array<ArrayBuffer>, spec: ConvSpec) => Float32Array<ArrayBuffer>;

/** Names of what a one-launch convolution binds. */
const BINDINGS = ['input', 'weights', 'bias', 'residual', 'output'];

/** An image whose values are half floats, and stored as such. */
function halfImage(rng: Rng, dims: Dims4) {
  const { dims: shape, data, packed } = randomImage(rng, dims);
  return { dims: shape, data: widenFloat16(toHalf(Float32Array.from(data))), packed: toHalf(packed) };
}

/** Runs a convolution kernel on a case with seeded numbers in [-1, 1) and compares with float64. */
export function checkConv(conv: ConvCase, dispatch: Dispatch, pack: PackWeights): Promise<void> {
  return checkConvSteps(conv, [{ dispatch, buffers: BINDINGS }], pack);
}

/**
 * The same for a convolution in several launches, from the buffers `input`, `weights`, `bias`, `residual` and `zeros`
 * (as many as biases) to `output`.
 * @param amplification how many times larger than those of a plain sum its rounding errors may be
 * @param precision of the images; halves are rounded before the reference sees them
 */
export async function checkConvSteps(
  { spec, pads, bias }: ConvCase,
  steps: readonly Step[],
  pack: PackWeights,
  amplification = 1,
  precision: Precision = 'f32',
): Promise<void> {
  const { batch, outChannels, outHeight, outWidth, strides, dilations, group, upsample } = spec;
  const rng = createRng(1);
  const image = (dims: Dims4) => (precision === 'f16' ? halfImage(rng, dims) : randomImage(rng, dims));
  const input = image([batch, spec.inChannels, spec.inHeight, spec.inWidth]);
  const weightDims = [outChannels, spec.inChannels / group, ...spec.kernel];
  const products = weightDims[1]! * spec.kernel[0] * spec.kernel[1];
  const weights = { dims: weightDims, data: rng.floats(outChannels * products) };
  const biases = { dims: [outChannels], data: rng.floats(outChannels) };
  const outDims: Dims4 = [batch, outChannels, outHeight, outWidth];
  const residual = upsample > 0 ? image([batch, outChannels, outHeight / upsample, outWidth / upsample]) : undefined;

  let expected = conv2d(input, weights, bias ? biases : null, { strides, pads, dilations, group });
  if (residual) {
    expected = add(expected, resize(residual, outDims, { coordinates: 'asymmetric', nearest: 'floor' }));
  }
  const contents = {
    input: input.packed,
    weights: pack(weights.data, spec),
    bias: packChannels(bias ? biases.data : undefined, outChannels),
    zeros: packChannels(undefined, outChannels),
    // without a residual the binding is NaN: it must not be read
    residual: residual?.packed ?? new Float32Array(),
  };
  const { output } = await runSteps(steps, contents, ['output']);
  const stored = precision === 'f16' ? widenFloat16(new Uint16Array(output)) : new Float32Array(output);
  expectClose(unpackOnCpu(stored, outDims), referenceActivation(expected, spec.activation).data, {
    abs: (products + 8) * 2 ** -24 * amplification,
    // twice the rounding of a half float, for what lies on the border between two of them
    rel: precision === 'f16' ? 2 ** -10 : 0,
    reason: `float32 sum of ${products} products below 1: each addition rounds a partial sum of about sqrt(${products})/3; × ${amplification}`,
  });
}
