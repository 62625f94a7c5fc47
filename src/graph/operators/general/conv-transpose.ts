import { ModelError } from '../../../common/errors.ts';
import { type Dims, sizeOf } from '../../../common/tensor.ts';
import {
  type ConvTransposeSpec,
  convTranspose as kernel,
  packTransposedWeights,
} from '../../../kernels/general/conv-transpose.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { asDims4, checkExtents, type Pair } from '../../shapes.ts';
import { biasOf, readWeights } from '../conv.ts';
import { readPair, unsupported, weightName } from '../onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from '../operator.ts';

export interface ConvTransposeNode extends NodeBase {
  readonly op: 'ConvTranspose';
  /** Constants: `[in, out / group, kh, kw]` and `[out]`. */
  readonly weight: string;
  readonly bias: string | null;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** Top, left. */
  readonly pads: Pair;
  /** Of the output. */
  readonly size: Pair;
  readonly group: number;
}

/** What one axis loses at its start, and its length, by the rules of onnxruntime. */
function readAxis(node: ModelNode, axis: 0 | 1, full: number, upscaled: number): { start: number; size: number } {
  const { attributes } = node;
  const auto = attributes.string('auto_pad', 'NOTSET');
  const shape = attributes.ints('output_shape', []).slice(-2);
  const pads = attributes.ints('pads', [0, 0, 0, 0]);
  const size = shape[axis] ?? (auto.startsWith('SAME_') ? upscaled : undefined);
  if (size === undefined) {
    if (auto === 'VALID') return { start: 0, size: full };
    return { start: pads[axis]!, size: full - pads[axis]! - pads[axis + 2]! };
  }
  const cut = Math.max(0, full - size);
  const start = auto === 'SAME_UPPER' ? Math.floor(cut / 2) : Math.ceil(cut / 2);
  // what is longer than all that there is ends with bias alone
  return { start, size: shape.length > 0 ? size : full - cut };
}

function translate(node: ModelNode, context: TranslateContext): Draft<ConvTransposeNode> {
  const { attributes } = node;
  const { weight, weightDims, x, kernel } = readWeights(node, context);
  if (kernel[0] !== weightDims[2] || kernel[1] !== weightDims[3]) {
    throw new ModelError(`${node.name}: kernel_shape ${kernel} does not match the weight's ${weightDims.slice(2)}`);
  }
  const strides = readPair(node, 'strides', [1, 1]);
  const dilations = readPair(node, 'dilations', [1, 1]);
  const extra = attributes.ints('output_padding', [0, 0]);
  const auto = attributes.string('auto_pad', 'NOTSET');
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(auto)) {
    unsupported(node, `with auto_pad ${auto} has no mapping`);
  }
  for (const name of ['pads', 'output_padding', 'output_shape']) {
    const values = attributes.ints(name, []);
    if (values.some((value) => value < 0 || value > 2 ** 28)) {
      throw new ModelError(`${node.name}: expected ${name} from 0 to 2^28, got ${values}`);
    }
  }
  if (attributes.ints('pads', [0, 0, 0, 0]).length !== 4 || extra.length !== 2) {
    unsupported(node, 'with pads of other than two dimensions has no mapping');
  }
  const [top, left] = ([0, 1] as const).map((axis) => {
    const side = x[axis + 2]!;
    const full = (side - 1) * strides[axis] + extra[axis]! + (kernel[axis] - 1) * dilations[axis] + 1;
    return readAxis(node, axis, full, side * strides[axis]);
  }) as [ReturnType<typeof readAxis>, ReturnType<typeof readAxis>];
  return {
    op: 'ConvTranspose',
    weight,
    bias: node.inputs[2] ? weightName(node, context, 2, 'a bias') : null,
    strides,
    dilations,
    pads: [top.start, left.start],
    size: [top.size, left.size],
    group: attributes.int('group', 1),
  };
}

function inferDims(node: ConvTransposeNode, dimsOf: (value: string) => Dims): Dims {
  const x = dimsOf(node.inputs[0]!);
  const [n, c] = asDims4(node.name, x);
  const [inChannels, perGroup] = asDims4(`${node.name}: weight`, dimsOf(node.weight));
  if (inChannels !== c) throw new ModelError(`${node.name}: weight expects ${inChannels} input channels, got ${c}`);
  if (node.group < 1 || c % node.group !== 0) {
    throw new ModelError(`${node.name}: expected input channels in multiples of ${node.group} groups, got ${c}`);
  }
  const out = perGroup * node.group;
  if (node.bias !== null && sizeOf(dimsOf(node.bias)) !== out) {
    throw new ModelError(`${node.name}: bias expects ${out} elements, got ${sizeOf(dimsOf(node.bias))}`);
  }
  return checkExtents(node.name, [n, out, ...node.size], x);
}

function specOf(node: ConvTransposeNode, to: LowerContext): ConvTransposeSpec {
  const [batch, inChannels, inHeight, inWidth] = asDims4(node.name, to.dims(node.inputs[0]!));
  const [, outChannels, outHeight, outWidth] = asDims4(node.name, to.dims(node.output));
  const [, , kh, kw] = asDims4(node.name, to.dims(node.weight));
  const { strides, dilations, pads, group } = node;
  return {
    ...{ batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth },
    ...{ kernel: [kh, kw], strides, dilations, pads, group },
  };
}

export const convTranspose: Operator<ConvTransposeNode> = {
  onnx: { ConvTranspose: translate },
  constants: (node) => (node.bias === null ? [node.weight] : [node.weight, node.bias]),
  inferDims,
  describe: ({ strides, pads, group }) => [`/${strides} pad ${pads}`, ...(group > 1 ? [`group ${group}`] : [])],
  images: 'apart',
  lower(node, to) {
    const { weight } = node;
    const spec = specOf(node, to);
    const weights = to.constant(`${weight}@transposed ${spec.group}`, () =>
      packTransposedWeights(to.constantOf(weight).data, spec),
    );
    to.emitNode(node, kernel(spec), 'packed', [weights, biasOf(node, spec.outChannels, to)]);
  },
};
