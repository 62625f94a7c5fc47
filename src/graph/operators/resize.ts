import { ModelError } from '../../common/errors.ts';
import { sizeOf, toNumbers } from '../../common/tensor.ts';
import {
  type CoordinateMode,
  resize as kernel,
  type NearestMode,
  packResizeTable,
  type ResizeMode,
  resizeAxis,
} from '../../kernels/tensor/resize.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, checkExtents, MAX_SIDE, type Pair } from '../shapes.ts';
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
  const policy = attributes.string('keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') unsupported(node, `with keep_aspect_ratio_policy ${policy} has no mapping`);
  if (attributes.has('axes')) unsupported(node, 'with axes has no mapping');
  if (!COORDINATE_MODES.includes(coordinates)) {
    unsupported(node, `with coordinate_transformation_mode ${coordinates} has no mapping`);
  }
  if (!NEAREST_MODES.includes(nearest)) unsupported(node, `with nearest_mode ${nearest} has no mapping`);
  return { mode, coordinates: coordinates as CoordinateMode, nearest: nearest as NearestMode };
}

function translate(node: ModelNode, context: TranslateContext): Draft<ResizeNode> {
  const [n, c, h, w] = asDims4(node.name, context.dims(node.inputs[0]!));
  const optional = (index: number, what: string) => {
    if (!node.inputs[index]) return undefined;
    const tensor = constantInput(node, context, index, what);
    const count = sizeOf(tensor.dims);
    if (count === 0) return undefined;
    if (count !== 4) throw new ModelError(`${node.name}: expected 4 ${what}, got ${count}`);
    return toNumbers(tensor);
  };
  const opset11 = node.op === 'Resize' && context.opset >= 11;
  // up to opset 8 Upsample had its scales in an attribute
  const attribute = node.attributes.has('scales') ? node.attributes.floats('scales') : undefined;
  const scales = attribute ?? optional(opset11 ? 2 : 1, 'scales');
  const sizes = opset11 ? optional(3, 'sizes') : undefined;
  const given = sizes ?? scales;
  if (given?.length !== 4) {
    throw new ModelError(`${node.name}: expected 4 scales or 4 sizes, got ${given?.length ?? 'none'}`);
  }
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
  return {
    op: 'Resize',
    mode: readMode(node, context.opset),
    scales: sizes ? [size[0] / h, size[1] / w] : [given[2]!, given[3]!],
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
  lower,
};
