import { describe, expect, it } from 'vitest';
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
    for (const [name, expected] of Object.entries(await runOrt(bytes, { x }))) {
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

describe('BlazeFace', () => {
  it('gives what onnxruntime gives', () => expectAsOrt(blazeFace(), [128, 128, 3]));

  it('has no pads left before convolutions', async () => {
    const graph = optimize(buildGraph(await loadModel(blazeFace()), [1, 128, 128, 3]), true);
    const pads = graph.nodes.filter(({ op }) => op === 'Pad');
    expect(pads.map(({ output }) => graph.dims.get(output)?.[1])).toEqual([28, 32, 36, 42, 48, 56, 64, 72, 80, 88, 96]);
  });
});
