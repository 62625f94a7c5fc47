// Functions of constants, element by element: floats round to float32 at every step, integers are exact and wrap at 64 bits, truth is 0 or 1.
import { ModelError } from '../common/errors.ts';
import { type Dims, type Tensor, toNumbers } from '../common/tensor.ts';
import { broadcastStrides } from '../kernels/tensor/binary.ts';
import type { ModelNode } from '../loader/model.ts';
import {
  checkTypes,
  eachPlace,
  emptyLike,
  type Fold,
  type FoldingBudget,
  type Inputs,
  input,
} from './fold-constants.ts';
import { readFlag, unsupported } from './operators/onnx.ts';
import { broadcastDims } from './shapes.ts';

/** A function of one number, for the types that it is defined for. */
interface OfOne {
  readonly float?: (x: number) => number;
  readonly int?: (x: bigint) => bigint;
}

/** To nearest, ties to even. */
function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

const OF_ONE: Readonly<Record<string, OfOne>> = {
  Exp: { float: Math.exp },
  Log: { float: Math.log },
  Sqrt: { float: Math.sqrt },
  Sin: { float: Math.sin },
  Cos: { float: Math.cos },
  Abs: { float: Math.abs, int: (x) => (x < 0n ? -x : x) },
  Neg: { float: (x) => -x, int: (x) => -x },
  Sign: { float: Math.sign, int: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n) },
  Reciprocal: { float: (x) => 1 / x },
  Round: { float: roundHalfToEven },
  Not: { int: (x) => (x === 0n ? 1n : 0n) },
};

function ofOne(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const x = input(node, inputs, 0);
  budget.take(node, x.dims);
  const { float, int } = OF_ONE[node.op]!;
  if (x.type === 'float32') {
    if (float) return { ...x, data: x.data.map(float) };
    throw new ModelError(`${node.name}: ${node.op} expects booleans, got floats`);
  }
  if (int) return { type: 'int64', dims: x.dims, data: x.data.map(int) };
  throw new ModelError(`${node.name}: ${node.op} expects floats, got integers`);
}

/** What becomes of two floats, and of two integers, which are bigints. */
type OfTwo = (x: number, y: number) => number | boolean;

const isTrue = (x: number) => Number(x) !== 0;

const OF_TWO: Readonly<Record<string, OfTwo>> = {
  Sum: (x, y) => x + y,
  Mean: (x, y) => x + y,
  // what is no number stays none
  Min: (x, y) => (x >= y || Number.isNaN(y) ? y : x),
  Max: (x, y) => (x <= y || Number.isNaN(y) ? y : x),
  Equal: (x, y) => x === y,
  Less: (x, y) => x < y,
  LessOrEqual: (x, y) => x <= y,
  Greater: (x, y) => x > y,
  GreaterOrEqual: (x, y) => x >= y,
  And: (x, y) => isTrue(x) && isTrue(y),
  Or: (x, y) => isTrue(x) || isTrue(y),
  Xor: (x, y) => isTrue(x) !== isTrue(y),
};

/** Pairs of elements in turn; what comes of them is of the left one's type, booleans are integers. */
function eachPair(node: ModelNode, a: Tensor, b: Tensor, how: OfTwo, budget: FoldingBudget): Tensor {
  const dims = broadcastDims(node.name, a.dims, b.dims);
  budget.take(node, dims);
  const results: (number | boolean)[] = [];
  // numbers or bigints, which TypeScript does not follow
  const [left, right] = [a.data, b.data] as unknown as [Record<number, number>, Record<number, number>];
  const places: number[] = [];
  eachPlace(dims, broadcastStrides(a.dims, dims), 0, (_, at) => places.push(at));
  eachPlace(dims, broadcastStrides(b.dims, dims), 0, (i, at) => results.push(how(left[places[i]!]!, right[at]!)));
  const out = emptyLike(typeof results[0] === 'boolean' ? { type: 'int64' } : a, dims);
  const to = out.data as unknown as Record<number, number | bigint>;
  results.forEach((result, i) => {
    to[i] = typeof result === 'boolean' ? BigInt(result) : result;
  });
  return out;
}

