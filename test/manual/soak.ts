// Run by detector.test.ts in a process of its own: detects the same picture 1,000 times and reports what is left.

import { createDetector, readImage } from '../../src/index.node.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { GpuContext } from '../../src/runtime/gpu-context.ts';

const [model, picture] = process.argv.slice(2) as [string, string];
const { device } = await GpuContext.open(nodePlatform, undefined);
let buffers = 0;
const createBuffer = device.createBuffer.bind(device);
device.createBuffer = (descriptor) => {
  const buffer = createBuffer(descriptor);
  const destroy = buffer.destroy.bind(buffer);
  let alive = true;
  buffers++;
  buffer.destroy = () => {
    if (alive) buffers--;
    alive = false;
    return destroy();
  };
  return buffer;
};
const heap = () => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

const image = await readImage(picture);
const detector = await createDetector(model, { device, inputSize: [160, 160] });
let faces = 0;
const detect = async (times: number) => {
  for (let i = 0; i < times; i++) faces = (await detector.detect(image, { scoreThreshold: 0.1 })).length;
};
await detect(50);
const before = { buffers, heap: heap() };
await detect(1000);
const after = { buffers, heap: heap() };
console.log(
  JSON.stringify({
    faces,
    buffersBefore: before.buffers,
    buffersAfter: after.buffers,
    heapGrowth: after.heap - before.heap,
  }),
);
await detector.dispose();
if (buffers !== 0) throw new Error(`${buffers} buffers outlive the detector`);
// nothing more: neither the detector nor the borrowed device may keep the process alive
