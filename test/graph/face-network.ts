import { type Dims, floatTensor, intTensor, sizeOf, type Tensor } from '../../src/common/tensor.ts';
import { buildModel, int, ints, type NodeSpec } from '../support/onnx-builder.ts';
import { createRng } from '../support/rng.ts';

type Attributes = NonNullable<NodeSpec['attributes']>;

interface ConvOptions {
  readonly stride?: number;
  readonly dilation?: number;
  /** Those of a window of its size that keep the image's, unless given: top, left, bottom, right. */
  readonly pads?: readonly number[];
  readonly depthwise?: boolean;
  /** Whether a batch normalisation follows. */
  readonly norm?: boolean;
}

/** Writes networks by layers, with random weights that keep numbers near 1. */
export class FaceNetwork {
  readonly #rng;
  readonly #nodes: NodeSpec[] = [];
  readonly #constants: Record<string, Tensor> = {};
  /** Channels of the images that convolutions made. */
  readonly #channels = new Map<string, number>();

  constructor(seed: number) {
    this.#rng = createRng(seed);
  }

  /** One node. @returns the name of its output */
  node(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = `${op}_${this.#nodes.length}`;
    this.#nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  add(tensor: Tensor): string {
    const name = `constant_${Object.keys(this.#constants).length}`;
    this.#constants[name] = tensor;
    return name;
  }

  ints(...values: number[]): string {
    return this.add(intTensor([values.length], values));
  }

  number(value: number): string {
    return this.add(floatTensor([], [value]));
  }

  floats(dims: Dims, low: number, high: number): string {
    return this.add(floatTensor(dims, this.#rng.floats(sizeOf(dims), low, high)));
  }

  /** Says how many channels a value has that no convolution made. */
  image(value: string, channels: number): string {
    this.#channels.set(value, channels);
    return value;
  }

  conv(x: string, out: number, side: number, options: ConvOptions = {}): string {
    const { stride = 1, dilation = 1, depthwise = false, norm = false } = options;
    const channels = this.#channels.get(x)!;
    const perGroup = depthwise ? 1 : channels;
    const limit = Math.sqrt(3 / (perGroup * side * side));
    const half = Math.floor(side / 2) * dilation;
    const inputs = [x, this.floats([out, perGroup, side, side], -limit, limit)];
    if (!norm) inputs.push(this.floats([out], -0.2, 0.2));
    const conv = this.node('Conv', inputs, {
      kernel_shape: ints([side, side]),
      strides: ints([stride, stride]),
      dilations: ints([dilation, dilation]),
      pads: ints(options.pads ?? [half, half, half, half]),
      group: int(depthwise ? channels : 1),
    });
    const scales = [
      [0.7, 1.4],
      [-0.2, 0.2],
      [-0.2, 0.2],
      [0.7, 1.4],
    ] as const;
    const affine = scales.map(([low, high]) => norm && this.floats([out], low, high)).filter((name) => name !== false);
    return this.image(norm ? this.node('BatchNormalization', [conv, ...affine]) : conv, out);
  }

  relu(x: string): string {
    return this.image(this.node('Relu', [x]), this.#channels.get(x)!);
  }

  channelsOf(x: string): number {
    return this.#channels.get(x)!;
  }

  build(input: { readonly dims: readonly (number | string)[] }, outputs: readonly string[], opset = 11) {
    return buildModel({
      opset,
      inputs: [{ name: 'x', ...input }],
      outputs,
      nodes: this.#nodes,
      initializers: this.#constants,
    });
  }
}
