import { type ConvSpec, convFlops, convOverrides, convParams } from './conv-spec.ts';
import { packConvWeights, pointwiseLane } from './conv2d.ts';
import { blocksOf, type Dispatch, packedBytes, packParams, specialize } from './kernel.ts';

/** Side of the output that a window of SIDE × SIDE pixels gives. */
const TILE = 4;
const SIDE = 6;
const POSITIONS = SIDE * SIDE;
const WORKGROUP = 8;

/** Rows: the points 0, 1, -1, 2, -2 and infinity, times a filter's three taps. */
const FILTER_TRANSFORM = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
] as const;

/** The three launches of a convolution by Winograd's F(4×4, 3×3). */
export interface WinogradSteps {
  /** Bindings: input, windows. */
  readonly input: Dispatch;
  /** Bindings: windows, weights, bias (zeros), residual (unused), products. */
  readonly product: Dispatch;
  /** Bindings: products, bias, residual, output. */
  readonly output: Dispatch;
}

/** Whether `winograd` can do a convolution: dense, 3×3, stride 1, not dilated. */
export function isWinograd({ kernel, strides, dilations, group }: ConvSpec): boolean {
  return group === 1 && kernel.every((k) => k === 3) && [...strides, ...dilations].every((value) => value === 1);
}

/** Weights for `winograd`: ONNX `[out][in][3][3]` → for each position of a window those of a 1×1 `conv2d`. */
export function packWinogradWeights(
  weights: Float32Array,
  outChannels: number,
  inChannels: number,
): Float32Array<ArrayBuffer> {
  const filters = outChannels * inChannels;
  const positions = Array.from({ length: POSITIONS }, () => new Float32Array(filters));
  for (let filter = 0; filter < filters; filter++) {
    const taps = weights.subarray(filter * 9, filter * 9 + 9);
    const rows = FILTER_TRANSFORM.map(([a, b, c]) =>
      [0, 1, 2].map((x) => a * taps[x]! + b * taps[x + 3]! + c * taps[x + 6]!),
    );
    rows.forEach((row, y) => {
      FILTER_TRANSFORM.forEach(([a, b, c], x) => {
        positions[y * SIDE + x]![filter] = a * row[0]! + b * row[1]! + c * row[2]!;
      });
    });
  }
  const packed = positions.map((values) => packConvWeights(values, outChannels, inChannels, [1, 1]));
  const all = new Float32Array(POSITIONS * packed[0]!.length);
  packed.forEach((values, i) => {
    all.set(values, i * values.length);
  });
  return all;
}

/** `conv2d` for `isWinograd` convolutions with a quarter of the multiplications, on subgroups of 4 lanes or more. */
export function winograd(spec: ConvSpec, subgroupSize: number): WinogradSteps {
  const { batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth, pads } = spec;
  const [inBlocks, outBlocks] = [blocksOf(inChannels), blocksOf(outChannels)];
  const tilesX = Math.ceil(outWidth / TILE);
  const tiles = tilesX * Math.ceil(outHeight / TILE);
  const grid = (blocks: number): [number, number, number] => [Math.ceil((tiles * blocks) / WORKGROUP), batch, 1];
  const windows: ConvSpec = {
    ...{ batch: POSITIONS, inChannels, inHeight: 1, inWidth: batch * tiles },
    ...{ outChannels, outHeight: 1, outWidth: batch * tiles },
    ...{ kernel: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0], group: 1 },
    ...{ activation: { kind: 'none' }, upsample: 0 },
  };
  const product = pointwiseLane(windows, subgroupSize, 'of each image');
  const outputBytes = packedBytes(batch, outChannels, outHeight, outWidth);
  return {
    input: {
      kernel: 'winograd-input',
      source: specialize('winograd-input'),
      constants: { WORKGROUP },
      params: packParams([inBlocks, inHeight, inWidth, ...pads, tilesX, tiles, batch, SIDE]),
      bindingBytes: [packedBytes(batch, inChannels, inHeight, inWidth), product.bindingBytes[0]!],
      workgroups: grid(inBlocks),
    },
    product: { ...product, flops: convFlops(spec) },
    output: {
      kernel: 'winograd-output',
      source: specialize('winograd-output'),
      constants: { WORKGROUP, ...convOverrides(spec) },
      params: convParams(spec),
      bindingBytes: [
        product.bindingBytes.at(-1)!,
        outBlocks * 16,
        spec.upsample === 0 ? 16 : outputBytes / spec.upsample ** 2,
        outputBytes,
      ],
      workgroups: grid(outBlocks),
    },
  };
}
