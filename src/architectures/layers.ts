import type { Architecture } from './published.ts';

/** What a convolution's output is for, which decides how generated weights are scaled. */
export type Purpose = 'feature' | 'branch' | 'score' | 'box' | 'keypoints';

export interface ConvLayer {
  /** Names the layer and its weights: layers of one name share them. */
  readonly name: string;
  readonly channels: number;
  readonly kernel: 1 | 3;
  readonly stride: 1 | 2;
  readonly depthwise: boolean;
  /** A convolution without a norm has a bias. */
  readonly norm: 'none' | 'batch' | { readonly groups: number };
  readonly relu: boolean;
  readonly purpose: Purpose;
}

export type PoolKind = 'max' | 'average';

/** The operations an SCRFD network is made of, on values of any kind: names of a file, shapes to count, numbers. */
export interface LayerOps<V> {
  /** A convolution with its norm and ReLU. */
  conv(x: V, layer: ConvLayer): V;
  /** The maximum or average of windows of `side`×`side`, stride `side`; the last one is cut where the size is odd. */
  pool(x: V, kind: PoolKind, side: 1 | 2): V;
  /** Doubles width and height, by the nearest value. */
  upsample(x: V): V;
  add(a: V, b: V, relu: boolean): V;
  /** Multiplies by a learned scalar. */
  scale(x: V, name: string): V;
  output(x: V, kind: 'score' | 'bbox' | 'kps', stride: number): void;
}

/** Where a detector's heads are, and what they find at each cell. */
export interface Heads {
  /** Ascending, of 8, 16, 32, 64 and 128; what lies beyond the backbone's 32 is convolved from there. */
  readonly strides: readonly number[];
  /** Of a cell. */
  readonly anchors: number;
  /** Points of a face, where the architecture finds any. */
  readonly points: number;
}

/** Of all published architectures. */
export const PUBLISHED_HEADS: Heads = { strides: [8, 16, 32], anchors: 2, points: 5 };

const STAGE_STRIDES = [4, 8, 16, 32] as const;
/** A bottleneck's output has so many times its planes. */
const EXPANSION = 4;

/** Builds a detector layer by layer, in the order of the published exports. */
export function walkLayers<V>(architecture: Architecture, image: V, ops: LayerOps<V>, heads = PUBLISHED_HEADS): void {
  const stages = architecture.backbone === 'mobilenet' ? mobileNet : resNet;
  const first = STAGE_STRIDES.findIndex((stride) => stride >= Math.min(heads.strides[0]!, 32));
  const features = stages(architecture, image, ops).slice(first);
  const levels = pafpn(architecture, features, ops);
  const strides: number[] = STAGE_STRIDES.slice(first);
  while (strides.at(-1)! < heads.strides.at(-1)!) {
    const name = `neck.fpn_convs.${levels.length}.conv`;
    levels.push(ops.conv(levels.at(-1)!, { ...plainConv(architecture), name, stride: 2 }));
    strides.push(strides.at(-1)! * 2);
  }
  levels.forEach((level, i) => {
    if (heads.strides.includes(strides[i]!)) head(architecture, level, strides[i]!, ops, heads);
  });
}

const FEATURE = { kernel: 3, stride: 1, depthwise: false, norm: 'batch', relu: true, purpose: 'feature' } as const;

function mobileNet<V>({ blocks, planes }: Architecture, image: V, ops: LayerOps<V>): V[] {
  const separable = (x: V, name: string, from: number, to: number, stride: 1 | 2) => {
    const depthwise = ops.conv(x, { ...FEATURE, name: `${name}.0`, channels: from, stride, depthwise: true });
    return ops.conv(depthwise, { ...FEATURE, name: `${name}.3`, channels: to, kernel: 1 });
  };
  let x = ops.conv(image, { ...FEATURE, name: 'backbone.stem.0.0', channels: planes[0]!, stride: 2 });
  x = separable(x, 'backbone.stem.1', planes[0]!, planes[1]!, 1);
  return blocks.map((count, stage) => {
    for (let i = 0; i < count; i++) {
      const from = planes[stage + (i === 0 ? 1 : 2)]!;
      x = separable(x, `backbone.layer${stage + 1}.${i}`, from, planes[stage + 2]!, i === 0 ? 2 : 1);
    }
    return x;
  });
}

