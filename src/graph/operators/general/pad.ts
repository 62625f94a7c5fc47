import { ModelError } from '../../../common/errors.ts';
import { type Dims, formatDims, sizeOf } from '../../../common/tensor.ts';
import { pad as kernel, PAD_MODES, type PadMode, type PadSpec, padImage } from '../../../kernels/general/pad.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { broadcastDims, checkExtents, normalizeAxis } from '../../shapes.ts';
import { constantInput, constantScalar, readIntegers, unsupported } from '../onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from '../operator.ts';
import type { ReshapeNode } from '../reshape.ts';
import { splitLengths } from './split.ts';

/** A tensor with more or fewer elements at its ends: also Expand and Tile, which repeat it, and Split, which cuts it. */
export interface PadNode extends NodeBase, Pick<PadSpec, 'pads' | 'mode' | 'value'> {
  readonly op: 'Pad';
}

/** The most that an axis grows by: sums of pads and sides stay integers of 32 bits. */
const MAX_PAD = 2 ** 28;

/** As many dimensions as there are pads for, by leading ones. */
function aligned(dims: Dims, { pads }: Pick<PadNode, 'pads'>): Dims {
  const missing = Math.max(0, pads.length / 2 - dims.length);
  return [...new Array<number>(missing).fill(1), ...dims];
}

/** Pads of every axis: an attribute up to opset 10, an input since, of some axes since 18. */
export function readPadding(node: ModelNode, rank: number, numbers: (index: number) => number[] | null): number[] {
  const given = numbers(1) ?? [...node.attributes.ints('pads')];
  const axes = numbers(3)?.map((axis) => normalizeAxis(node.name, axis, rank)) ?? null;
  const count = axes?.length ?? rank;
  if (given.length !== 2 * count) {
    throw new ModelError(`${node.name}: expected ${2 * count} pads for ${count} axes, got ${given.length}`);
  }
  if (axes && new Set(axes).size !== count) throw new ModelError(`${node.name}: axes ${axes} repeat`);
  const far = given.find((value) => Math.abs(value) > MAX_PAD);
  if (far !== undefined) throw new ModelError(`${node.name}: expected pads of at most ${MAX_PAD}, got ${far}`);
  const pads = new Array<number>(2 * rank).fill(0);
  for (let i = 0; i < count; i++) {
    const axis = axes?.[i] ?? i;
    pads[axis] = given[i]!;
    pads[rank + axis] = given[count + i]!;
  }
  return pads;
}

export function readPadMode(node: ModelNode): PadMode {
  const mode = node.attributes.string('mode', 'constant') as PadMode;
  return PAD_MODES.includes(mode) ? mode : unsupported(node, `with mode ${mode} has no mapping`);
}

/** The output's dimensions. @throws ModelError where nothing is left to pad, or too little to mirror */
export function paddedDims(who: string, { pads, mode }: Pick<PadSpec, 'pads' | 'mode'>, dims: Dims): Dims {
  const rank = dims.length;
  const kept = dims.map((dim, i) => dim + Math.min(0, pads[i]!) + Math.min(0, pads[rank + i]!));
  const wanting = dims.findIndex((_, i) => {
    const least = mode === 'reflect' ? 1 + Math.max(pads[i]!, pads[rank + i]!) : 1;
    return kept[i]! < Math.max(1, least);
  });
  if (wanting >= 0) {
    const [before, behind] = [pads[wanting], pads[rank + wanting]];
    throw new ModelError(
      `${who}: axis ${wanting} of ${formatDims(dims)} is too short for ${mode} pads ${before}, ${behind}`,
    );
  }
  return dims.map((dim, i) => dim + pads[i]! + pads[rank + i]!);
}

function draft(x: Dims, dims: Dims, node: Omit<PadNode, keyof NodeBase>): Draft<PadNode | ReshapeNode> {
  return sizeOf(dims) === sizeOf(x) && node.pads.every((pad) => pad === 0)
    ? { op: 'Reshape', dims }
    : { op: 'Pad', ...node };
}

