import { createRandom, type Random } from '../common/random.ts';
import { floatTensor, intTensor, type Tensor } from '../common/tensor.ts';
import type { AttributeValue } from '../loader/attributes.ts';
import { type NodeToWrite, writeModel } from '../loader/write-model.ts';
import * as cpu from './cpu-layers.ts';
import {
  type ConvLayer,
  type Heads,
  type LayerOps,
  type PoolKind,
  PUBLISHED_HEADS,
  type Purpose,
  walkLayers,
} from './layers.ts';
import { type Architecture, PRODUCER } from './published.ts';

export interface SynthesizeOptions {
  /** The same seed gives the same bytes; 0 by default. */
  readonly seed?: number;
  /** Width and height, multiples of the largest stride, 32; any size by default. */
  readonly shape?: readonly [width: number, height: number];
  /** BatchNorm as a part of the convolutions before it, as published exports have it; on by default. */
  readonly foldBatchNorm?: boolean;
  /** Other heads than the published ones: strides, anchors of a cell, points of a face. */
  readonly heads?: Partial<Heads>;
}

const OPSET = 11;
const EPSILON = 1e-5;
const HEAD_STRIDES = [8, 16, 32, 64, 128];
/** At the largest stride a dozen cells, on which statistics still mean something. */
const CALIBRATION_SIZE = [128, 96] as const;

/** Mean and deviation that a convolution's output is given on the calibration picture. */
const TARGETS: Readonly<Record<Purpose, { readonly mean: number; readonly deviation: number }>> = {
  feature: { mean: 0, deviation: 1 },
  // small beside the shortcut, so that a sum over a few blocks stays in range
  branch: { mean: 0, deviation: 0.5 },
  // logits: wide enough for scores near 0 and near 1
  score: { mean: -0.5, deviation: 3 },
  // distances in strides: all around the cell
  box: { mean: 2.5, deviation: 0.5 },
  keypoints: { mean: 0, deviation: 0.8 },
};

/**
 * The more blocks a stage adds up, the less each gives, as in trained networks: else 34G's 17 amplify the rounding of a
 * sum's order to 8e-4 of a score.
 */
function branchScale({ blocks }: Architecture): number {
  return Math.min(1, 8 / Math.max(...blocks));
}

/**
 * An ONNX file of the architecture, laid out as SCRFD's exports of 2022: operator set 11, any batch and any size
 * unless `shape` fixes it, outputs `score_8` … `[n, anchors, 1]`, `bbox_8` … and, with keypoints, `kps_8` ….
 *
 * Weights are random. Layers are scaled by what they give on a random picture, as norms are by training, so that values
 * stay in range at every depth and scores spread over (0, 1).
 * @throws RangeError for a bad seed or shape, or heads that there are none of
 */
export function synthesizeModel(architecture: Architecture, options: SynthesizeOptions = {}): Uint8Array<ArrayBuffer> {
  const { seed = 0, shape, foldBatchNorm = true } = options;
  const heads = { ...PUBLISHED_HEADS, ...options.heads };
  checkHeads(heads);
  const { strides, anchors, points } = heads;
  // the backbone goes down to 32 whatever the heads
  const multiple = Math.max(32, ...strides);
  if (shape?.some((side) => !(side > 0) || side % multiple !== 0)) {
    throw new RangeError(`shape: expected multiples of ${multiple}, got ${shape.join('x')}`);
  }
  const random = createRandom(seed);
  const writer = new GraphWriter(random, foldBatchNorm, branchScale(architecture), anchors);
  const picture = cpu.calibrationPicture(random, ...CALIBRATION_SIZE);
  walkLayers(architecture, { name: 'input.1', planes: picture }, writer, heads);
  const image = shape ? [1, 3, shape[1], shape[0]] : ['batch', 3, 'height', 'width'];
  const kinds = [['score', 1], ['bbox', 4], ...(architecture.keypoints ? [['kps', 2 * points] as const] : [])] as const;
  return writeModel({
    producer: PRODUCER,
    irVersion: 6,
    opset: OPSET,
    inputs: [{ name: 'input.1', type: 'float32', dims: image }],
    outputs: kinds.flatMap(([kind, values]) =>
      strides.map((stride) => {
        const rows = shape ? (shape[0] / stride) * (shape[1] / stride) * anchors : `anchors_${stride}`;
        return { name: `${kind}_${stride}`, type: 'float32', dims: [image[0]!, rows, values] };
      }),
    ),
    nodes: writer.nodes,
    initializers: writer.initializers,
  });
}

