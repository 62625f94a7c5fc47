import { ModelError } from '../../common/errors.ts';
import { type Dims, sizeOf, toNumbers } from '../../common/tensor.ts';
import {
  type CoordinateMode,
  resize as kernel,
  type NearestMode,
  packResizeTable,
  type ResizeMode,
  resizeAxis,
} from '../../kernels/tensor/resize.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, checkExtents, MAX_SIDE, normalizeAxis, type Pair } from '../shapes.ts';
import { constantInput, unsupported } from './onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from './operator.ts';

export interface ResizeNode extends NodeBase {
  readonly op: 'Resize';
  readonly mode: ResizeMode;
  /** Of height and width, as the file gives them or output / input. */
  readonly scales: Pair;
  readonly size: Pair;
}

const COORDINATE_MODES: readonly string[] = ['asymmetric', 'half_pixel', 'pytorch_half_pixel', 'align_corners'];
const NEAREST_MODES: readonly string[] = ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'];

function readMode(node: ModelNode, opset: number): ResizeMode {
  const { attributes } = node;
  const mode = attributes.string('mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') unsupported(node, `with mode ${mode} has no mapping`);
  if (node.op === 'Upsample' || opset < 11) return { mode, coordinates: 'asymmetric', nearest: 'simple' };
  const coordinates = attributes.string('coordinate_transformation_mode', 'half_pixel');
  const nearest = attributes.string('nearest_mode', 'round_prefer_floor');
  attributes.float('cubic_coeff_a', -0.75);
  attributes.float('extrapolation_value', 0);
  if (attributes.int('exclude_outside', 0) !== 0) unsupported(node, 'with exclude_outside has no mapping');
  if (attributes.int('antialias', 0) !== 0) unsupported(node, 'with antialias has no mapping');
  if (!COORDINATE_MODES.includes(coordinates)) {
    unsupported(node, `with coordinate_transformation_mode ${coordinates} has no mapping`);
  }
  if (!NEAREST_MODES.includes(nearest)) unsupported(node, `with nearest_mode ${nearest} has no mapping`);
  return { mode, coordinates: coordinates as CoordinateMode, nearest: nearest as NearestMode };
}

const POLICIES: readonly string[] = ['stretch', 'not_larger', 'not_smaller'];

function readPolicy(node: ModelNode): string {
  const policy = node.attributes.string('keep_aspect_ratio_policy', 'stretch');
  return POLICIES.includes(policy)
    ? policy
    : unsupported(node, `with keep_aspect_ratio_policy ${policy} has no mapping`);
}

/** Sizes as the policy has them, and the scale that they have in common; null where each has its own. */
function applyPolicy(policy: string, x: Dims, axes: readonly number[], sizes: readonly number[]) {
  if (policy === 'stretch') return { sizes, scale: null };
  const scales = axes.map((axis, i) => Math.fround(sizes[i]! / x[axis]!));
  const scale = policy === 'not_larger' ? Math.min(...scales) : Math.max(...scales);
  return { sizes: axes.map((axis) => Math.round(Math.fround(scale * x[axis]!))), scale };
}

function translate(node: ModelNode, context: TranslateContext): Draft<ResizeNode> {
  const x = asDims4(node.name, context.dims(node.inputs[0]!));
  const [n, c, h, w] = x;
  const { attributes } = node;
  // some of them since opset 18
  const axes = attributes.ints('axes', [0, 1, 2, 3]).map((axis) => normalizeAxis(node.name, axis, 4));
  if (new Set(axes).size !== axes.length) throw new ModelError(`${node.name}: axes ${axes} repeat`);
  const spread = (values: readonly number[], rest: readonly number[]) =>
    rest.map((value, axis) => values[axes.indexOf(axis)] ?? value);
  const optional = (index: number, what: string) => {
    if (!node.inputs[index]) return undefined;
    const tensor = constantInput(node, context, index, what);
    const count = sizeOf(tensor.dims);
    if (count === 0) return undefined;
    if (count !== axes.length) throw new ModelError(`${node.name}: expected ${axes.length} ${what}, got ${count}`);
    return toNumbers(tensor);
  };
  const opset11 = node.op === 'Resize' && context.opset >= 11;
  // up to opset 8 Upsample had its scales in an attribute
  const attribute = attributes.has('scales') ? attributes.floats('scales') : undefined;
  const scales = attribute ?? optional(opset11 ? 2 : 1, 'scales');
  const asked = opset11 ? optional(3, 'sizes') : undefined;
  const some = asked ?? scales;
  if (some?.length !== axes.length) {
    const count = axes.length;
    throw new ModelError(`${node.name}: expected ${count} scales or ${count} sizes, got ${some?.length ?? 'none'}`);
  }
  // which is for sizes alone
  const policy = readPolicy(node);
  const kept = asked ? applyPolicy(policy, x, axes, asked) : null;
  const sizes = kept && spread(kept.sizes, x);
  const given = sizes ?? spread(some, [1, 1, 1, 1]);
  // even where the scaled number rounds to the same one, onnxruntime mixes neighbours
  if (!sizes && !(given[0] === 1 && given[1] === 1)) {
    unsupported(node, `by ${given[0]} along the batch and ${given[1]} along the channels has no mapping`);
  }
  // in float32, as onnxruntime does it: 10 × 0.7 is 7 there, and less in float64
  const wanted = sizes ?? given.map((scale, i) => Math.floor(Math.fround([n, c, h, w][i]! * scale)));
  // a size that was baked for one image holds for each image of a batch
  const batchFits = wanted[0] === n || (wanted[0] === 1 && context.batch === n);
  if (!batchFits || wanted[1] !== c) unsupported(node, `from ${n}×${c} to ${wanted[0]}×${wanted[1]} has no mapping`);
  if (wanted[0] !== n) context.spreadBatch();
  const size: Pair = [wanted[2]!, wanted[3]!];
  if (size.some((side) => side > MAX_SIDE)) {
    throw new ModelError(`${node.name}: expected sides of at most ${MAX_SIDE} pixels, got ${size.join('×')}`);
  }
  const ratio = (axis: number, own: number) => (axes.includes(axis) ? (kept?.scale ?? own) : 1);
  return {
    op: 'Resize',
    mode: readMode(node, context.opset),
    scales: sizes ? [ratio(2, size[0] / h), ratio(3, size[1] / w)] : [given[2]!, given[3]!],
    size,
  };
}

function lower(node: ResizeNode, to: LowerContext): void {
  const [batch, channels, inHeight, inWidth] = asDims4(node.name, to.dims(node.inputs[0]!));
  const [outHeight, outWidth] = node.size;
  const table = to.constant(`${node.output}@table ${inHeight}×${inWidth} → ${outHeight}×${outWidth}`, () =>
    packResizeTable(
      resizeAxis(inHeight, outHeight, node.scales[0], node.mode),
      resizeAxis(inWidth, outWidth, node.scales[1], node.mode),
    ),
  );
  to.emitNode(node, kernel({ batch, channels, inHeight, inWidth, outHeight, outWidth }), 'packed', [table]);
}

export const resize: Operator<ResizeNode> = {
  onnx: { Resize: translate, Upsample: translate },
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    const [n, c] = asDims4(node.name, x);
    return checkExtents(node.name, [n, c, ...node.size], x);
  },
  describe: (node) => [node.mode.mode, node.mode.coordinates],
  images: 'apart',
  lower,
};
