import { describe, expect, it } from 'vitest';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { formatDims, sizeOf } from '../../src/common/tensor.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { optimize } from '../../src/graph/passes/index.ts';
import { createNetwork } from '../../src/index.node.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { int, ints } from '../support/onnx-builder.ts';
import { runOrt } from '../support/ort.ts';
import { createRng } from '../support/rng.ts';
import { SMALL_ARCHITECTURE } from '../support/small-model.ts';
import { FaceNetwork } from './face-network.ts';

/** What onnxruntime gives of each image alone is what a batch of them gives. */
async function expectAsOrt(bytes: Uint8Array, image: readonly number[]): Promise<void> {
  const { device } = await openGpu();
  const size = sizeOf(image);
  const data = createRng(5).floats(2 * size);
  await using network = await createNetwork(bytes, { inputShape: [1, ...image], device });
  const alone = await network.run(data.subarray(0, size));
  const both = await network.run(data, { inputShape: [2, ...image] });
  for (const i of [0, 1]) {
    const x = { dims: [1, ...image], data: data.slice(i * size, (i + 1) * size) };
    for (const [name, expected] of Object.entries(await runOrt(bytes, { [network.inputName]: x }))) {
      const { dims, data: all } = both[name]!;
      const length = expected.data.length;
      const tolerance = { abs: 1e-4, rel: 1e-4, reason: `${name}: float32 sums in another order` };
      expect(formatDims(dims), name).toBe(formatDims([2, ...expected.dims.slice(1)]));
      expectClose(all.subarray(i * length, (i + 1) * length), expected.data, tolerance);
      if (i === 0) expectClose(alone[name]!.data, expected.data, tolerance);
    }
  }
}

/** MediaPipe's short range detector, as its TFLite file converts: channels last, pads as nodes of their own, a baked batch of 1. */
function blazeFace(): Uint8Array<ArrayBuffer> {
  const net = new FaceNetwork(1);
  const pad = (x: string, pads: readonly number[], channels: number) =>
    net.image(net.node('Pad', [x, net.ints(...pads)]), channels);
  const block = (x: string, out: number, stride: 1 | 2) => {
    const channels = net.channelsOf(x);
    const padded = stride === 2 ? pad(x, [0, 0, 0, 0, 0, 0, 1, 1], channels) : x;
    const pads = stride === 2 ? [0, 0, 0, 0] : [1, 1, 1, 1];
    const branch = net.conv(net.conv(padded, channels, 3, { stride, pads, depthwise: true }), out, 1);
    const pooled = stride === 2 ? net.node('MaxPool', [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }) : x;
    const grown = out > channels ? pad(pooled, [0, 0, 0, 0, 0, out - channels, 0, 0], out) : pooled;
    return net.relu(net.image(net.node('Add', [branch, grown]), out));
  };
  const image = net.image(net.node('Transpose', ['x'], { perm: ints([0, 3, 1, 2]) }), 3);
  let value = net.relu(net.conv(pad(image, [0, 0, 1, 1, 0, 0, 2, 2], 3), 24, 5, { stride: 2, pads: [0, 0, 0, 0] }));
  const large = [24, 28, [32], 36, 42, [48], 56, 64, 72, 80, 88];
  for (const out of large) value = typeof out === 'number' ? block(value, out, 1) : block(value, out[0]!, 2);
  const first = value;
  value = block(value, 96, 2);
  for (let i = 0; i < 4; i++) value = block(value, 96, 1);
  const head = (x: string, anchors: number, columns: number, side: number) => {
    const last = net.node('Transpose', [net.conv(x, anchors * columns, 1)], { perm: ints([0, 2, 3, 1]) });
    return net.node('Reshape', [last, net.ints(1, side * side * anchors, columns)]);
  };
  const outputs = [1, 16].map((columns) =>
    net.node('Concat', [head(first, 2, columns, 16), head(value, 6, columns, 8)], { axis: int(1) }),
  );
  return net.build({ dims: [1, 128, 128, 3] }, outputs);
}

