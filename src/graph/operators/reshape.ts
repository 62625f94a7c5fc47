import { ModelError, UnsupportedOpError } from '../../common/errors.ts';
import { type Dims, formatDims, sizeOf, type Tensor } from '../../common/tensor.ts';
import type { ModelNode } from '../../loader/model.ts';
import { normalizeAxis } from '../shapes.ts';
import { constantInput, constantScalar, onlyOutput, readIntegers, unsupported } from './onnx.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from './operator.ts';

/** The same elements in the same order: also Flatten, Squeeze, Unsqueeze, and what only copies. */
export interface ReshapeNode extends NodeBase {
  readonly op: 'Reshape';
  readonly dims: Dims;
}

/** ONNX TensorProto.DataType values that stay integers here. */
const INTEGER_TYPES: readonly number[] = [2, 3, 4, 5, 6, 7, 9, 12, 13];
const FLOAT_TYPES: readonly number[] = [1, 10, 11, 16];

/** Whether a Cast keeps or makes floats; throws on types that are neither numbers nor booleans. */
export function castsToFloat(node: ModelNode): boolean {
  const to = node.attributes.int('to');
  if (FLOAT_TYPES.includes(to)) return true;
  if (INTEGER_TYPES.includes(to)) return false;
  throw new UnsupportedOpError(node.name, node.op, `to ONNX type ${to} has no mapping`);
}

/** Reshape's rule: 0 copies the input's dimension, one -1 takes what is left. */
export function resolveReshape(who: string, dims: Dims, target: readonly number[]): number[] {
  const resolved = target.map((dim, i) => (dim === 0 ? (dims[i] ?? 0) : dim));
  const unknown = resolved.indexOf(-1);
  if (unknown >= 0) {
    const known = resolved.reduce((product, dim, i) => (i === unknown ? product : product * dim), 1);
    resolved[unknown] = sizeOf(dims) / known;
  }
  if (resolved.some((dim) => !Number.isInteger(dim) || dim < 1) || sizeOf(resolved) !== sizeOf(dims)) {
    throw new ModelError(`${who}: cannot reshape ${formatDims(dims)} to [${target.join(', ')}]`);
  }
  return resolved;
}

/** Squeeze and Unsqueeze take axes as an attribute up to opset 12, as an input since 13. */
export function readAxes(node: ModelNode, axesInput: Tensor | undefined): number[] | null {
  if (axesInput) return readIntegers(node.name, axesInput, 'axes');
  return node.attributes.has('axes') ? [...node.attributes.ints('axes')] : null;
}

/** Without axes, and by an empty list of them, all dimensions of 1 go. */
export function squeezeDims(who: string, dims: Dims, given: readonly number[] | null): number[] {
  const axes = given?.length ? given : null;
  const dropped = new Set(axes ? axes.map((axis) => normalizeAxis(who, axis, dims.length)) : undefined);
  const drop = (dim: number, i: number) => (axes ? dropped.has(i) : dim === 1);
  const bad = dims.findIndex((dim, i) => drop(dim, i) && dim !== 1);
  if (bad >= 0) throw new ModelError(`${who}: cannot squeeze axis ${bad} of ${formatDims(dims)}`);
  return dims.filter((dim, i) => !drop(dim, i));
}

export function unsqueezeDims(who: string, dims: Dims, axes: readonly number[] | null): number[] {
  if (!axes) throw new ModelError(`${who}: expected axes, got none`);
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => normalizeAxis(who, axis, rank)));
  if (added.size !== axes.length) throw new ModelError(`${who}: axes ${axes} repeat`);
  const rest = [...dims];
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : rest.shift()!));
}

function draft(dims: Dims): Draft<ReshapeNode> {
  return { op: 'Reshape', dims };
}

function reshapeDims(node: ModelNode, context: TranslateContext): Dims {
  const x = context.dims(node.inputs[0]!);
  if (node.attributes.int('allowzero', 0) !== 0) unsupported(node, 'with allowzero has no mapping');
  const target = readIntegers(node.name, constantInput(node, context, 1, 'a shape'), 'dimensions');
  // a shape that was baked for one image holds for each image of a batch
  const baked = target[0] === 1 && target.every((dim) => dim > 0) && sizeOf(target) * context.batch === sizeOf(x);
  if (baked && context.batch !== 1) context.spreadBatch();
  return resolveReshape(node.name, x, baked ? [context.batch, ...target.slice(1)] : target);
}

function flattenDims(node: ModelNode, context: TranslateContext): Dims {
  const x = context.dims(node.inputs[0]!);
  const raw = node.attributes.int('axis', 1);
  const axis = raw === x.length ? raw : normalizeAxis(node.name, raw, x.length);
  return [sizeOf(x.slice(0, axis)), sizeOf(x.slice(axis))];
}

function changeRank(node: ModelNode, context: TranslateContext, change: typeof squeezeDims): Draft<ReshapeNode> {
  const axes = node.inputs[1] ? constantInput(node, context, 1, 'axes') : undefined;
  return draft(change(node.name, context.dims(node.inputs[0]!), readAxes(node, axes)));
}

function copy(node: ModelNode, context: TranslateContext): Draft<ReshapeNode> {
  return draft(context.dims(node.inputs[0]!));
}

function dropout(node: ModelNode, context: TranslateContext): Draft<ReshapeNode> {
  onlyOutput(node);
  node.attributes.float('ratio', 0.5);
  node.attributes.int('seed', 0);
  if (node.inputs[2] && constantScalar(node, context, 2, 'a training mode') !== 0) {
    unsupported(node, 'in training mode has no mapping');
  }
  return copy(node, context);
}

export const reshape: Operator<ReshapeNode> = {
  onnx: {
    Reshape: (node, context) => draft(reshapeDims(node, context)),
    Flatten: (node, context) => draft(flattenDims(node, context)),
    Squeeze: (node, context) => changeRank(node, context, squeezeDims),
    Unsqueeze: (node, context) => changeRank(node, context, unsqueezeDims),
    Identity: copy,
    Dropout: dropout,
  },
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    if (sizeOf(node.dims) !== sizeOf(x)) {
      throw new ModelError(`${node.name}: cannot reshape ${formatDims(x)} to ${formatDims(node.dims)}`);
    }
    return node.dims;
  },
  images: 'apart',
  // row-major data has no shape: the result is the same buffer
  lower: (node, to) => to.alias(node.output, node.inputs[0]!),
};
