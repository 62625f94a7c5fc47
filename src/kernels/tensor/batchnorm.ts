import { packChannels } from '../conv/spec.ts';
import { type Dispatch, dispatch, flatGrid, packParams } from '../dispatch.ts';
import { blocksOf, type LayoutSpec, packedBytes } from '../nc4hw4.ts';

const WORKGROUP = 64;

/** Scale and shift that stand for inference-time batch normalisation. */
export function batchNormAffine(
  gamma: Float32Array,
  beta: Float32Array,
  mean: Float32Array,
  variance: Float32Array,
  epsilon: number,
): { scale: Float32Array<ArrayBuffer>; shift: Float32Array<ArrayBuffer> } {
  const scale = Float32Array.from(gamma, (g, c) => g / Math.sqrt(variance[c]! + epsilon));
  const shift = Float32Array.from(beta, (b, c) => b - (mean[c]! * gamma[c]!) / Math.sqrt(variance[c]! + epsilon));
  return { scale, shift };
}

/** The kernel's constant: every block's scale, then every block's shift. */
export function packAffine(scale: Float32Array, shift: Float32Array): Float32Array<ArrayBuffer> {
  const half = packChannels(scale, scale.length);
  const affine = new Float32Array(half.length * 2);
  affine.set(half);
  affine.set(shift, half.length);
  return affine;
}

/** `x * scale + shift` a channel, on NC4HW4. Bindings: input, affine, output. */
export function batchNorm(spec: LayoutSpec): Dispatch {
  const blocks = blocksOf(spec.channels);
  const planeSize = spec.height * spec.width;
  const count = spec.batch * blocks * planeSize;
  const bytes = packedBytes(spec.batch, spec.channels, spec.height, spec.width);
  return dispatch('batchnorm', {
    overrides: { WORKGROUP },
    params: packParams([blocks, planeSize, count]),
    bindingBytes: [bytes, blocks * 32, bytes],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
