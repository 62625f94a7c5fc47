import { ModelError } from '../../common/errors.ts';
import { type Dims, formatDims, sizeOf } from '../../common/tensor.ts';
import { type Activation, describeActivation, NO_ACTIVATION } from '../../kernels/activation.ts';
import type { ConvOperand } from '../../kernels/conv/method.ts';
import { type ConvSpec, packChannels } from '../../kernels/conv/spec.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, checkExtents, type Pads, type Pair, windowCount } from '../shapes.ts';
import { readPads, readPair, unsupported, weightName } from './onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, Source, TranslateContext } from './operator.ts';

export interface ConvNode extends NodeBase {
  readonly op: 'Conv';
  /** Constants: `[out, in / group, kh, kw]` and `[out]`. */
  readonly weight: string;
  readonly bias: string | null;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly group: number;
  /** 0: none; s: `inputs[1]`, s times smaller than the output, is added before the activation. */
  readonly residualUpsample: number;
  readonly activation: Activation;
}

/** The weights of a convolution of images, and its kernel. @throws UnsupportedOpError for other than two dimensions */
export function readWeights(node: ModelNode, context: TranslateContext) {
  const weight = weightName(node, context, 1, 'weights');
  const weightDims = context.dims(weight);
  const x = context.dims(node.inputs[0]!);
  if (x.length !== 4 || weightDims.length !== 4) {
    unsupported(
      node,
      `of ${formatDims(x)} with weights ${formatDims(weightDims)} has no mapping, only two dimensions do`,
    );
  }
  return { weight, weightDims, x, kernel: readPair(node, 'kernel_shape', [weightDims[2]!, weightDims[3]!]) };
}

function translate(node: ModelNode, context: TranslateContext): Draft<ConvNode> {
  const { attributes } = node;
  const { weight, x, kernel } = readWeights(node, context);
  const strides = readPair(node, 'strides', [1, 1]);
  const dilations = readPair(node, 'dilations', [1, 1]);
  return {
    op: 'Conv',
    weight,
    bias: node.inputs[2] ? weightName(node, context, 2, 'a bias') : null,
    kernel,
    strides,
    dilations,
    pads: readPads(node, x, kernel, strides, dilations),
    group: attributes.int('group', 1),
    residualUpsample: 0,
    activation: NO_ACTIVATION,
  };
}

function inferDims(node: ConvNode, dimsOf: (value: string) => Dims): Dims {
  const x = dimsOf(node.inputs[0]!);
  const [n, c, h, w] = asDims4(node.name, x);
  const [out, perGroup, kh, kw] = asDims4(`${node.name}: weight`, dimsOf(node.weight));
  if (perGroup * node.group !== c) {
    throw new ModelError(`${node.name}: weight expects ${perGroup * node.group} input channels, got ${c}`);
  }
  if (out % node.group !== 0) {
    throw new ModelError(`${node.name}: expected output channels in multiples of ${node.group} groups, got ${out}`);
  }
  if (kh !== node.kernel[0] || kw !== node.kernel[1]) {
    throw new ModelError(`${node.name}: kernel_shape ${node.kernel} does not match the weight's ${kh},${kw}`);
  }
  if (node.bias !== null && sizeOf(dimsOf(node.bias)) !== out) {
    throw new ModelError(`${node.name}: bias expects ${out} elements, got ${sizeOf(dimsOf(node.bias))}`);
  }
  const [top, left, bottom, right] = node.pads;
  const oh = windowCount(h, kh, node.strides[0], node.dilations[0], top + bottom);
  const ow = windowCount(w, kw, node.strides[1], node.dilations[1], left + right);
  return checkExtents(node.name, [n, out, oh, ow], x);
}

/** What kernels need to know of a node. */
export function specOf(node: ConvNode, dimsOf: (value: string) => Dims): ConvSpec {
  const [batch, inChannels, inHeight, inWidth] = asDims4(node.name, dimsOf(node.inputs[0]!));
  const [, outChannels, outHeight, outWidth] = asDims4(node.name, dimsOf(node.output));
  return {
    ...{ batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth },
    kernel: node.kernel,
    strides: node.strides,
    dilations: node.dilations,
    pads: [node.pads[0], node.pads[1]],
    group: node.group,
    activation: node.activation,
    upsample: node.residualUpsample,
  };
}

/** A node's bias, zeros where it has none. */
export function biasOf(
  { bias }: Pick<ConvNode, 'bias'>,
  channels: number,
  to: LowerContext,
): Extract<Source, { kind: 'constant' }> {
  return bias === null
    ? to.constant(`zeros ${channels}`, () => packChannels(undefined, channels))
    : to.constant(`${bias}@channels`, () => packChannels(to.constantOf(bias).data, channels));
}

function lower(node: ConvNode, to: LowerContext): void {
  const [input, residual] = node.inputs as [string, string?];
  const spec = specOf(node, (value) => to.dims(value));
  const { outChannels } = spec;
  const { launches, weightOrder } = to.planConv(spec);
  const { data } = to.constantOf(node.weight);
  const weights = to.constant(`${node.weight}@${weightOrder.name}`, () => weightOrder.pack(data, spec));
  const bias = biasOf(node, outChannels, to);
  const zeros = () => biasOf({ bias: null }, outChannels, to);
  const known = new Map<ConvOperand, Source>([
    ['input', to.read(input, 'packed')],
    ['bias', bias],
    // without a residual the binding is never read
    ['residual', residual === undefined ? bias : to.read(residual, 'packed')],
    ['output', to.define(node.output, 'packed')],
  ]);
  for (const { dispatch, operands, weightsRange, resize } of launches) {
    const bound = operands.map((operand, i): Source => {
      if (operand === 'weights') return { ...weights, range: weightsRange };
      const source = known.get(operand) ?? (operand === 'zeros' ? zeros() : to.scratch(dispatch.bindingBytes[i]!));
      known.set(operand, source);
      return source;
    });
    to.emit(node.name, dispatch, bound, resize);
  }
}

export const conv: Operator<ConvNode> = {
  onnx: { Conv: translate },
  constants: (node) => (node.bias === null ? [node.weight] : [node.weight, node.bias]),
  inferDims,
  describe: (node) => [
    `${node.kernel.join('×')} /${node.strides} pad ${node.pads}`,
    ...(node.dilations.some((d) => d !== 1) ? [`dilation ${node.dilations}`] : []),
    ...(node.group > 1 ? [`group ${node.group}`] : []),
    ...(node.residualUpsample > 0 ? [`residual ×${node.residualUpsample}`] : []),
    ...(node.activation.kind === 'none' ? [] : [describeActivation(node.activation)]),
  ],
  images: 'apart',
  lower,
};
