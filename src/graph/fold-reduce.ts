// Reductions of constants. Integers are exact and wrap at 64 bits; floats are summed in float64 and rounded once.
import { ModelError } from '../common/errors.ts';
import { type Dims, sizeOf, type Tensor } from '../common/tensor.ts';
import { broadcastStrides } from '../kernels/tensor/binary.ts';
import type { ModelNode } from '../loader/model.ts';
import { eachPlace, type Fold, type FoldingBudget, type Inputs, input } from './fold-constants.ts';
import { reducedAxes, reducedDims } from './operators/general/reduce.ts';
import { readFlag } from './operators/onnx.ts';
import { readAxes } from './operators/reshape.ts';
import { normalizeAxis } from './shapes.ts';

/** What a number of floats become. */
const OF_FLOATS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ReduceSum: sum,
  ReduceMean: (values) => sum(values) / values.length,
  ReduceMax: (values) => values.reduce((a, b) => (b > a ? b : a)),
  ReduceMin: (values) => values.reduce((a, b) => (b < a ? b : a)),
  ReduceProd: (values) => values.reduce((whole, x) => whole * x, 1),
  ReduceL1: (values) => sum(values.map(Math.abs)),
  ReduceL2: (values) => Math.sqrt(sum(values.map((x) => x * x))),
  ReduceSumSquare: (values) => sum(values.map((x) => x * x)),
};

function sum(values: readonly number[]): number {
  return values.reduce((whole, x) => whole + x, 0);
}

/** What a number of integers become. */
const OF_INTEGERS: Readonly<Record<string, (values: readonly bigint[]) => bigint>> = {
  ReduceSum: (values) => values.reduce((whole, x) => whole + x, 0n),
  // as C++ divides
  ReduceMean: (values) =>
    BigInt.asIntN(
      64,
      values.reduce((whole, x) => whole + x, 0n),
    ) / BigInt(values.length),
  ReduceMax: (values) => values.reduce((a, b) => (a > b ? a : b)),
  ReduceMin: (values) => values.reduce((a, b) => (a < b ? a : b)),
  ReduceProd: (values) => values.reduce((whole, x) => whole * x, 1n),
};

/** The elements that become one, for each result. */
function gather<T>(data: ArrayLike<T>, dims: Dims, kept: Dims): T[][] {
  const groups = Array.from({ length: sizeOf(kept) }, (): T[] => []);
  eachPlace(dims, broadcastStrides(kept, dims), 0, (i, at) => groups[at]!.push(data[i]!));
  return groups;
}

function reduce(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const x = input(node, inputs, 0);
  const axes = reducedAxes(node, x.dims.length, readAxes(node, inputs[1]));
  const dims = reducedDims(x.dims, axes, readFlag(node, 'keepdims', 1));
  const kept = reducedDims(x.dims, axes, true);
  budget.take(node, x.dims);
  if (x.type === 'float32') {
    return { type: 'float32', dims, data: Float32Array.from(gather(x.data, x.dims, kept), OF_FLOATS[node.op]!) };
  }
  const ofIntegers = OF_INTEGERS[node.op];
  if (!ofIntegers) throw new ModelError(`${node.name}: ${node.op} expects floats, got integers`);
  return { type: 'int64', dims, data: BigInt64Array.from(gather(x.data, x.dims, kept), ofIntegers) };
}

function argExtreme(node: ModelNode, inputs: Inputs, budget: FoldingBudget): Tensor {
  const x = input(node, inputs, 0);
  const axis = normalizeAxis(node.name, node.attributes.int('axis', 0), x.dims.length);
  const dims = reducedDims(x.dims, [axis], readFlag(node, 'keepdims', 1));
  const last = readFlag(node, 'select_last_index');
  budget.take(node, x.dims);
  const beyond = (a: number | bigint, b: number | bigint) => (node.op === 'ArgMax' ? a > b : a < b);
  const where = (values: readonly (number | bigint)[]) =>
    values.reduce<number>((best, value, i) => {
      const better = beyond(value, values[best]!) || (last && value === values[best]);
      return better ? i : best;
    }, 0);
  const groups = gather<number | bigint>(x.data, x.dims, reducedDims(x.dims, [axis], true));
  return { type: 'int64', dims, data: BigInt64Array.from(groups, (values) => BigInt(where(values))) };
}

export const REDUCE_FOLDS: Readonly<Record<string, Fold>> = {
  ...{ ReduceSum: reduce, ReduceMean: reduce, ReduceMax: reduce, ReduceMin: reduce },
  ...{ ReduceProd: reduce, ReduceL1: reduce, ReduceL2: reduce, ReduceSumSquare: reduce },
  ...{ ArgMax: argExtreme, ArgMin: argExtreme },
};