function ofMany(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const all = inputs.map((_, i) => input(node, inputs, i));
  checkTypes(node, all);
  const [first, ...rest] = all as [Tensor, ...Tensor[]];
  const whole = rest.reduce((left, right) => eachPair(node, left, right, OF_TWO[node.op]!, budget), first);
  if (node.op !== 'Mean' || whole.type !== 'float32') return whole;
  return { ...whole, data: whole.data.map((sum) => sum / all.length) };
}

function ofExactlyTwo(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  input(node, inputs, 1);
  return ofMany(node, inputs, budget);
}

/** With the sign of the divisor, as Python has it; with fmod that of the dividend, as C has it. */
function remainder(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const [a, b] = [input(node, inputs, 0), input(node, inputs, 1)];
  const fmod = readFlag(node, 'fmod');
  checkTypes(node, [a, b]);
  if (!fmod && a.type === 'float32') unsupported(node, 'of floats with fmod 0 has no mapping');
  const zero = b.type === 'int64' && b.data.includes(0n);
  if (zero) throw new ModelError(`${node.name}: remainder of a division by zero`);
  const how = (x: number, y: number) => {
    const rest = x % y;
    return fmod || !isTrue(rest) || rest < 0 === y < 0 ? rest : rest + y;
  };
  return eachPair(node, a, b, how, budget);
}

/** Of the base's type. Integers go through doubles, as onnxruntime's do, but for the powers that it multiplies. */
function power(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const [base, exponent] = [input(node, inputs, 0), input(node, inputs, 1)];
  const floats: Tensor = { type: 'float32', dims: exponent.dims, data: Float32Array.from(toNumbers(exponent)) };
  if (base.type === 'float32') return eachPair(node, base, floats, (x, y) => x ** y, budget);
  const squares = floats.data.length === 1 && (floats.data[0] === 2 || floats.data[0] === 3);
  const how = (x: number, y: number) => {
    if (squares) return y === 2 ? x * x : x * x * x;
    const result = Number(x) ** y;
    if (Math.abs(result) < 2 ** 63) return BigInt(Math.trunc(result)) as unknown as number;
    throw new ModelError(`${node.name}: Pow of ${x} to ${y} is not defined`);
  };
  return eachPair(node, base, floats, how, budget);
}

function where(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const [condition, a, b] = [input(node, inputs, 0), input(node, inputs, 1), input(node, inputs, 2)];
  checkTypes(node, [a, b]);
  const dims = [a, b].reduce<Dims>((all, each) => broadcastDims(node.name, all, each.dims), condition.dims);
  budget.take(node, dims);
  const out = emptyLike(a, dims);
  const to = out.data as unknown as Record<number, number>;
  const from = (tensor: Tensor, chosen: (at: number) => boolean) => {
    const data = tensor.data as unknown as Record<number, number>;
    eachPlace(dims, broadcastStrides(tensor.dims, dims), 0, (i, at) => {
      if (chosen(i)) to[i] = data[at]!;
    });
  };
  const chosen: boolean[] = [];
  eachPlace(dims, broadcastStrides(condition.dims, dims), 0, (_, at) => chosen.push(Boolean(condition.data[at])));
  from(a, (i) => chosen[i]!);
  from(b, (i) => !chosen[i]);
  return out;
}

export const ELEMENTWISE_FOLDS: Readonly<Record<string, Fold>> = {
  ...{ Exp: ofOne, Log: ofOne, Sqrt: ofOne, Sin: ofOne, Cos: ofOne },
  ...{ Abs: ofOne, Neg: ofOne, Sign: ofOne, Reciprocal: ofOne, Round: ofOne, Not: ofOne },
  ...{ Sum: ofMany, Mean: ofMany, Min: ofMany, Max: ofMany },
  ...{ Equal: ofExactlyTwo, Less: ofExactlyTwo, LessOrEqual: ofExactlyTwo },
  ...{ Greater: ofExactlyTwo, GreaterOrEqual: ofExactlyTwo },
  ...{ And: ofExactlyTwo, Or: ofExactlyTwo, Xor: ofExactlyTwo },
  Mod: remainder,
  Pow: power,
  Where: where,
};
