import { ModelError, UnsupportedOpError } from '../../common/errors.ts';
import { type Dims, formatDims, MAX_RANK, sizeOf, type Tensor, toNumbers } from '../../common/tensor.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, type Pads, type Pair } from '../shapes.ts';
import type { TranslateContext } from './operator.ts';

export function unsupported(node: ModelNode, detail: string): never {
  throw new UnsupportedOpError(node.name, node.op, detail);
}

/** A constant input that must be there. */
export function constantInput(node: ModelNode, context: TranslateContext, index: number, what: string): Tensor {
  const name = node.inputs[index];
  if (!name) throw new ModelError(`${node.name}: ${node.op} expects ${what} as input ${index}, got none`);
  return context.constant(name) ?? unsupported(node, `with ${what} computed at run time has no mapping`);
}

/** The integers of a constant of one or no dimension. @throws ModelError for floats, or for more than expected */
export function readIntegers(who: string, tensor: Tensor, what: string, most = MAX_RANK): number[] {
  if (tensor.type !== 'int64') throw new ModelError(`${who}: expected ${what} to be integers, got floats`);
  // before they are read: one large constant may be the input of many nodes
  const count = sizeOf(tensor.dims);
  if (count > most) throw new ModelError(`${who}: expected at most ${most} ${what}, got ${count}`);
  return toNumbers(tensor);
}

/** A constant input of one element. */
export function constantScalar(node: ModelNode, context: TranslateContext, index: number, what: string): number {
  const tensor = constantInput(node, context, index, what);
  if (sizeOf(tensor.dims) !== 1) {
    throw new ModelError(`${node.name}: expected ${what} of one element, got ${formatDims(tensor.dims)}`);
  }
  return toNumbers(tensor)[0]!;
}

/** The name of a constant float input. */
export function weightName(node: ModelNode, context: TranslateContext, index: number, what: string): string {
  const tensor = constantInput(node, context, index, what);
  if (tensor.type !== 'float32') throw new ModelError(`${node.name}: ${what} expects floats, got integers`);
  return node.inputs[index]!;
}

/** Numbers that the kernels add to and multiply with positions stay far from what 32 bits hold. */
const MAX_STEP = 2 ** 28;

/** @returns kernel sides, strides, dilations or pads, none of which is too large to compute with */
function checkSteps<T extends readonly number[]>(node: ModelNode, name: string, values: T): T {
  if (values.every((value) => value <= MAX_STEP)) return values;
  throw new ModelError(`${node.name}: expected ${name} of at most ${MAX_STEP}, got ${values}`);
}

export function onlyOutput(node: ModelNode): void {
  if (node.outputs.slice(1).some((name) => name !== '')) unsupported(node, 'with more than one output has no mapping');
}

/** An attribute of 0 or 1. */
export function readFlag(node: ModelNode, name: string, fallback: 0 | 1 = 0): boolean {
  const value = node.attributes.int(name, fallback);
  if (value !== 0 && value !== 1) throw new ModelError(`${node.name}: expected ${name} of 0 or 1, got ${value}`);
  return value === 1;
}

/** An attribute of two positive numbers, for height and width. */
export function readPair(node: ModelNode, name: string, fallback: Pair): Pair {
  const [first, second, ...more] = node.attributes.ints(name, fallback);
  if (first === undefined || second === undefined || more.length > 0) {
    unsupported(node, `with ${name} of other than two dimensions has no mapping`);
  }
  if (first < 1 || second < 1) throw new ModelError(`${node.name}: ${name} must be positive, got ${first},${second}`);
  return checkSteps(node, name, [first, second]);
}

/** Explicit pads, or what auto_pad stands for at this input size. */
export function readPads(node: ModelNode, x: Dims, kernel: Pair, strides: Pair, dilations: Pair): Pads {
  return checkSteps(node, 'pads', padsOf(node, x, kernel, strides, dilations));
}

function padsOf(node: ModelNode, x: Dims, kernel: Pair, strides: Pair, dilations: Pair): Pads {
  const auto = node.attributes.string('auto_pad', 'NOTSET');
  const [, , h, w] = asDims4(node.name, x);
  const explicit = node.attributes.ints('pads', [0, 0, 0, 0]);
  switch (auto) {
    case 'NOTSET': {
      const [top, left, bottom, right] = explicit;
      if (explicit.length !== 4) unsupported(node, 'with pads of other than two dimensions has no mapping');
      if (explicit.some((pad) => pad < 0)) unsupported(node, `with negative pads ${explicit} has no mapping`);
      return [top!, left!, bottom!, right!];
    }
    case 'VALID':
      return [0, 0, 0, 0];
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const total = ([h, w] as const).map((size, axis) => {
        const span = (kernel[axis]! - 1) * dilations[axis]! + 1;
        return (Math.ceil(size / strides[axis]!) - 1) * strides[axis]! + span - size;
      });
      // long strides leave out more than a window's rest, and onnxruntime then crops on both sides
      const before = total.map((pad) => Math.trunc((auto === 'SAME_UPPER' ? pad : pad + 1) / 2));
      if (before.some((pad) => pad < 0)) unsupported(node, `with auto_pad ${auto} that crops has no mapping`);
      const after = total.map((pad, axis) => Math.max(0, pad - before[axis]!));
      return [before[0]!, before[1]!, after[0]!, after[1]!];
    }
    default:
      return unsupported(node, `with auto_pad ${auto} has no mapping`);
  }
}