/** ResNetV1e: a stem of three convolutions, and shortcuts that average before they project. */
function resNet<V>({ backbone, blocks, planes }: Architecture, image: V, ops: LayerOps<V>): V[] {
  const base = planes[0]!;
  let x = ops.conv(image, { ...FEATURE, name: 'backbone.stem.0', channels: base / 2, stride: 2 });
  x = ops.conv(x, { ...FEATURE, name: 'backbone.stem.3', channels: base / 2 });
  x = ops.pool(ops.conv(x, { ...FEATURE, name: 'backbone.stem.6', channels: base }), 'max', 2);
  let channels = base;
  return blocks.map((count, stage) => {
    const width = planes[stage]!;
    const out = backbone === 'bottleneck' ? width * EXPANSION : width;
    for (let i = 0; i < count; i++) {
      const name = `backbone.layer${stage + 1}.${i}`;
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const last = { ...FEATURE, channels: out, relu: false, purpose: 'branch' } as const;
      let branch: V;
      if (backbone === 'bottleneck') {
        branch = ops.conv(x, { ...FEATURE, name: `${name}.conv1`, channels: width, kernel: 1 });
        branch = ops.conv(branch, { ...FEATURE, name: `${name}.conv2`, channels: width, stride });
        branch = ops.conv(branch, { ...last, name: `${name}.conv3`, kernel: 1 });
      } else {
        branch = ops.conv(x, { ...FEATURE, name: `${name}.conv1`, channels: width, stride });
        branch = ops.conv(branch, { ...last, name: `${name}.conv2` });
      }
      if (stride === 2 || channels !== out) {
        const pooled = ops.pool(x, 'average', stride);
        x = ops.conv(pooled, { ...FEATURE, name: `${name}.downsample.1`, channels: out, kernel: 1, relu: false });
      }
      x = ops.add(branch, x, true);
      channels = out;
    }
    return x;
  });
}

/** The pyramid's convolutions, without norm and ReLU. */
function plainConv({ neck }: Architecture) {
  return { ...FEATURE, channels: neck, norm: 'none', relu: false } as const;
}

function pafpn<V>(architecture: Architecture, features: readonly V[], ops: LayerOps<V>): V[] {
  const plain = plainConv(architecture);
  const inner = features.map((x, i) => ops.conv(x, { ...plain, name: `neck.lateral_convs.${i}.conv`, kernel: 1 }));
  for (let i = inner.length - 2; i >= 0; i--) inner[i] = ops.add(inner[i]!, ops.upsample(inner[i + 1]!), false);
  const outs = inner.map((x, i) => ops.conv(x, { ...plain, name: `neck.fpn_convs.${i}.conv` }));
  for (let i = 0; i < outs.length - 1; i++) {
    const down = ops.conv(outs[i]!, { ...plain, name: `neck.downsample_convs.${i}.conv`, stride: 2 });
    outs[i + 1] = ops.add(outs[i + 1]!, down, false);
  }
  return outs.map((x, i) => (i === 0 ? x : ops.conv(x, { ...plain, name: `neck.pafpn_convs.${i - 1}.conv` })));
}

function head<V>(
  architecture: Architecture,
  level: V,
  stride: number,
  ops: LayerOps<V>,
  { strides, anchors, points: count }: Heads,
): void {
  const { neck, headConvs, headChannels, headDepthwise, headGroups, sharedHeads, boxScale, keypoints } = architecture;
  const key = sharedHeads ? '0' : `(${stride}, ${stride})`;
  const tower = { ...FEATURE, norm: headGroups === null ? 'batch' : { groups: headGroups } } as const;
  let x = level;
  for (let i = 0; i < headConvs; i++) {
    const name = `bbox_head.cls_stride_convs.${key}.${i}`;
    if (headDepthwise) {
      const from = i === 0 ? neck : headChannels;
      x = ops.conv(x, { ...tower, name: `${name}.depthwise_conv.conv`, channels: from, depthwise: true });
      x = ops.conv(x, { ...tower, name: `${name}.pointwise_conv.conv`, channels: headChannels, kernel: 1 });
    } else {
      x = ops.conv(x, { ...tower, name: `${name}.conv`, channels: headChannels });
    }
  }
  const predict = (what: string, values: number, purpose: Purpose) =>
    ops.conv(x, {
      ...{ ...FEATURE, norm: 'none', relu: false, purpose },
      ...{ name: `bbox_head.stride_${what}.${key}`, channels: values * anchors },
    });
  const score = predict('cls', 1, 'score');
  const box = predict('reg', 4, 'box');
  const scaled = boxScale ? ops.scale(box, `bbox_head.scales.${strides.indexOf(stride)}.scale`) : box;
  const points = keypoints ? predict('kps', 2 * count, 'keypoints') : undefined;
  ops.output(score, 'score', stride);
  ops.output(scaled, 'bbox', stride);
  if (points !== undefined) ops.output(points, 'kps', stride);
}

