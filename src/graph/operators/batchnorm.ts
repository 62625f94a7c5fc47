import { ModelError } from '../../common/errors.ts';
import { formatDims, sizeOf } from '../../common/tensor.ts';
import { floatBytes, padWithZeros } from '../../kernels/nc4hw4.ts';
import { batchNormAffine, batchNorm as kernel, packAffine } from '../../kernels/tensor/batchnorm.ts';
import { binaryStrided } from '../../kernels/tensor/binary.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, checkChannels, layoutSpec } from '../shapes.ts';
import { onlyOutput, unsupported, weightName } from './onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from './operator.ts';

export interface BatchNormNode extends NodeBase {
  readonly op: 'BatchNorm';
  /** Constants `[channels]`: gamma, beta, mean, variance. */
  readonly gamma: string;
  readonly beta: string;
  readonly mean: string;
  readonly variance: string;
  readonly epsilon: number;
}

function translate(node: ModelNode, context: TranslateContext): Draft<BatchNormNode> {
  const { attributes } = node;
  onlyOutput(node);
  attributes.float('momentum', 0.9);
  if (attributes.int('training_mode', 0) !== 0) unsupported(node, 'in training mode has no mapping');
  if (attributes.int('spatial', 1) !== 1) unsupported(node, 'with spatial 0 has no mapping');
  return {
    op: 'BatchNorm',
    gamma: weightName(node, context, 1, 'a scale'),
    beta: weightName(node, context, 2, 'a shift'),
    mean: weightName(node, context, 3, 'a mean'),
    variance: weightName(node, context, 4, 'a variance'),
    epsilon: attributes.float('epsilon', 1e-5),
  };
}

function affineOf({ gamma, beta, mean, variance, epsilon }: BatchNormNode, to: LowerContext) {
  const data = (name: string) => to.constantOf(name).data;
  return batchNormAffine(data(gamma), data(beta), data(mean), data(variance), epsilon);
}

/** Of what is no image, in two launches: behind dense layers, which take it over where they can. */
function lowerPlain(node: BatchNormNode, to: LowerContext): void {
  const dims = to.dims(node.output);
  const perChannel = [dims[1]!, ...dims.slice(2).map(() => 1)];
  const padded = (values: Float32Array) => padWithZeros(values, floatBytes(values.length) / 4);
  const scale = to.constant(`${node.output}@scale`, () => padded(affineOf(node, to).scale));
  const shift = to.constant(`${node.output}@shift`, () => padded(affineOf(node, to).shift));
  const scaled = to.scratch(floatBytes(sizeOf(dims)));
  const x = to.read(node.inputs[0]!, 'plain');
  to.emit(node.name, binaryStrided('mul', dims, perChannel, dims), [x, scale, scaled]);
  to.emit(node.name, binaryStrided('add', dims, perChannel, dims), [scaled, shift, to.define(node.output, 'plain')]);
}

function lower(node: BatchNormNode, to: LowerContext): void {
  if (to.dims(node.output).length !== 4) return lowerPlain(node, to);
  const affine = to.constant(`${node.output}@affine`, () => {
    const { scale, shift } = affineOf(node, to);
    return packAffine(scale, shift);
  });
  const dispatch = kernel(layoutSpec(asDims4(node.name, to.dims(node.output))));
  to.emitNode(node, dispatch, 'packed', [affine]);
}

export const batchNorm: Operator<BatchNormNode> = {
  onnx: { BatchNormalization: translate },
  constants: (node) => [node.gamma, node.beta, node.mean, node.variance],
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    if (x.length < 2) throw new ModelError(`${node.name}: expected 2 or more dimensions, got ${formatDims(x)}`);
    return checkChannels(node.name, x, [node.gamma, node.beta, node.mean, node.variance].map(dimsOf));
  },
  images: 'apart',
  lower,
};
