import { batchNormAffine, batchNorm as kernel, packAffine } from '../../kernels/tensor/batchnorm.ts';
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

function lower(node: BatchNormNode, to: LowerContext): void {
  const data = (name: string) => to.constantOf(name).data;
  const affine = to.constant(`${node.output}@affine`, () => {
    const { gamma, beta, mean, variance, epsilon } = node;
    const { scale, shift } = batchNormAffine(data(gamma), data(beta), data(mean), data(variance), epsilon);
    return packAffine(scale, shift);
  });
  const dispatch = kernel(layoutSpec(asDims4(node.name, to.dims(node.output))));
  to.emitNode(node, dispatch, 'packed', [affine]);
}

export const batchNorm: Operator<BatchNormNode> = {
  onnx: { BatchNormalization: translate },
  constants: (node) => [node.gamma, node.beta, node.mean, node.variance],
  inferDims(node, dimsOf) {
    const x = asDims4(node.name, dimsOf(node.inputs[0]!));
    return checkChannels(node.name, x, [node.gamma, node.beta, node.mean, node.variance].map(dimsOf));
  },
  lower,
};