export interface Work {
  /** Learned numbers, shared ones once. */
  readonly parameters: number;
  /** Multiply-accumulates of the convolutions: what `scrfd info` counts. */
  readonly macs: number;
  /** Multiply-accumulates as the published tables count: an operation an element for biases, ReLUs and pools too, two for BatchNorm, none for GroupNorm. */
  readonly publishedMacs: number;
}

/** A value, as far as its size depends on the layers before it. */
interface Shape {
  readonly channels: number;
  /** How many times smaller than the picture it is. */
  readonly stride: number;
}

const IMAGE: Shape = { channels: 3, stride: 1 };

const convolved = (x: Shape, { channels, stride }: ConvLayer): Shape => ({ channels, stride: x.stride * stride });

/** What all layers but convolutions make of a shape. */
const SHAPE_OPS: Omit<LayerOps<Shape>, 'conv'> = {
  pool: (x, _, side) => ({ ...x, stride: x.stride * side }),
  upsample: (x) => ({ ...x, stride: x.stride / 2 }),
  add: (a) => a,
  scale: (x) => x,
  output() {},
};

/** Counts parameters and work without building anything; sides are multiples of 32. */
export function countLayers(architecture: Architecture, width = 640, height = 480): Work {
  const seen = new Set<string>();
  let parameters = 0;
  let macs = 0;
  let rest = 0;
  const elements = ({ channels, stride }: Shape) => (channels * width * height) / stride ** 2;
  const learn = (name: string, count: number) => {
    if (!seen.has(name)) parameters += count;
    seen.add(name);
  };
  walkLayers<Shape>(architecture, IMAGE, {
    ...SHAPE_OPS,
    conv(x, layer) {
      const { name, channels, kernel, depthwise, norm, relu } = layer;
      const out = convolved(x, layer);
      const weights = (depthwise ? 1 : x.channels) * kernel ** 2;
      macs += elements(out) * weights;
      rest += elements(out) * ((norm === 'none' ? 1 : norm === 'batch' ? 2 : 0) + (relu ? 1 : 0));
      learn(name, channels * (weights + (norm === 'none' ? 1 : 2)));
      return out;
    },
    pool(x, kind, side) {
      rest += elements(x);
      return SHAPE_OPS.pool(x, kind, side);
    },
    add(a, _, relu) {
      if (relu) rest += elements(a);
      return a;
    },
    scale(x, name) {
      learn(name, 1);
      return x;
    },
  });
  return { parameters, macs, publishedMacs: macs + rest };
}

export interface ConvShape {
  /** `[out, in / groups, kernel, kernel]`. */
  readonly weight: readonly [number, number, number, number];
  readonly groups: number;
  readonly stride: number;
  /** Of the map that is read; the one that is written is `stride` times smaller. */
  readonly size: readonly [width: number, height: number];
  readonly relu: boolean;
}

/**
 * Every convolution for a picture of this size, in the order of the exports; shared weights as often as they are used.
 * Sides are multiples of 32.
 */
export function walkConvs(architecture: Architecture, width = 640, height = 480): ConvShape[] {
  const shapes: ConvShape[] = [];
  walkLayers<Shape>(architecture, IMAGE, {
    ...SHAPE_OPS,
    conv(x, layer) {
      const { channels, kernel, stride, depthwise, relu } = layer;
      shapes.push({
        weight: [channels, depthwise ? 1 : x.channels, kernel, kernel],
        groups: depthwise ? channels : 1,
        stride,
        size: [width / x.stride, height / x.stride],
        relu,
      });
      return convolved(x, layer);
    },
  });
  return shapes;
}
