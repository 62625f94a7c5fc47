import onnxProto from 'onnx-proto';
import { expect, test } from 'vitest';
import { createDetector, createNetwork } from '../../src/index.node.ts';
import { openGpu } from '../support/gpu.ts';
import { createRng } from '../support/rng.ts';
import { smallModel } from '../support/small-model.ts';

/** The small model with all weights that many times larger: sums overflow, and infinity less infinity is none. */
function damaged(factor: number): Uint8Array {
  const proto = onnxProto.onnx.ModelProto.decode(smallModel());
  for (const { rawData, dataType, dims } of proto.graph!.initializer!) {
    if (dataType !== 1 || dims!.length !== 4) continue;
    const view = new DataView(rawData!.buffer, rawData!.byteOffset, rawData!.byteLength);
    for (let at = 0; at < view.byteLength; at += 4) view.setFloat32(at, view.getFloat32(at, true) * factor, true);
  }
  return onnxProto.onnx.ModelProto.encode(proto).finish();
}

test.each([1e6, 1e20, 1e37])('weights %d times too large give no face that is not finite', async (factor) => {
  const { device } = await openGpu();
  const bytes = damaged(factor);
  const dims = [1, 3, 96, 96] as const;
  await using network = await createNetwork(bytes, { inputShape: dims, device });
  const outputs = Object.values(await network.run(createRng(1).floats(3 * 96 * 96)));
  if (factor > 1e6) expect(outputs.some(({ data }) => data.some((value) => !Number.isFinite(value)))).toBe(true);

  await using detector = await createDetector(bytes, { device, inputSize: [96, 96], scoreThreshold: 0 });
  const picture = { data: createRng(2).bytes(96 * 96 * 3), width: 96, height: 96, channels: 3 } as const;
  for (const compat of ['0.7', 'mmdet'] as const) {
    const faces = await detector.detect(picture, { compat, scoreThreshold: 0 });
    for (const { box, score, keypoints } of faces) {
      for (const value of [...box, score, ...keypoints!.flat()]) expect(Number.isFinite(value), `${value}`).toBe(true);
    }
  }
});
