import { type Dims, sizeOf } from '../../common/tensor.ts';
import { type Activation, activationParams } from '../activation.ts';
import { type AdapterTraits, type Dispatch, eight, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { broadcastStrides } from '../tensor/binary.ts';
import { dispatch } from './dispatch.ts';

/** activation(alpha · A B + beta · bias), of row-major matrices and of batches of them. */
export interface MatMulSpec {
  /** Of the result: rows, columns; and the dimension that is summed over. */
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  /** Whether A is stored as inner × rows, and B as columns × inner. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** Of the result, of A and of B, broadcast as numpy does. */
  readonly batch: Dims;
  readonly aBatch: Dims;
  readonly bBatch: Dims;
  /** Rows and columns of the bias, each that of the result or 1; null without one. */
  readonly bias: readonly [rows: number, columns: number] | null;
  readonly alpha: number;
  readonly beta: number;
  readonly activation: Activation;
}

/** Rows that `matmulRows` takes at most: each has sums of its own in registers, of which software rasterisers have few. */
const MOST_ROWS = { hardware: 16, software: 4 } as const;

/** Whether weights are better read once for all rows than a tile at a time: the dense layers behind a backbone. */
export function isFewRows(
  { rows, inner, transA, batch, bBatch }: MatMulSpec,
  { software }: Pick<AdapterTraits, 'software'>,
): boolean {
  const all = rows * sizeOf(batch);
  const most = software ? MOST_ROWS.software : MOST_ROWS.hardware;
  return all <= most && inner % 4 === 0 && sizeOf(bBatch) === 1 && (!transA || rows === 1);
}

function matmulParams(spec: MatMulSpec): Uint8Array<ArrayBuffer> {
  const { rows, columns, inner, transA, transB, batch, bias } = spec;
  const { sigmoid, floats } = activationParams(spec.activation);
  const strides = (dims: Dims, size: number) =>
    eight(
      broadcastStrides(dims, batch).map((stride) => stride * size),
      0,
    );
  return packParams(
    [
      ...[rows, columns, inner],
      ...(transA ? [1, rows] : [inner, 1]),
      ...(transB ? [1, inner] : [columns, 1]),
      ...biasStrides(bias),
      ...[sigmoid, 0, 0],
      ...eight(batch, 1),
      ...strides(spec.aBatch, rows * inner),
      ...strides(spec.bBatch, inner * columns),
    ],
    [spec.alpha, bias ? spec.beta : 0, ...floats],
  );
}

function biasStrides(bias: MatMulSpec['bias']): [number, number] {
  if (!bias) return [0, 0];
  return [bias[0] === 1 ? 0 : bias[1], bias[1] === 1 ? 0 : 1];
}

function biasBytes({ bias }: MatMulSpec): number {
  return floatBytes(bias ? bias[0] * bias[1] : 1);
}

function flopsOf({ rows, columns, inner, batch }: MatMulSpec): number {
  return 2 * sizeOf(batch) * rows * columns * inner;
}

/** Depth of a tile along the inner dimension. */
const DEPTH = 16;

/** Of any matrices. Bindings: A, B, bias, output; without a bias anything takes its place. */
export function matmulTile(spec: MatMulSpec): Dispatch {
  const { rows, columns, inner, batch, aBatch, bBatch } = spec;
  // larger tiles read less often, as long as there are enough of them
  const side = Math.min(rows, columns) >= 128 ? 16 : 8;
  return dispatch('matmul-tile', {
    consts: { SIDE: side, DEPTH, VECTORS: side * DEPTH },
    params: matmulParams(spec),
    bindingBytes: [
      floatBytes(sizeOf(aBatch) * rows * inner),
      floatBytes(sizeOf(bBatch) * inner * columns),
      biasBytes(spec),
      floatBytes(sizeOf(batch) * rows * columns),
    ],
    workgroups: [Math.ceil(columns / (side * 4)), Math.ceil(rows / (side * 4)), sizeOf(batch)],
    flops: flopsOf(spec),
  });
}

/** Invocations that share a column: each has some vectors of it to read. */
function lanesOf(vectors: number): number {
  let lanes = 4;
  while (lanes < 256 && lanes * 4 <= vectors) lanes *= 2;
  return lanes;
}

/** Where `isFewRows`; weights as `packColumns` gives them. Bindings: A, weights, bias, output; without a bias anything takes its place. */
export function matmulRows(spec: MatMulSpec): Dispatch {
  const { columns, inner } = spec;
  // the rows of a batch follow one another
  const rows = spec.rows * sizeOf(spec.batch);
  const lanes = lanesOf(inner / 4);
  const workgroup = Math.max(lanes, 64);
  return dispatch('matmul-rows', {
    consts: { ROWS: rows, WORKGROUP: workgroup, LANES: lanes, PARTIALS: rows * workgroup },
    params: matmulParams(spec),
    bindingBytes: [floatBytes(rows * inner), floatBytes(inner * columns), biasBytes(spec), floatBytes(rows * columns)],
    workgroups: [Math.ceil(columns / (workgroup / lanes)), 1, 1],
    flops: flopsOf(spec),
  });
}

/** B as `matmulRows` reads it: column after column. */
export function packColumns(
  b: Float32Array<ArrayBuffer>,
  { inner, columns, transB }: MatMulSpec,
): Float32Array<ArrayBuffer> {
  if (transB) return b;
  const packed = new Float32Array(b.length);
  for (let k = 0; k < inner; k++) {
    for (let column = 0; column < columns; column++) packed[column * inner + k] = b[k * columns + column]!;
  }
  return packed;
}
