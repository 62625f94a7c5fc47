import type { Dims } from '../../../common/tensor.ts';
import { alone, type ConvSpec } from '../../../kernels/conv/spec.ts';
import { byChannels, octets, type WeightOrder } from '../../../kernels/conv/weight-orders.ts';
import { conv2dSplit } from '../../../kernels/hardware/conv2d-split.ts';
import { depthwiseColumns } from '../../../kernels/hardware/depthwise-columns.ts';
import { ratesOf } from '../../../kernels/hardware/rates.ts';
import { separable as kernel, packSeparableBiases, packSeparableWeights } from '../../../kernels/hardware/separable.ts';
import {
  type ApartTiles,
  fasterApart,
  likelySeparableTile,
  resizedSeparableTiles,
  type SeparableSpec,
  separableMicroseconds,
} from '../../../kernels/hardware/separable-cost.ts';
import type { SplitTile } from '../../../kernels/hardware/split-cost.ts';
import { biasOf, type ConvNode, conv, specOf } from '../conv.ts';
import type { LowerContext, NodeBase, Operator } from '../operator.ts';

/** A depthwise convolution and the pointwise one that alone reads it: one launch. No ONNX operator becomes it, see fuse-separable.ts. */
export interface SeparableNode extends NodeBase {
  readonly op: 'Separable';
  readonly depthwise: ConvNode;
  readonly pointwise: ConvNode;
}

/** What the kernel needs to know of the two. */
export function separableSpec(
  { depthwise, pointwise }: Pick<SeparableNode, 'depthwise' | 'pointwise'>,
  dimsOf: (value: string) => Dims,
): SeparableSpec {
  return { depthwise: specOf(depthwise, dimsOf), pointwise: specOf(pointwise, dimsOf) };
}

/** As one of a batch's images is divided, so that each has the result that it has alone. */
export function aloneSeparable({ depthwise, pointwise }: SeparableSpec): SeparableSpec {
  return { depthwise: alone(depthwise), pointwise: alone(pointwise) };
}

function lowerTogether(node: SeparableNode, spec: SeparableSpec, tile: SplitTile, to: LowerContext): void {
  const { depthwise, pointwise } = node;
  const floats = (name: string | null) => (name === null ? undefined : to.constantOf(name).data);
  const weights = to.constant(`${depthwise.weight}@depthwise + ${pointwise.weight}@octets`, () =>
    packSeparableWeights(spec, floats(depthwise.weight)!, floats(pointwise.weight)!),
  );
  const bias = to.constant(`${node.output}@biases`, () =>
    packSeparableBiases(spec, floats(depthwise.bias), floats(pointwise.bias)),
  );
  const [input, residual] = node.inputs as [string, string?];
  const operands = [
    to.read(input, 'packed'),
    weights,
    bias,
    // without a residual the binding is never read
    residual === undefined ? bias : to.read(residual, 'packed'),
    to.define(node.output, 'packed'),
  ];
  const rates = ratesOf(to.traits);
  const launch = (each: SplitTile) => {
    return { ...kernel(spec, each), microseconds: separableMicroseconds(aloneSeparable(spec), each, rates) };
  };
  to.emit(node.name, launch(tile), operands, (invocations) => {
    const tiles = resizedSeparableTiles(spec, tile, invocations);
    const resized = likelySeparableTile(aloneSeparable(spec), rates, tiles);
    return resized && launch(resized);
  });
}

/** The two in a launch each, with float32 between them whatever the precision, as in one launch. */
function lowerApart(node: SeparableNode, spec: SeparableSpec, tiles: ApartTiles, to: LowerContext): void {
  const { depthwise, pointwise } = node;
  const first = depthwiseColumns(spec.depthwise, tiles.depthwise);
  const second = conv2dSplit(spec.pointwise, tiles.pointwise);
  const between = to.scratch(second.bindingBytes[0]!);
  const constants = (conv: ConvNode, convSpec: ConvSpec, order: WeightOrder) => {
    const weights = to.constant(`${conv.weight}@${order.name}`, () =>
      order.pack(to.constantOf(conv.weight).data, convSpec),
    );
    return [weights, biasOf(conv, convSpec.outChannels, to)] as const;
  };
  const [filters, offsets] = constants(depthwise, spec.depthwise, byChannels);
  to.emit(depthwise.name, first, [to.read(node.inputs[0]!, 'packed'), filters, offsets, offsets, between]);
  const [weights, bias] = constants(pointwise, spec.pointwise, octets);
  to.emit(node.name, second, [between, weights, bias, bias, to.define(node.output, 'packed')]);
}

function lower(node: SeparableNode, to: LowerContext): void {
  const spec = separableSpec(node, (value) => to.dims(value));
  const rates = ratesOf(to.traits);
  const tile = likelySeparableTile(aloneSeparable(spec), rates)!;
  // of one image the two would be apart already
  const mayPart = node.inputs.length === 1 && spec.depthwise.batch > 1;
  const apart = mayPart ? fasterApart(spec, tile, rates) : undefined;
  if (apart) lowerApart(node, spec, apart, to);
  else lowerTogether(node, spec, tile, to);
}

export const separable: Operator<SeparableNode> = {
  onnx: {},
  constants: ({ depthwise, pointwise }) => [...conv.constants!(depthwise), ...conv.constants!(pointwise)],
  inferDims({ depthwise, pointwise }, dimsOf) {
    const between = conv.inferDims(depthwise, dimsOf);
    return conv.inferDims(pointwise, (value) => (value === depthwise.output ? between : dimsOf(value)));
  },
  describe: ({ depthwise, pointwise }) => [...conv.describe!(depthwise), '→', ...conv.describe!(pointwise)],
  images: 'apart',
  lower,
};