function checkHeads({ strides, anchors, points }: Heads): void {
  const ascending = strides.every((stride, i) => HEAD_STRIDES.includes(stride) && stride > (strides[i - 1] ?? 0));
  if (strides.length === 0 || !ascending) {
    throw new RangeError(
      `heads.strides: expected some of ${HEAD_STRIDES.join(', ')}, ascending, got ${strides.join(', ')}`,
    );
  }
  for (const [name, count] of Object.entries({ anchors, points })) {
    if (!(Number.isInteger(count) && count > 0)) {
      throw new RangeError(`heads.${name}: expected an integer of at least 1, got ${count}`);
    }
  }
}

/** A value of the file, and what it holds for the calibration picture. */
interface Value {
  readonly name: string;
  readonly planes: cpu.Planes;
}

type Attributes = Readonly<Record<string, AttributeValue>>;

const int = (value: number): AttributeValue => ({ kind: 'int', value });
const float = (value: number): AttributeValue => ({ kind: 'float', value });
const ints = (...value: number[]): AttributeValue => ({ kind: 'ints', value });
const text = (value: string): AttributeValue => ({ kind: 'string', value });

class GraphWriter implements LayerOps<Value> {
  readonly nodes: NodeToWrite[] = [];
  readonly initializers = new Map<string, Tensor>();
  readonly #random: Random;
  readonly #foldBatchNorm: boolean;
  readonly #branchScale: number;
  readonly #anchors: number;

  constructor(random: Random, foldBatchNorm: boolean, branchScale: number, anchors: number) {
    this.#random = random;
    this.#foldBatchNorm = foldBatchNorm;
    this.#branchScale = branchScale;
    this.#anchors = anchors;
  }

