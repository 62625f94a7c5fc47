import type { Dims } from '../../common/tensor.ts';
import { ratesOf } from '../../kernels/conv/cost.ts';
import { separable as kernel, packSeparableBiases, packSeparableWeights } from '../../kernels/conv/separable.ts';
import { likelySeparableTile, type SeparableSpec } from '../../kernels/conv/separable-cost.ts';
import { alone } from '../../kernels/conv/spec.ts';
import { type ConvNode, conv, specOf } from './conv.ts';
import type { LowerContext, NodeBase, Operator } from './operator.ts';

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

function lower(node: SeparableNode, to: LowerContext): void {
  const { depthwise, pointwise } = node;
  const spec = separableSpec(node, (value) => to.dims(value));
  const tile = likelySeparableTile(aloneSeparable(spec), ratesOf(to.traits))!;
  const floats = (name: string | null) => (name === null ? undefined : to.constantOf(name).data);
  const weights = to.constant(`${depthwise.weight}@depthwise + ${pointwise.weight}@octets`, () =>
    packSeparableWeights(spec, floats(depthwise.weight)!, floats(pointwise.weight)!),
  );
  const bias = to.constant(`${depthwise.bias}@channels + ${pointwise.bias}@channels of ${pointwise.output}`, () =>
    packSeparableBiases(spec, floats(depthwise.bias), floats(pointwise.bias)),
  );
  const [input, residual] = node.inputs as [string, string?];
  to.emit(node.name, kernel(spec, tile), [
    to.read(input, 'packed'),
    weights,
    bias,
    // without a residual the binding is never read
    residual === undefined ? bias : to.read(residual, 'packed'),
    to.define(node.output, 'packed'),
  ]);
}

export const separable: Operator<SeparableNode> = {
  onnx: {},
  constants: ({ depthwise, pointwise }) => [...conv.constants!(depthwise), ...conv.constants!(pointwise)],
  inferDims({ depthwise, pointwise }, dimsOf) {
    const between = conv.inferDims(depthwise, dimsOf);
    return conv.inferDims(pointwise, (value) => (value === depthwise.output ? between : dimsOf(value)));
  },
  describe: ({ depthwise, pointwise }) => [...conv.describe!(depthwise), '→', ...conv.describe!(pointwise)],
  lower,
};
