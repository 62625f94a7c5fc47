import { ModelError } from '../../../common/errors.ts';
import { type Dims, formatDims, sizeOf } from '../../../common/tensor.ts';
import { type Activation, describeActivation, NO_ACTIVATION } from '../../../kernels/activation.ts';
import { isFewRows, type MatMulSpec, matmulRows, matmulTile, packColumns } from '../../../kernels/general/matmul.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { broadcastDims } from '../../shapes.ts';
import { readFlag } from '../onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator } from '../operator.ts';

/** activation(alpha · A B + beta · bias): MatMul, and Gemm, whose inputs are matrices. Inputs: A, B and maybe the bias, constant or not. */
export interface MatMulNode extends NodeBase {
  readonly op: 'MatMul';
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly activation: Activation;
}

function operands(node: ModelNode): readonly [string, string] {
  const [a, b] = node.inputs;
  if (!a || !b) throw new ModelError(`${node.name}: ${node.op} expects two inputs, got ${a || b ? 'one' : 'none'}`);
  return [a, b];
}

function matmulDraft(node: ModelNode): Draft<MatMulNode> {
  const plain = { transA: false, transB: false, alpha: 1, beta: 1, activation: NO_ACTIVATION } as const;
  return { op: 'MatMul', inputs: operands(node), ...plain };
}

function gemmDraft(node: ModelNode, dimsOf: (value: string) => Dims): Draft<MatMulNode> {
  const { attributes } = node;
  const both = operands(node);
  const other = both.map(dimsOf).find(({ length }) => length !== 2);
  if (other) throw new ModelError(`${node.name}: Gemm expects matrices, got ${formatDims(other)}`);
  return {
    op: 'MatMul',
    inputs: node.inputs[2] ? [...both, node.inputs[2]] : both,
    transA: readFlag(node, 'transA'),
    transB: readFlag(node, 'transB'),
    alpha: attributes.float('alpha', 1),
    beta: attributes.float('beta', 1),
    activation: NO_ACTIVATION,
  };
}

/** What kernels need to know of a node, and the shape of its result. @throws ModelError where the inputs do not fit together */
function specOf(node: MatMulNode, dimsOf: (value: string) => Dims): { spec: MatMulSpec; dims: Dims } {
  const [a, b, bias] = node.inputs.map(dimsOf) as [Dims, Dims, Dims?];
  const fail = (): never => {
    throw new ModelError(`${node.name}: cannot multiply ${formatDims(a)} by ${formatDims(b)}`);
  };
  if (a.length === 0 || b.length === 0) return fail();
  // a vector is a row on the left and a column on the right, which the result then lacks
  const left = a.length === 1 ? [1, a[0]!] : a;
  const right = b.length === 1 ? [b[0]!, 1] : b;
  const [aFirst, aSecond] = left.slice(-2) as [number, number];
  const [bFirst, bSecond] = right.slice(-2) as [number, number];
  const [rows, inner] = node.transA ? [aSecond, aFirst] : [aFirst, aSecond];
  const [bInner, columns] = node.transB ? [bSecond, bFirst] : [bFirst, bSecond];
  if (inner !== bInner) return fail();
  const [aBatch, bBatch] = [left.slice(0, -2), right.slice(0, -2)];
  const batch = broadcastDims(node.name, aBatch, bBatch);
  const dims = [...batch, ...(a.length === 1 ? [] : [rows]), ...(b.length === 1 ? [] : [columns])];
  const biasMatrix = bias && ([1, 1, ...bias].slice(-2) as [number, number]);
  const fits = (size: number, whole: number) => size === whole || size === 1;
  if (
    biasMatrix &&
    (sizeOf(biasMatrix) !== sizeOf(bias) || !fits(biasMatrix[0], rows) || !fits(biasMatrix[1], columns))
  ) {
    throw new ModelError(`${node.name}: expected a bias for ${rows}×${columns}, got ${formatDims(bias)}`);
  }
  const { transA, transB, alpha, beta, activation } = node;
  const matrices = { rows, columns, inner, transA, transB, batch, aBatch, bBatch };
  return { spec: { ...matrices, bias: biasMatrix ?? null, alpha, beta, activation }, dims };
}

/** Matrices of a batch that meet the same one on the right are one of more rows. */
function joinRows(spec: MatMulSpec): MatMulSpec {
  const joins = sizeOf(spec.bBatch) === 1 && !spec.transA && (spec.bias?.[0] ?? 1) === 1;
  return joins ? { ...spec, rows: sizeOf(spec.batch) * spec.rows, batch: [], aBatch: [], bBatch: [] } : spec;
}

function lower(node: MatMulNode, to: LowerContext): void {
  const spec = joinRows(specOf(node, (value) => to.dims(value)).spec);
  const [a, b, bias] = node.inputs as [string, string, string?];
  const left = to.read(a, 'plain');
  const few = to.isConstant(b) && isFewRows(spec, to.traits);
  const right = few
    ? to.constant(`${b}@columns${spec.transB ? '' : ' transposed'}`, () => packColumns(to.constantOf(b).data, spec))
    : to.read(b, 'plain');
  const dispatch = few ? matmulRows(spec) : matmulTile(spec);
  // without a bias the binding is never read
  const third = bias === undefined ? right : to.read(bias, 'plain');
  to.emit(node.name, dispatch, [left, right, third, to.define(node.output, 'plain')]);
}

export const matmul: Operator<MatMulNode> = {
  onnx: {
    MatMul: matmulDraft,
    Gemm: (node, context) => gemmDraft(node, (value) => context.dims(value)),
  },
  inferDims: (node, dimsOf) => specOf(node, dimsOf).dims,
  describe: (node) => [
    ...(node.transA ? ['transA'] : []),
    ...(node.transB ? ['transB'] : []),
    ...(node.alpha === 1 ? [] : [`alpha ${node.alpha}`]),
    ...(node.beta === 1 ? [] : [`beta ${node.beta}`]),
    ...(node.activation.kind === 'none' ? [] : [describeActivation(node.activation)]),
  ],
  images: {
    keepsConstants: true,
    // rows of the first operand, or matrices of both
    apart({ inputs, output, transA }, dimsOf, isConstant) {
      const out = dimsOf(output);
      return inputs.every((input, i) => {
        const dims = dimsOf(input);
        const isMatrix = i === 1 && dims.length < 3;
        if (isConstant(input)) return i > 0 && (isMatrix || dims.length < out.length || dims[0] === 1);
        return !isMatrix && !transA && dims.length === out.length && dims[0] === out[0];
      });
    },
    deepen: () => undefined,
  },
  lower,
};