  conv(x: Value, layer: ConvLayer): Value {
    const { name, kernel, stride, norm } = layer;
    const learned = this.initializers.has(`${name}.weight`) ? undefined : this.#learn(x.planes, layer);
    const pad = (kernel - 1) / 2;
    const attributes = {
      dilations: ints(1, 1),
      group: int(layer.depthwise ? layer.channels : 1),
      kernel_shape: ints(kernel, kernel),
      pads: ints(pad, pad, pad, pad),
      strides: ints(stride, stride),
    };
    const bias = this.initializers.has(`${name}.bias`) ? [`${name}.bias`] : [];
    const planes = learned ?? this.#convolve(x.planes, layer);
    let out = this.#emit('Conv', [x.name, `${name}.weight`, ...bias], planes, attributes);
    if (norm === 'batch' && !this.#foldBatchNorm) out = this.#batchNorm(out, `${name}.bn`);
    if (typeof norm === 'object') out = this.#groupNorm(out, `${name}.gn`, norm.groups);
    return layer.relu ? this.#relu(out) : out;
  }

  pool(x: Value, kind: PoolKind, side: 1 | 2): Value {
    const max = kind === 'max';
    return this.#emit(max ? 'MaxPool' : 'AveragePool', [x.name], cpu.pool(x.planes, kind, side), {
      ceil_mode: int(max ? 0 : 1),
      kernel_shape: ints(side, side),
      ...(max && { pads: ints(0, 0, 0, 0) }),
      strides: ints(side, side),
    });
  }

  upsample(x: Value): Value {
    const scales = this.#constant('neck.upsample.scales', floatTensor([4], [1, 1, 2, 2]));
    const region = this.#constant('neck.upsample.roi', floatTensor([0], []));
    return this.#emit('Resize', [x.name, region, scales], cpu.upsample(x.planes), {
      coordinate_transformation_mode: text('asymmetric'),
      mode: text('nearest'),
      nearest_mode: text('floor'),
    });
  }

  add(a: Value, b: Value, relu: boolean): Value {
    const sum = this.#emit('Add', [a.name, b.name], cpu.add(a.planes, b.planes));
    return relu ? this.#relu(sum) : sum;
  }

  scale(x: Value, name: string): Value {
    const factor = floatTensor([], [this.#random.uniform(0.8, 1.2)]);
    return this.#emit('Mul', [x.name, this.#constant(name, factor)], x.planes);
  }

  output(x: Value, kind: 'score' | 'bbox' | 'kps', stride: number): void {
    const values = x.planes.channels / this.#anchors;
    const name = `${kind}_${stride}`;
    const rows = this.#emit('Transpose', [x.name], x.planes, { perm: ints(0, 2, 3, 1) });
    const shape = this.#constant(`${kind}.shape`, intTensor([3], [0, -1, values]));
    if (kind === 'score') {
      const logits = this.#emit('Reshape', [rows.name, shape], x.planes);
      this.#emit('Sigmoid', [logits.name], x.planes, {}, name);
    } else {
      this.#emit('Reshape', [rows.name, shape], x.planes, {}, name);
    }
  }

  #relu(x: Value): Value {
    return this.#emit('Relu', [x.name], cpu.relu(x.planes));
  }

  #batchNorm(x: Value, name: string): Value {
    const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
      (part) => `${name}.${part}`,
    );
    const inputs = [x.name, weight!, bias!, mean!, variance!];
    const factors = this.#floats(weight!).map((gain, i) => gain / Math.sqrt(this.#floats(variance!)[i]! + EPSILON));
    const shifts = this.#floats(bias!).map((shift, i) => shift - this.#floats(mean!)[i]! * factors[i]!);
    return this.#emit('BatchNormalization', inputs, cpu.affine(x.planes, factors, shifts), {
      epsilon: float(EPSILON),
      momentum: float(0.9),
    });
  }

  /** As PyTorch exports it: InstanceNormalization sees a group as a channel. */
  #groupNorm(x: Value, name: string, groups: number): Value {
    const { planes } = x;
    const grouped = this.#constant(`groups_${groups}.shape`, intTensor([3], [0, groups, -1]));
    const ones = this.#constant(`groups_${groups}.scale`, floatTensor([groups], new Float32Array(groups).fill(1)));
    const zeros = this.#constant(`groups_${groups}.bias`, floatTensor([groups], new Float32Array(groups)));
    const parts = this.#emit('Reshape', [x.name, grouped], planes);
    const normal = cpu.groupNorm(planes, groups, EPSILON);
    const inputs = [parts.name, ones, zeros];
    const instance = this.#emit('InstanceNormalization', inputs, normal, { epsilon: float(EPSILON) });
    const shape = this.#emit('Shape', [x.name], planes);
    const whole = this.#emit('Reshape', [instance.name, shape.name], normal);
    const ready = cpu.affine(normal, this.#floats(`${name}.weight`), this.#floats(`${name}.bias`));
    const scaled = this.#emit('Mul', [whole.name, `${name}.weight`], normal);
    return this.#emit('Add', [scaled.name, `${name}.bias`], ready);
  }

  #convolve(x: cpu.Planes, layer: ConvLayer): cpu.Planes {
    const planes = cpu.convolve(x, this.#floats(`${layer.name}.weight`), layer);
    if (!this.initializers.has(`${layer.name}.bias`)) return planes;
    return cpu.affine(planes, new Float32Array(layer.channels).fill(1), this.#floats(`${layer.name}.bias`));
  }

  /**
   * Draws a layer's weights, and has its norm or its bias turn what they give into what the layer is for.
   * @returns what the convolution with them gives
   */
  #learn(x: cpu.Planes, layer: ConvLayer): cpu.Planes {
    const { name, channels, kernel, depthwise, norm, purpose } = layer;
    const inputs = depthwise ? 1 : x.channels;
    const size = inputs * kernel ** 2;
    const limit = Math.sqrt(6 / size);
    const weights = this.#draw(channels * size, -limit, limit);
    // filters that sum to 0 pass nothing of what all channels share: else it would grow, or drown the picture
    if (!depthwise) center(weights, size);
    const planes = cpu.convolve(x, weights, layer);
    const { mean, variance } = this.#statistics(planes, purpose);
    const target = TARGETS[purpose];
    const deviation = target.deviation * (purpose === 'branch' ? this.#branchScale : 1);
    const gain = this.#draw(channels, 0.9 * deviation, 1.1 * deviation);
    const shift = this.#draw(channels, target.mean - 0.1, target.mean + 0.1);
    const set = (part: string, dims: readonly number[], data: Float32Array<ArrayBuffer>) =>
      this.initializers.set(`${name}.${part}`, { type: 'float32', dims, data });
    const weightDims = [channels, inputs, kernel, kernel];
    if (norm === 'none' || (norm === 'batch' && this.#foldBatchNorm)) {
      const factors = gain.map((value, i) => value / Math.sqrt(variance[i]! + EPSILON));
      const bias = shift.map((value, i) => value - mean[i]! * factors[i]!);
      const folded = weights.map((value, i) => value * factors[Math.floor(i / size)]!);
      set('weight', weightDims, folded);
      set('bias', [channels], bias);
      return cpu.affine(planes, factors, bias);
    }
    set('weight', weightDims, weights);
    if (norm === 'batch') {
      set('bn.weight', [channels], gain);
      set('bn.bias', [channels], shift);
      set('bn.running_mean', [channels], mean);
      set('bn.running_var', [channels], variance);
    } else {
      set('gn.weight', [channels, 1, 1], gain);
      set('gn.bias', [channels, 1, 1], shift);
    }
    return planes;
  }

  /** One scale a layer, which keeps to any picture's range; only predictions have their own mean taken. */
  #statistics(planes: cpu.Planes, purpose: Purpose): cpu.Statistics {
    const { channels, data } = planes;
    const power = data.reduce((sum, value) => sum + value * value, 0) / data.length;
    const limit = 0.1 * Math.sqrt(power);
    const inner = purpose === 'feature' || purpose === 'branch';
    const mean = inner ? this.#draw(channels, -limit, limit) : cpu.measure(planes, channels).mean;
    return { mean, variance: new Float32Array(channels).fill(power) };
  }

  #draw(count: number, low: number, high: number): Float32Array<ArrayBuffer> {
    return new Float32Array(count).map(() => this.#random.uniform(low, high));
  }

  #floats(name: string): Float32Array<ArrayBuffer> {
    const tensor = this.initializers.get(name);
    if (tensor?.type !== 'float32') throw new TypeError(`expected floats by the name ${name}`);
    return tensor.data;
  }

  #constant(name: string, tensor: Tensor): string {
    if (!this.initializers.has(name)) this.initializers.set(name, tensor);
    return name;
  }

  #emit(op: string, inputs: readonly string[], planes: cpu.Planes, attributes: Attributes = {}, as?: string): Value {
    const name = `${op}_${this.nodes.length}`;
    this.nodes.push({ name, op, inputs, outputs: [as ?? name], attributes });
    return { name: as ?? name, planes };
  }
}

/** Subtracts its mean from every run of `size` numbers. */
function center(values: Float32Array, size: number): void {
  for (let start = 0; start < values.length; start += size) {
    const part = values.subarray(start, start + size);
    const mean = part.reduce((sum, value) => sum + value, 0) / size;
    part.forEach((value, i) => {
      part[i] = value - mean;
    });
  }
}
