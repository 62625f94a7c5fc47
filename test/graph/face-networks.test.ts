// Networks that people bring along, from their public descriptions, with random weights and small inputs.
import { describe, expect, it } from 'vitest';
import { floatTensor, formatDims, intTensor, sizeOf, type Tensor } from '../../src/common/tensor.ts';
import { createNetwork } from '../../src/index.node.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel, float, int, ints, type NodeSpec } from '../support/onnx-builder.ts';
import { runOrt } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';

type Attributes = NonNullable<NodeSpec['attributes']>;

interface ConvOptions {
  readonly kernel: number | readonly [number, number];
  readonly stride?: number;
  readonly pad?: number;
  readonly group?: number;
}

/** Nodes and random weights, layer by layer; what a method gives is the name of its value. */
class NetworkBuilder {
  readonly nodes: NodeSpec[] = [];
  readonly initializers: Record<string, Tensor> = {};
  readonly #rng = createRng(1);

  constant(tensor: Tensor): string {
    const name = `c${Object.keys(this.initializers).length}`;
    this.initializers[name] = tensor;
    return name;
  }

  weights(dims: readonly number[], low: number, high: number): string {
    return this.constant(floatTensor(dims, this.#rng.floats(sizeOf(dims), low, high)));
  }

  add(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = `v${this.nodes.length}`;
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  conv(x: string, inputs: number, outputs: number, { kernel, stride = 1, pad = 0, group = 1 }: ConvOptions): string {
    const window = typeof kernel === 'number' ? ([kernel, kernel] as const) : kernel;
    const limit = Math.sqrt((3 * group) / (inputs * window[0] * window[1]));
    return this.add('Conv', [x, this.weights([outputs, inputs / group, ...window], -limit, limit)], {
      strides: ints([stride, stride]),
      pads: ints([pad, pad, pad, pad]),
      group: int(group),
    });
  }

  batchNorm(x: string, channels: number): string {
    const [low, high] = [this.weights([channels], -0.5, 0.5), () => this.weights([channels], 0.5, 1.5)];
    return this.add('BatchNormalization', [x, high(), low, low, high()], { epsilon: float(1e-5) });
  }

  prelu(x: string, channels: number): string {
    return this.add('PRelu', [x, this.weights([channels, 1, 1], 0, 0.5)]);
  }

  /** A convolution, its normalisation and its activation. */
  block(x: string, inputs: number, outputs: number, options: ConvOptions): string {
    return this.prelu(this.batchNorm(this.conv(x, inputs, outputs, options), outputs), outputs);
  }

  /** A bottleneck: pointwise, depthwise, and pointwise without activation; with a shortcut where shapes allow it. */
  bottleneck(x: string, inputs: number, outputs: number, stride: number): string {
    const wide = inputs * 2;
    const first = this.block(x, inputs, wide, { kernel: 1 });
    const second = this.block(first, wide, wide, { kernel: 3, pad: 1, stride, group: wide });
    const third = this.batchNorm(this.conv(second, wide, outputs, { kernel: 1 }), outputs);
    return stride === 1 && inputs === outputs ? this.add('Add', [x, third]) : third;
  }

  /** As PyTorch exports `x.view(x.size(0), -1)`. */
  flattenByShape(x: string): string {
    const batch = this.add('Gather', [this.add('Shape', [x]), this.constant(intTensor([], [0]))]);
    const axes = { axes: ints([0]) };
    const rest = this.add('Unsqueeze', [this.constant(intTensor([], [-1]))], axes);
    return this.add('Reshape', [x, this.add('Concat', [this.add('Unsqueeze', [batch], axes), rest], { axis: int(0) })]);
  }

  dense(x: string, inputs: number, outputs: number, bias: boolean): string {
    const limit = Math.sqrt(3 / inputs);
    const weight = this.weights([outputs, inputs], -limit, limit);
    const inputsOf = bias ? [x, weight, this.weights([outputs], -0.5, 0.5)] : [x, weight];
    return this.add('Gemm', inputsOf, { transB: int(1) });
  }

  model(output: string): Uint8Array<ArrayBuffer> {
    return buildModel({
      inputs: [{ name: 'x', dims: ['n', 3, SIDE, SIDE] }],
      outputs: [output],
      nodes: this.nodes,
      initializers: this.initializers,
    });
  }
}

const SIDE = 32;

async function expectAsOnnxruntime(bytes: Uint8Array<ArrayBuffer>, batch: number): Promise<void> {
  const dims = [batch, 3, SIDE, SIDE] as const;
  const data = createRng(batch).floats(sizeOf(dims));
  const { device } = await openGpu();
  const expected = await runOrt(bytes, { x: { dims, data } });
  await using network = await createNetwork(bytes, { inputShape: dims, device });
  const actual = await network.run(data);
  for (const [name, tensor] of Object.entries(expected)) {
    expect(formatDims(actual[name]!.dims)).toBe(formatDims(tensor.dims));
    expectClose(actual[name]!.data, tensor.data, { abs: 1e-4, rel: 1e-4, reason: 'float32 sums in another order' });
  }
}

/** Landmarks: features of three levels, pooled, side by side, before the dense layer. */
function pfld(): Uint8Array<ArrayBuffer> {
  const net = new NetworkBuilder();
  const relu = (x: string, inputs: number, outputs: number, options: ConvOptions) =>
    net.add('Relu', [net.batchNorm(net.conv(x, inputs, outputs, options), outputs)]);
  const stem = relu(relu('x', 3, 16, { kernel: 3, stride: 2, pad: 1 }), 16, 16, { kernel: 3, pad: 1, group: 16 });
  const fine = net.bottleneck(net.bottleneck(stem, 16, 16, 2), 16, 16, 1);
  const middle = relu(fine, 16, 32, { kernel: 3, stride: 2, pad: 1 });
  const coarse = net.add('Relu', [net.conv(middle, 32, 64, { kernel: 4 })]);
  const pool = (x: string, side: number) =>
    net.add('AveragePool', [x], { kernel_shape: ints([side, side]), strides: ints([side, side]) });
  const levels = [pool(fine, 8), pool(middle, 4), coarse].map((level) => net.flattenByShape(level));
  return net.model(net.dense(net.add('Concat', levels, { axis: int(1) }), 112, 196, true));
}

/** Recognition: a depthwise convolution of the whole image, a dense layer, and an embedding of length 1. */
function mobileFaceNet(): Uint8Array<ArrayBuffer> {
  const net = new NetworkBuilder();
  const stem = net.block('x', 3, 16, { kernel: 3, stride: 2, pad: 1 });
  const depthwise = net.block(stem, 16, 16, { kernel: 3, pad: 1, group: 16 });
  const body = net.bottleneck(net.bottleneck(net.bottleneck(depthwise, 16, 24, 2), 24, 24, 1), 24, 32, 2);
  const wide = net.block(body, 32, 64, { kernel: 1 });
  const whole = net.batchNorm(net.conv(wide, 64, 64, { kernel: 4, group: 64 }), 64);
  const embedding = net.batchNorm(net.dense(net.flattenByShape(whole), 64, 128, false), 128);
  const length = net.add('ReduceL2', [embedding], { axes: ints([1]), keepdims: int(1) });
  return net.model(net.add('Div', [embedding, length]));
}

/** Anti-spoofing: dense layers without bias, a normalisation between them. */
function miniFasNet(): Uint8Array<ArrayBuffer> {
  const net = new NetworkBuilder();
  const stem = net.block('x', 3, 16, { kernel: 3, stride: 2, pad: 1 });
  const body = net.bottleneck(net.bottleneck(net.bottleneck(stem, 16, 24, 2), 24, 24, 1), 24, 32, 2);
  const wide = net.block(body, 32, 64, { kernel: 1 });
  const whole = net.batchNorm(net.conv(wide, 64, 64, { kernel: [4, 4], group: 64 }), 64);
  const features = net.dense(net.add('Flatten', [whole]), 64, 32, false);
  const dropped = net.add('Dropout', [net.batchNorm(features, 32)]);
  return net.model(net.add('Softmax', [net.dense(dropped, 32, 3, false)], { axis: int(1) }));
}

describe('agree with onnxruntime', () => {
  it.each([
    ['PFLD', pfld],
    ['MobileFaceNet', mobileFaceNet],
    ['MiniFASNet', miniFasNet],
  ])('%s', async (_, make) => {
    const bytes = make();
    for (const batch of [1, 2]) await expectAsOnnxruntime(bytes, batch);
  });
});
