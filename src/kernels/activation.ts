/** An elementwise function that a kernel applies to its result before storing it. */
export type Activation =
  | { readonly kind: 'none' }
  | { readonly kind: 'relu' }
  | { readonly kind: 'leakyRelu'; readonly slope: number }
  | { readonly kind: 'clip'; readonly low: number; readonly high: number }
  | { readonly kind: 'sigmoid' };

export const NO_ACTIVATION: Activation = { kind: 'none' };

const LARGEST = 3.4028234663852886e38;

/** What `activation.wgsl` takes: sigmoid?(limit(x < 0 ? slope·x : x, low, high)). */
interface ActivationParams {
  readonly sigmoid: 0 | 1;
  /** slope, low, high. */
  readonly floats: readonly [number, number, number];
}

export function activationParams(activation: Activation): ActivationParams {
  switch (activation.kind) {
    case 'none':
      return { sigmoid: 0, floats: [1, -Infinity, Infinity] };
    case 'relu':
      return { sigmoid: 0, floats: [1, 0, Infinity] };
    case 'leakyRelu':
      return { sigmoid: 0, floats: [activation.slope, -Infinity, Infinity] };
    case 'clip':
      // without a bound onnxruntime takes the largest number
      return { sigmoid: 0, floats: [1, Math.max(activation.low, -LARGEST), Math.min(activation.high, LARGEST)] };
    case 'sigmoid':
      return { sigmoid: 1, floats: [1, -Infinity, Infinity] };
    default:
      return activation satisfies never;
  }
}

/** An activation in words, for `printGraph`. */
export function describeActivation(activation: Activation): string {
  switch (activation.kind) {
    case 'leakyRelu':
      return `leakyRelu(${activation.slope})`;
    case 'clip':
      return `clip(${activation.low}, ${activation.high})`;
    default:
      return activation.kind;
  }
}
