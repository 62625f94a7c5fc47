import { ModelError } from '../../common/errors.ts';
import { type Dims, formatDims } from '../../common/tensor.ts';
import { type BinaryOperation, binaryStrided, binary as kernel } from '../../kernels/tensor/binary.ts';
import type { ModelNode } from '../../loader/model.ts';
import { alignedDims4, asDims4, broadcastDims } from '../shapes.ts';
import type { Draft, LowerContext, NodeBase, Operator } from './operator.ts';

export interface BinaryNode extends NodeBase {
  readonly op: 'Binary';
  readonly operation: BinaryOperation;
}

function draft(node: ModelNode, operation: BinaryOperation): Draft<BinaryNode> {
  const [first, second] = node.inputs;
  if (!second) throw new ModelError(`${node.name}: ${node.op} expects two inputs, got one`);
  return { op: 'Binary', operation, inputs: [first!, second] };
}

function inferDims(node: BinaryNode, dimsOf: (value: string) => Dims): Dims {
  const [x, y] = node.inputs.map(dimsOf) as [Dims, Dims];
  const out = broadcastDims(node.name, x, y);
  if (node.operation === 'prelu' && formatDims(out) !== formatDims(x)) {
    throw new ModelError(`${node.name}: slope must broadcast to ${formatDims(x)}, got ${formatDims(out)}`);
  }
  return out;
}

function lower(node: BinaryNode, to: LowerContext): void {
  const [a, b] = node.inputs as [string, string];
  const dims = to.dims(node.output);
  const packed =
    dims.length === 4 &&
    node.inputs.every((name) => to.isPacked(name)) &&
    node.inputs.some((name) => !to.isConstant(name));
  const layout = packed ? 'packed' : 'plain';
  const dispatch = packed
    ? kernel(node.operation, alignedDims4(to.dims(a)), alignedDims4(to.dims(b)), asDims4(node.name, dims))
    : binaryStrided(node.operation, to.dims(a), to.dims(b), dims);
  to.emitNode(node, dispatch, layout);
}

export const binary: Operator<BinaryNode> = {
  onnx: {
    Add: (node) => draft(node, 'add'),
    Sub: (node) => draft(node, 'sub'),
    Mul: (node) => draft(node, 'mul'),
    Div: (node) => draft(node, 'div'),
    PRelu: (node) => draft(node, 'prelu'),
  },
  inferDims,
  describe: (node) => [node.operation],
  images: 'broadcast',
  lower,
};