function translatePad(node: ModelNode, context: TranslateContext): Draft<PadNode | ReshapeNode> {
  const x = context.dims(node.inputs[0]!);
  const numbers = (index: number) =>
    node.inputs[index] ? readIntegers(node.name, constantInput(node, context, index, 'pads'), 'pads', 16) : null;
  const value = node.inputs[2]
    ? constantScalar(node, context, 2, 'a constant_value')
    : node.attributes.float('value', 0);
  return draft(x, x, { pads: readPadding(node, x.length, numbers), mode: readPadMode(node), value });
}

/** Pads behind a tensor that make it one of these dimensions. */
export function padsBehind(own: Dims, dims: Dims): number[] {
  return [...dims.map(() => 0), ...dims.map((dim, i) => dim - own[i]!)];
}

function expand(node: ModelNode, context: TranslateContext): Draft<PadNode | ReshapeNode> {
  const x = context.dims(node.inputs[0]!);
  const shape = readIntegers(node.name, constantInput(node, context, 1, 'a shape'), 'dimensions');
  const dims = checkExtents(node.name, broadcastDims(node.name, x, shape), x);
  const own = aligned(x, { pads: [...dims, ...dims] });
  return draft(x, dims, { pads: padsBehind(own, dims), mode: 'edge', value: 0 });
}

function tile(node: ModelNode, context: TranslateContext): Draft<PadNode | ReshapeNode> {
  const x = context.dims(node.inputs[0]!);
  const repeats = readIntegers(node.name, constantInput(node, context, 1, 'repeats'), 'repeats');
  const dims = tiledDims(node.name, x, repeats);
  return draft(x, dims, { pads: padsBehind(x, dims), mode: 'wrap', value: 0 });
}

/** @throws ModelError for another number of repeats than of dimensions */
export function tiledDims(who: string, x: Dims, repeats: readonly number[]): Dims {
  if (repeats.length !== x.length) {
    throw new ModelError(`${who}: expected ${x.length} repeats, got ${repeats.length}`);
  }
  return checkExtents(
    who,
    x.map((dim, i) => dim * repeats[i]!),
    x,
  );
}

function split(node: ModelNode, context: TranslateContext): Draft<PadNode | ReshapeNode>[] {
  const x = context.dims(node.inputs[0]!);
  const given = node.inputs[1] ? constantInput(node, context, 1, 'lengths') : undefined;
  const { axis, lengths } = splitLengths(node, x, given);
  let start = 0;
  return lengths.map((length) => {
    const pads = [...x, ...x].map(() => 0);
    pads[axis] = -start || 0;
    start += length;
    pads[x.length + axis] = start - x[axis]!;
    return draft(x, x, { pads, mode: 'constant', value: 0 });
  });
}

function lower(node: PadNode, to: LowerContext): void {
  const [input] = node.inputs as [string];
  const x = to.dims(input);
  const spec = { ...node, dims: aligned(x, node) };
  const packed = x.length === 4 && spec.dims.length === 4 && to.isPacked(input);
  to.emitNode(node, packed ? padImage(spec) : kernel(spec), packed ? 'packed' : 'plain');
}

export const pad: Operator<PadNode> = {
  onnx: { Pad: translatePad, Expand: expand, Tile: tile, Split: split },
  inferDims: (node, dimsOf) => paddedDims(node.name, node, aligned(dimsOf(node.inputs[0]!), node)),
  describe: (node) => [`${node.mode} ${node.pads}`],
  images: {
    apart({ inputs, pads }, dimsOf) {
      const rank = dimsOf(inputs[0]!).length;
      return pads.length === 2 * rank && pads[0] === 0 && pads[rank] === 0;
    },
    deepen(node, _, dimsOf) {
      const rank = dimsOf(node.inputs[0]!).length;
      if (node.pads.length !== 2 * rank) return undefined;
      return { ...node, pads: [0, ...node.pads.slice(0, rank), 0, ...node.pads.slice(rank)] };
    },
  },
  lower,
};
