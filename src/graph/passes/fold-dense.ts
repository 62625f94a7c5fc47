import { type Dims, type FloatTensor, floatTensor, sizeOf } from '../../common/tensor.ts';
import { batchNormAffine } from '../../kernels/tensor/batchnorm.ts';
import { constantOf, dimsOf, type Graph } from '../ir.ts';
import type { MatMulNode } from '../operators/general/matmul.ts';
import type { Node } from '../operators/index.ts';
import { type Absorbed, absorb, derivedName } from './absorb.ts';
import { affineOf } from './fold-affine.ts';
import type { ChannelAffine } from './scale-channels.ts';

/** Whether a constant holds one value, or one a column. */
function isPerColumn(dims: Dims, columns: number): boolean {
  return sizeOf(dims) === 1 || (dims.at(-1) === columns && sizeOf(dims) === columns);
}

/** What a node does to each column of its one input that is no constant; null where it does something else. */
function columnAffine(graph: Graph, node: Node): { readonly input: string; readonly affine: ChannelAffine } | null {
  const out = dimsOf(graph, node.output);
  const data = (name: string) => constantOf(graph, name).data;
  if (node.op === 'BatchNorm' && out.length === 2) {
    const { gamma, beta, mean, variance, epsilon } = node;
    const { scale, shift } = batchNormAffine(data(gamma), data(beta), data(mean), data(variance), epsilon);
    return { input: node.inputs[0]!, affine: { scale: (c) => scale[c]!, shift: (c) => shift[c]! } };
  }
  if (node.op !== 'Binary') return null;
  const [first, second] = node.inputs as [string, string];
  const commutes = node.operation === 'add' || node.operation === 'mul';
  const [input, other] = graph.constants.has(first) && commutes ? [second, first] : [first, second];
  const constant = graph.constants.get(other);
  if (!constant || constant.dims.length > out.length || !isPerColumn(constant.dims, out.at(-1) ?? 1)) return null;
  const affine = affineOf(node.operation, (c) => constant.data[constant.data.length === 1 ? 0 : c]!);
  return affine && { input, affine };
}

/** Moves a scale and shift of each column into constant weights and bias. */
function scaleColumns(graph: Graph, matmul: MatMulNode, affine: ChannelAffine, output: string): Absorbed | null {
  const [a, b, bias] = matmul.inputs as [string, string, string?];
  const weight = graph.constants.get(b);
  const own = bias === undefined ? undefined : graph.constants.get(bias);
  if (weight?.dims.length !== 2 || (bias !== undefined && !own)) return null;
  const [rows, perRow] = weight.dims as [number, number];
  const columns = matmul.transB ? rows : perRow;
  if (own && !isPerColumn(own.dims, columns)) return null;
  const each = Array.from({ length: columns }, (_, c) => c);
  const before = (c: number) => (own ? matmul.beta * own.data[own.data.length === 1 ? 0 : c]! : 0);
  const constants: Record<string, FloatTensor> = {
    [derivedName(output, 'bias')]: floatTensor(
      [columns],
      each.map((c) => before(c) * affine.scale(c) + affine.shift(c)),
    ),
  };
  const scales = each.some((c) => affine.scale(c) !== 1);
  if (scales) {
    const column = (i: number) => (matmul.transB ? Math.floor(i / perRow) : i % perRow);
    constants[derivedName(output, 'weight')] = floatTensor(
      weight.dims,
      weight.data.map((value, i) => value * affine.scale(column(i))),
    );
  }
  const inputs = [a, scales ? derivedName(output, 'weight') : b, derivedName(output, 'bias')];
  return { node: { ...matmul, inputs, beta: 1, output }, replaces: [matmul], constants };
}

/** MatMul → BatchNorm, or Add, Sub, Mul or Div by a constant scalar or row, becomes one node: dense layers, and what PyTorch exports them as. */
export function foldDense(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer, current) => {
    const found = columnAffine(current, node);
    const matmul = found && soleProducer(found.input);
    if (matmul?.op !== 'MatMul' || matmul.activation.kind !== 'none') return null;
    return scaleColumns(current, matmul, found!.affine, node.output);
  });
}
