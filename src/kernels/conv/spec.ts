import { type Activation, activationParams } from '../activation.ts';
import { type Dispatch, type Launch, packParams } from '../dispatch.ts';
import { blocksOf, packedBytes, padWithZeros } from '../nc4hw4.ts';

/** One 2-D convolution with its epilogue: `activation(conv(x) + bias + upsampled residual)`. */
export interface ConvSpec {
  readonly batch: number;
  readonly inChannels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  /** Height, width, as every pair here. */
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Top, left; what the bottom and right need follows from the output size. */
  readonly pads: readonly [number, number];
  readonly group: number;
  readonly activation: Activation;
  /** How many times smaller the residual is than the output, in height and width: a power of two; 0 for none. */
  readonly upsample: number;
}

/** Whether a convolution has nothing but the pixels themselves to add up. */
export function isPointwise({ kernel, strides, pads, ...spec }: ConvSpec): boolean {
  const inside = (spec.outHeight - 1) * strides[0] < spec.inHeight && (spec.outWidth - 1) * strides[1] < spec.inWidth;
  return inside && kernel.every((side) => side === 1) && pads.every((pad) => pad === 0);
}

/** Whether every output channel sums up all input channels. */
export function isDense({ group }: ConvSpec): boolean {
  return group === 1;
}

/** Whether every channel is filtered by itself. */
export function isDepthwise({ group, inChannels, outChannels }: ConvSpec): boolean {
  return group === inChannels && group === outChannels;
}

/** A batch is divided as one of its images is, so that each has the result that it has alone. */
export function alone(spec: ConvSpec): ConvSpec {
  return { ...spec, batch: 1 };
}

/** What differs where a launch computes a part of a convolution, or images have weights of their own. */
interface ConvPart {
  /** vec4 between the weights of one image and of the next; 0, the default: all share them. For `convLane`. */
  readonly weightsStep?: number;
  /** The first block of four channels of output. For `convLane`. */
  readonly firstBlock?: number;
}

/** The `Params` that all convolution shaders share. */
export function convParams(
  spec: ConvSpec,
  { weightsStep = 0, firstBlock = 0 }: ConvPart = {},
): Uint8Array<ArrayBuffer> {
  const activation = activationParams(spec.activation);
  const upsample = Math.max(1, spec.upsample);
  return packParams(
    [
      blocksOf(spec.inChannels),
      spec.inHeight,
      spec.inWidth,
      blocksOf(spec.outChannels),
      spec.outHeight,
      spec.outWidth,
      ...spec.kernel,
      ...spec.strides,
      ...spec.pads,
      ...spec.dilations,
      spec.inChannels / spec.group,
      spec.outChannels / spec.group,
      spec.outChannels,
      Math.log2(upsample),
      spec.outHeight / upsample,
      spec.outWidth / upsample,
      weightsStep,
      firstBlock,
    ],
    activation.floats,
  );
}

/** The overrides of `epilogue.wgsl`. */
export function epilogueOverrides({ upsample, activation }: ConvSpec): { RESIDUAL: number; SIGMOID: number } {
  return { RESIDUAL: Number(upsample > 0), SIGMOID: activationParams(activation).sigmoid };
}

/** Operations of the convolution as defined, however a kernel computes it; bias and epilogue aside. */
export function convFlops(spec: ConvSpec): number {
  const outputs = spec.batch * spec.outChannels * spec.outHeight * spec.outWidth;
  return 2 * outputs * (spec.inChannels / spec.group) * spec.kernel[0] * spec.kernel[1];
}

/** Sizes of input, weights, bias, residual and output. */
export function convBindings(spec: ConvSpec, weightBytes: number): number[] {
  const input = packedBytes(spec.batch, spec.inChannels, spec.inHeight, spec.inWidth);
  const output = packedBytes(spec.batch, spec.outChannels, spec.outHeight, spec.outWidth);
  const residual = spec.upsample === 0 ? 16 : output / spec.upsample ** 2;
  return [input, weightBytes, blocksOf(spec.outChannels) * 16, residual, output];
}

/** What differs between the kernels that compute a convolution in one launch. */
interface ConvKernel {
  readonly overrides: Dispatch['overrides'];
  readonly consts?: Readonly<Record<string, number>>;
  readonly weightBytes: number;
  readonly workgroups: Dispatch['workgroups'];
}

/** A convolution in one launch, by whichever kernel. Bindings: input, weights, bias, residual, output. */
export function convLaunch(spec: ConvSpec, { overrides, weightBytes, ...launch }: ConvKernel): Launch {
  return {
    ...launch,
    overrides: { ...overrides, ...epilogueOverrides(spec) },
    params: convParams(spec),
    bindingBytes: convBindings(spec, weightBytes),
    flops: convFlops(spec),
  };
}

/** A per-channel vector (a bias, a scale) padded with zeros to whole vec4. */
export function packChannels(values: ArrayLike<number> = [], channels: number): Float32Array<ArrayBuffer> {
  return padWithZeros(values, blocksOf(channels) * 4);
}
