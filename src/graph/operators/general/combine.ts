import { ModelError } from '../../../common/errors.ts';
import { type Dims, sizeOf, toNumbers } from '../../../common/tensor.ts';
import { type Combination, combineStrided, combine as kernel } from '../../../kernels/general/combine.ts';
import { floatBytes } from '../../../kernels/nc4hw4.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { alignedDims4, asDims4, broadcastDims } from '../../shapes.ts';
import type { BinaryNode } from '../binary.ts';
import { readFlag, unsupported } from '../onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from '../operator.ts';
import type { ReshapeNode } from '../reshape.ts';
import { type ElementwiseNode, elementwiseDraft } from './elementwise.ts';

/** One value of two or more, element by element, with numpy broadcasting. */
export interface CombineNode extends NodeBase {
  readonly op: 'Combine';
  readonly combination: Combination;
}

function combination(node: ModelNode, combination: Combination): Draft<CombineNode> {
  const missing = node.inputs.length < 2 ? 1 : node.inputs.indexOf('');
  if (missing >= 0) throw new ModelError(`${node.name}: ${node.op} expects input ${missing}, got none`);
  return { op: 'Combine', combination, inputs: node.inputs };
}

/** Of two values, no more. */
function ofTwo(node: ModelNode, name: Combination): Draft<CombineNode> {
  const count = node.inputs.length;
  if (count > 2) throw new ModelError(`${node.name}: ${node.op} expects two inputs, got ${count}`);
  return combination(node, name);
}

/** Of any number of values: one alone stays as it is. */
function ofMany(node: ModelNode, context: TranslateContext, name: Combination): Draft<CombineNode | ReshapeNode> {
  if (node.inputs.length === 1) return { op: 'Reshape', dims: context.dims(node.inputs[0]!) };
  return combination(node, name);
}

function sum(node: ModelNode, context: TranslateContext): Draft<BinaryNode | CombineNode | ReshapeNode> {
  const draft = ofMany(node, context, 'sum');
  // which convolutions take as their residual
  return draft.inputs?.length === 2 ? { op: 'Binary', operation: 'add', inputs: draft.inputs } : draft;
}

function power(node: ModelNode, context: TranslateContext): Draft<CombineNode | ElementwiseNode> {
  const exponent = node.inputs[1] ? context.constant(node.inputs[1]) : undefined;
  const { length } = context.dims(node.inputs[0]!);
  const scalar = exponent && sizeOf(exponent.dims) === 1 && exponent.dims.length <= length;
  return scalar ? elementwiseDraft('power', toNumbers(exponent)[0]) : ofTwo(node, 'power');
}

function remainder(node: ModelNode): Draft<CombineNode> {
  if (!readFlag(node, 'fmod')) unsupported(node, 'with fmod 0 has no mapping, which ONNX has for integers alone');
  return ofTwo(node, 'remainder');
}

function lowerPlain({ name, inputs, output, combination }: CombineNode, to: LowerContext): void {
  // conversions come before all launches
  const sources = inputs.map((input) => to.read(input, 'plain'));
  let dims = to.dims(inputs[0]!);
  let left = sources[0]!;
  for (let i = 1; i < inputs.length; i++) {
    const last = i === inputs.length - 1;
    const right = to.dims(inputs[i]!);
    const both = broadcastDims(name, dims, right);
    const target = last ? to.define(output, 'plain') : to.scratch(floatBytes(sizeOf(both)));
    // a mean is a sum until its last step
    const divisor = last && combination === 'mean' ? inputs.length : 1;
    to.emit(name, combineStrided(combination, divisor, dims, right, both), [left, sources[i]!, target]);
    dims = both;
    left = target;
  }
}

function lower(node: CombineNode, to: LowerContext): void {
  const { name, inputs, output } = node;
  const dims = to.dims(output);
  const packed =
    dims.length === 4 &&
    inputs.length === 2 &&
    inputs.every((input) => to.isPacked(input)) &&
    inputs.some((input) => !to.isConstant(input));
  if (!packed) return lowerPlain(node, to);
  const [a, b] = [alignedDims4(to.dims(inputs[0]!)), alignedDims4(to.dims(inputs[1]!))];
  to.emitNode(node, kernel(node.combination, 2, a, b, asDims4(name, dims)), 'packed');
}

export const combine: Operator<CombineNode> = {
  onnx: {
    Pow: power,
    Mod: remainder,
    Min: (node, context) => ofMany(node, context, 'min'),
    Max: (node, context) => ofMany(node, context, 'max'),
    Mean: (node, context) => ofMany(node, context, 'mean'),
    Sum: sum,
    Equal: (node) => ofTwo(node, 'equal'),
    Less: (node) => ofTwo(node, 'less'),
    LessOrEqual: (node) => ofTwo(node, 'lessOrEqual'),
    Greater: (node) => ofTwo(node, 'greater'),
    GreaterOrEqual: (node) => ofTwo(node, 'greaterOrEqual'),
    And: (node) => ofTwo(node, 'and'),
    Or: (node) => ofTwo(node, 'or'),
    Xor: (node) => ofTwo(node, 'xor'),
  },
  inferDims: (node, dimsOf) =>
    node.inputs.map(dimsOf).reduce<Dims>((dims, other) => broadcastDims(node.name, dims, other), []),
  describe: (node) => [node.combination],
  images: 'broadcast',
  lower,
};
