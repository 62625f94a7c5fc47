import type { Activation } from '../../../src/kernels/activation.ts';
import { clip, leakyRelu, type Ref, type RefInput, relu, sigmoid, toRef } from '../../support/reference-ops.ts';

export function referenceActivation(x: RefInput, activation: Activation): Ref {
  switch (activation.kind) {
    case 'none':
      return toRef(x);
    case 'relu':
      return relu(x);
    case 'leakyRelu':
      return leakyRelu(x, activation.slope);
    case 'clip':
      return clip(x, activation.low, activation.high);
    case 'sigmoid':
      return sigmoid(x);
    default:
      return activation satisfies never;
  }
}