/** Ultra-Light-Fast-Generic-Face-Detector RFB-320 with its decoding in the graph. */
function ultraLight(): Uint8Array<ArrayBuffer> {
  const net = new FaceNetwork(2);
  const basic = (x: string, out: number, side: number, stride = 1) =>
    net.relu(net.conv(x, out, side, { stride, norm: true }));
  const separable = (x: string, out: number, stride = 1) => {
    const deep = net.conv(x, net.channelsOf(x), 3, { stride, depthwise: true, norm: true });
    return basic(net.relu(deep), out, 1);
  };
  /** The receptive field block: branches of growing dilation. */
  const rfb = (x: string) => {
    const branches = [2, 3, 5].map((dilation) => {
      const thin = net.conv(x, 8, 1, { norm: true });
      const wide = dilation === 5 ? basic(basic(thin, 12, 3), 16, 3) : basic(thin, 16, 3);
      return net.conv(wide, 16, 3, { dilation, norm: true });
    });
    const joined = net.image(net.node('Concat', branches, { axis: int(1) }), 48);
    const scaled = net.node('Mul', [net.conv(joined, 64, 1, { norm: true }), net.number(1)]);
    const shortcut = net.conv(x, 64, 1, { norm: true });
    return net.relu(net.image(net.node('Add', [scaled, shortcut]), 64));
  };
  const head = (x: string, out: number) => {
    const deep = net.relu(net.conv(x, net.channelsOf(x), 3, { depthwise: true }));
    return net.conv(deep, out, 1);
  };
  const rows = (x: string, columns: number) =>
    net.node('Reshape', [net.node('Transpose', [x], { perm: ints([0, 2, 3, 1]) }), net.ints(0, -1, columns)]);

  let value = basic(net.image('x', 3), 16, 3, 2);
  const layers: [out: number, stride: number][] = [
    [32, 1],
    [32, 2],
    [32, 1],
    [64, 2],
    [64, 1],
    [64, 1],
  ];
  for (const [out, stride] of layers) value = separable(value, out, stride);
  const levels = [rfb(value)];
  value = separable(separable(separable(levels[0]!, 128, 2), 128), 128);
  levels.push(value);
  value = separable(separable(value, 256, 2), 256);
  levels.push(value);
  const thin = net.relu(net.conv(value, 64, 1));
  const deep = net.relu(net.conv(thin, 64, 3, { stride: 2, depthwise: true }));
  levels.push(net.relu(net.conv(deep, 256, 1)));
  const anchors = [3, 2, 2, 3];
  const heads = (columns: number) =>
    net.node(
      'Concat',
      levels.map((level, i) => {
        const out = anchors[i]! * columns;
        return rows(i < 3 ? head(level, out) : net.conv(level, out, 3), columns);
      }),
      { axis: int(1) },
    );
  const scores = net.node('Softmax', [heads(2)], { axis: int(2) });
  const boxes = heads(4);
  const count = 40 * 30 * 3 + 20 * 15 * 2 + 10 * 8 * 2 + 5 * 4 * 3;
  const part = (x: string, start: number) => net.node('Slice', [x, net.ints(start), net.ints(start + 2), net.ints(2)]);
  const priorSizes = net.floats([1, count, 2], 0.05, 0.5);
  const moved = net.node('Mul', [net.node('Mul', [part(boxes, 0), net.number(0.1)]), priorSizes]);
  const centers = net.node('Add', [moved, net.floats([1, count, 2], 0, 1)]);
  const sizes = net.node('Mul', [net.node('Exp', [net.node('Mul', [part(boxes, 2), net.number(0.2)])]), priorSizes]);
  const half = net.node('Div', [sizes, net.number(2)]);
  const corners = ['Sub', 'Add'].map((op) => net.node(op, [centers, half]));
  const outputs = [scores, net.node('Concat', corners, { axis: int(2) })];
  return net.build({ dims: ['n', 3, 240, 320] }, outputs);
}

describe('BlazeFace', () => {
  it('gives what onnxruntime gives', () => expectAsOrt(blazeFace(), [128, 128, 3]));

  it('has no pads left before convolutions', async () => {
    const graph = optimize(buildGraph(await loadModel(blazeFace()), [1, 128, 128, 3]), true);
    const pads = graph.nodes.filter(({ op }) => op === 'Pad');
    expect(pads.map(({ output }) => graph.dims.get(output)?.[1])).toEqual([28, 32, 36, 42, 48, 56, 64, 72, 80, 88, 96]);
  });
});

describe('Ultra-Light RFB-320', () => {
  it('gives what onnxruntime gives', () => expectAsOrt(ultraLight(), [3, 240, 320]));
});

describe('SCRFD of the four corners of a document', () => {
  const bytes = synthesizeModel(SMALL_ARCHITECTURE, { seed: 1, heads: { points: 4 } });
  it('gives what onnxruntime gives', () => expectAsOrt(bytes, [3, 96, 64]));
});
