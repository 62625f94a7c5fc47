import { ModelError } from '../../../common/errors.ts';
import { sizeOf } from '../../../common/tensor.ts';
import {
  type ElementwiseFunction,
  type ElementwiseSpec,
  elementwisePlain,
  elementwise as kernel,
} from '../../../kernels/general/elementwise.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { asDims4, layoutSpec } from '../../shapes.ts';
import type { Draft, NodeBase, Operator } from '../operator.ts';

/** A function of every element. */
export interface ElementwiseNode extends NodeBase, ElementwiseSpec {
  readonly op: 'Elementwise';
}

/** Of a function that has no numbers of its own, or has these. */
export function elementwiseDraft(name: ElementwiseFunction, alpha = 0, beta = 0): Draft<ElementwiseNode> {
  return { op: 'Elementwise', function: name, alpha, beta };
}

function gelu(node: ModelNode): Draft<ElementwiseNode> {
  const approximate = node.attributes.string('approximate', 'none');
  if (approximate !== 'none' && approximate !== 'tanh') {
    throw new ModelError(`${node.name}: expected approximate of none or tanh, got ${approximate}`);
  }
  return elementwiseDraft(approximate === 'tanh' ? 'geluTanh' : 'gelu');
}

export const elementwise: Operator<ElementwiseNode> = {
  onnx: {
    Exp: () => elementwiseDraft('exp'),
    Log: () => elementwiseDraft('log'),
    Sqrt: () => elementwiseDraft('sqrt'),
    Abs: () => elementwiseDraft('abs'),
    Neg: () => elementwiseDraft('neg'),
    Reciprocal: () => elementwiseDraft('reciprocal'),
    Floor: () => elementwiseDraft('floor'),
    Ceil: () => elementwiseDraft('ceil'),
    Round: () => elementwiseDraft('round'),
    Sign: () => elementwiseDraft('sign'),
    Erf: () => elementwiseDraft('erf'),
    Gelu: gelu,
    HardSwish: () => elementwiseDraft('hardSwish'),
    HardSigmoid: ({ attributes }) =>
      elementwiseDraft('hardSigmoid', attributes.float('alpha', 0.2), attributes.float('beta', 0.5)),
    Elu: ({ attributes }) => elementwiseDraft('elu', attributes.float('alpha', 1), 1),
    Selu: ({ attributes }) =>
      elementwiseDraft(
        'elu',
        attributes.float('alpha', 1.6732632423543772),
        attributes.float('gamma', 1.0507009873554805),
      ),
    Softplus: () => elementwiseDraft('softplus'),
    Softsign: () => elementwiseDraft('softsign'),
    Mish: () => elementwiseDraft('mish'),
    Sin: () => elementwiseDraft('sin'),
    Cos: () => elementwiseDraft('cos'),
    Not: () => elementwiseDraft('not'),
  },
  inferDims: (node, dimsOf) => dimsOf(node.inputs[0]!),
  describe: (node) => [node.function, ...[node.alpha, node.beta].filter((value) => value !== 0).map(String)],
  images: 'apart',
  lower(node, to) {
    const dims = to.dims(node.output);
    const packed = to.isPacked(node.inputs[0]!);
    const dispatch = packed ? kernel(node, layoutSpec(asDims4(node.name, dims))) : elementwisePlain(node, sizeOf(dims));
    to.emitNode(node, dispatch, packed ? 'packed' : 'plain');
  },
};
