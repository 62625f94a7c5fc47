import { packedLength, packedPlace, weightBytes } from '../conv/octets.ts';
import { type ConvSpec, convBindings, convParams, epilogueOverrides } from '../conv/spec.ts';
import { type Dispatch, packParams } from '../dispatch.ts';
import { blocksOf } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

/** Side of the output that a window gives, in pixels. */
const TILE = 4;
/** Side of a window, in pixels. */
const SIDE = 6;
/** Pixels of a window, and products that its transform takes. */
const POSITIONS = SIDE * SIDE;
const WORKGROUP = 8;

/** A convolution by Winograd's F(4×4, 3×3): the launches around a product of each position's own. */
export interface WinogradSteps {
  /** Bindings: input, windows. */
  readonly input: Dispatch;
  /** The product from windows to products, whose images, the positions, each have weights of their own. */
  readonly product: ConvSpec;
  /** Bindings: products, bias, residual, output. */
  readonly output: Dispatch;
}

/** Whether `winograd` can do a convolution: dense, 3×3, stride 1, not dilated. */
export function isWinograd({ kernel, strides, dilations, group }: ConvSpec): boolean {
  return group === 1 && kernel.every((k) => k === 3) && [...strides, ...dilations].every((value) => value === 1);
}

/** Weights for `winograd`: ONNX `[out][in][3][3]` → for each position of a window those of a 1×1 convolution, as `packConvWeights` orders them. */
export function packWinogradWeights(
  weights: Float32Array,
  outChannels: number,
  inChannels: number,
): Float32Array<ArrayBuffer> {
  const step = packedLength(outChannels, inChannels);
  const packed = new Float32Array(POSITIONS * step);
  // a filter after the transform of its columns: 6 rows of 3
  const half = new Float64Array(SIDE * 3);
  for (let out = 0; out < outChannels; out++) {
    for (let channel = 0; channel < inChannels; channel++) {
      const filter = (out * inChannels + channel) * 9;
      for (let x = 0; x < 3; x++) {
        transform(weights[filter + x]!, weights[filter + 3 + x]!, weights[filter + 6 + x]!, half, x, 3);
      }
      const place = packedPlace(out, channel, blocksOf(inChannels));
      for (let y = 0; y < SIDE; y++) {
        transform(half[y * 3]!, half[y * 3 + 1]!, half[y * 3 + 2]!, packed, place + y * SIDE * step, step);
      }
    }
  }
  return packed;
}

/** Three taps at the points 0, √½, -√½, √2, -√2 and infinity, each by its factor: six numbers `step` apart from `first` on. */
function transform(a: number, b: number, c: number, target: Float64Array | Float32Array, first: number, step: number) {
  const odd = b * Math.SQRT2;
  target[first] = a;
  target[first + step] = -(2 * a + odd + c) / 3;
  target[first + 2 * step] = -(2 * a - odd + c) / 3;
  target[first + 3 * step] = (a + odd + 2 * c) / 6;
  target[first + 4 * step] = (a - odd + 2 * c) / 6;
  target[first + 5 * step] = c;
}

/** Output tiles of one image, along x and in all. */
function countTiles({ outHeight, outWidth }: ConvSpec): { tilesX: number; tiles: number } {
  const tilesX = Math.ceil(outWidth / TILE);
  return { tilesX, tiles: tilesX * Math.ceil(outHeight / TILE) };
}

/** Bytes of the larger one of the two buffers between the launches. */
export function winogradBytes(spec: ConvSpec): number {
  const blocks = blocksOf(Math.max(spec.inChannels, spec.outChannels));
  return POSITIONS * spec.batch * countTiles(spec).tiles * blocks * 16;
}

/** `conv2dDirect` for `isWinograd` convolutions with a quarter of the multiplications. */
export function winograd(spec: ConvSpec): WinogradSteps {
  const { batch, inChannels, inHeight, inWidth, outChannels, pads } = spec;
  const [inBlocks, outBlocks] = [blocksOf(inChannels), blocksOf(outChannels)];
  const { tilesX, tiles } = countTiles(spec);
  const grid = (blocks: number): [number, number, number] => [Math.ceil((tiles * blocks) / WORKGROUP), batch, 1];
  const product: ConvSpec = {
    ...{ batch: POSITIONS, inChannels, inHeight: 1, inWidth: batch * tiles },
    ...{ outChannels, outHeight: 1, outWidth: batch * tiles },
    ...{ kernel: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0], group: 1 },
    ...{ activation: { kind: 'none' }, upsample: 0 },
  };
  const [windowBytes, , , , productBytes] = convBindings(product, 0);
  const [inputBytes, , ...epilogueBytes] = convBindings(spec, 0);
  return {
    input: dispatch('winograd-input', {
      overrides: { WORKGROUP },
      params: packParams([inBlocks, inHeight, inWidth, ...pads, tilesX, tiles, batch, SIDE]),
      bindingBytes: [inputBytes!, windowBytes!],
      workgroups: grid(inBlocks),
    }),
    product,
    output: dispatch('winograd-output', {
      overrides: { WORKGROUP, ...epilogueOverrides(spec) },
      params: convParams(spec),
      bindingBytes: [productBytes!, ...epilogueBytes],
      workgroups: grid(outBlocks),
    }),
  };
}

/**
 * The product's launch, with weights of each image's own.
 * @param launch for `product` as one convolution, by a kernel that reads `weights_step`: `convLane` or `conv2dTiled`
 */
export function withOwnWeights(launch: Dispatch, product: ConvSpec): Dispatch {
  const bytes = weightBytes(product);
  return {
    ...launch,
    params: convParams(product, { weightsStep: bytes / 16 }),
    bindingBytes: convBindings(product, product.batch * bytes),
  };
}
