import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { nodePlatform } from '../../src/node/platform.ts';
import { GpuContext } from '../../src/runtime/gpu-context.ts';
import { BufferUsage } from '../../src/runtime/gpu-flags.ts';
import { type Upload, UploadRing } from '../../src/runtime/upload-ring.ts';
import { openGpu } from '../support/gpu.ts';
import { createRng } from '../support/rng.ts';

const TARGET_BYTES = 1 << 16;

let context: GpuContext;
let target: GPUBuffer;
/** Sizes of the ring's buffers, in the order in which they were made. */
let made: number[];
const living = new Set<GPUBuffer>();
const onError = vi.fn<(event: Event) => void>();

beforeEach(async () => {
  context = await openGpu();
  target = makeTarget(context);
  made = [];
  living.clear();
  const create = context.device.createBuffer.bind(context.device);
  vi.spyOn(context.device, 'createBuffer').mockImplementation((descriptor) => {
    const buffer = create(descriptor);
    if (descriptor.label !== 'upload') return buffer;
    made.push(descriptor.size);
    living.add(buffer);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      living.delete(buffer);
      destroy();
    };
    return buffer;
  });
  onError.mockClear();
  context.device.addEventListener('uncapturederror', onError);
});
afterEach(() => {
  vi.restoreAllMocks();
  target.destroy();
  expect(onError).not.toHaveBeenCalled();
  context.device.removeEventListener('uncapturederror', onError);
});

function makeTarget({ device }: GpuContext): GPUBuffer {
  const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
  return device.createBuffer({ label: 'target', size: TARGET_BYTES, usage });
}

function noise(length: number, seed = length): Uint8Array<ArrayBuffer> {
  const rng = createRng(seed);
  return Uint8Array.from(rng.floats(length), (value) => Math.floor(Math.abs(value) * 1000) & 255);
}

/** Writes and submits. @returns what the target then holds of the first bytes, in an object: it is not waited for */
async function write(ring: UploadRing, uploads: readonly Upload[], bytes: number) {
  const { device } = context;
  const encoder = device.createCommandEncoder();
  await ring.write(encoder, target, uploads);
  const usage = BufferUsage.MAP_READ | BufferUsage.COPY_DST;
  const staging = device.createBuffer({ label: 'read-back', size: TARGET_BYTES, usage });
  const reading = context.read(encoder, staging, [{ buffer: target, offset: 0, bytes }]);
  return { contents: reading.then(([all]) => new Uint8Array(all!)).finally(() => staging.destroy()) };
}

async function writeAndRead(ring: UploadRing, uploads: readonly Upload[], bytes: number): Promise<Uint8Array> {
  return (await write(ring, uploads, bytes)).contents;
}

test('bytes of any number, and no more than a word of others', async () => {
  const ring = new UploadRing(context, 2);
  for (const length of [1, 2, 3, 4, 5, 1023, 40_001]) {
    context.device.queue.writeBuffer(target, 0, new Uint8Array(TARGET_BYTES).fill(77));
    const data = noise(length);
    const rounded = Math.ceil(length / 4) * 4;
    const contents = await writeAndRead(ring, [{ offset: 0, data }], rounded + 4);
    expect(contents.subarray(0, length)).toEqual(data);
    expect([...contents.subarray(rounded)]).toEqual([77, 77, 77, 77]);
  }
  // a view of a part, as bytes that are clamped
  const clamped = new Uint8ClampedArray(noise(100).buffer, 3, 50);
  expect([...(await writeAndRead(ring, [{ offset: 0, data: clamped }], 52)).subarray(0, 50)]).toEqual([...clamped]);
  ring.dispose();
});

test('neighbours go in one copy, others where they belong', async () => {
  const ring = new UploadRing(context, 2);
  context.device.queue.writeBuffer(target, 0, new Uint8Array(TARGET_BYTES).fill(77));
  const encoder = context.device.createCommandEncoder();
  const copy = vi.spyOn(encoder, 'copyBufferToBuffer');
  const uploads = [
    { offset: 4, data: noise(6, 1) },
    { offset: 12, data: noise(8, 2) },
    { offset: 400, data: noise(5, 3) },
    { offset: 408, data: noise(4, 4) },
    { offset: 800, data: noise(4, 5) },
  ];
  await ring.write(encoder, target, uploads);
  expect(copy.mock.calls.map(([, , , to, size]) => [to, size])).toEqual([
    [4, 16],
    [400, 12],
    [800, 4],
  ]);
  context.device.queue.submit([encoder.finish()]);
  const contents = await writeAndRead(ring, [], 1000);
  for (const between of [0, 3, 20, 399, 412, 799, 804]) expect(contents[between]).toBe(77);
  for (const { offset, data } of uploads) expect(contents.subarray(offset, offset + data.length)).toEqual(data);
  ring.dispose();
});

test.each([1, 2, 3])('writes that overlap keep their order, with %i buffers at most', async (limit) => {
  const ring = new UploadRing(context, limit);
  const pictures = Array.from({ length: 12 }, (_, i) => noise(30_000 - i, i + 1));
  const readings = [];
  for (const data of pictures) {
    readings.push((await write(ring, [{ offset: 0, data }], 30_000)).contents);
    // the caller's bytes are its own again
    data.fill(0);
  }
  const results = await Promise.all(readings);
  results.forEach((contents, i) => {
    expect(contents.subarray(0, 30_000 - i)).toEqual(noise(30_000 - i, i + 1));
  });
  expect(made.length).toBeLessThanOrEqual(limit);
  ring.dispose();
  expect(living.size).toBe(0);
});

test('one after the other makes few buffers, which grow and do not shrink', async () => {
  const ring = new UploadRing(context, 1);
  for (const length of [100, 50, 4000, 100, 3999, 2000, 4000, 8000, 8000]) {
    const data = noise(length);
    expect((await writeAndRead(ring, [{ offset: 0, data }], 8000)).subarray(0, length)).toEqual(data);
  }
  expect(made).toEqual([100, 4000, 8000]);
  expect(living.size).toBe(1);
  ring.dispose();
  expect(living.size).toBe(0);
});

test('disposal frees what the GPU still has', async () => {
  const ring = new UploadRing(context, 3);
  const writes = [];
  for (let i = 0; i < 3; i++) writes.push((await write(ring, [{ offset: 0, data: noise(9000, i) }], 9000)).contents);
  expect(living.size).toBeGreaterThan(0);
  ring.dispose();
  expect(living.size).toBe(0);
  await Promise.all(writes);
});

test('a write that is never submitted holds nothing up', async () => {
  const ring = new UploadRing(context, 2);
  const data = noise(500);
  for (let i = 0; i < 5; i++) {
    await ring.write(context.device.createCommandEncoder(), target, [{ offset: 0, data: noise(500, i + 7) }]);
  }
  expect((await writeAndRead(ring, [{ offset: 0, data }], 500)).subarray(0, 500)).toEqual(data);
  ring.dispose();
});

test('bytes that are gone fail one write and no other', async () => {
  const ring = new UploadRing(context, 1);
  const gone = noise(8);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  const uploads = [
    { offset: 0, data: noise(8) },
    { offset: 8, data: gone },
  ];
  await expect(ring.write(context.device.createCommandEncoder(), target, uploads)).rejects.toThrow(TypeError);
  expect(await writeAndRead(ring, [{ offset: 0, data: noise(8) }], 8)).toEqual(noise(8));
  ring.dispose();
  expect(living.size).toBe(0);
});

test.each(['before its commands are submitted', 'after that'])('a device that is lost, %s', async (when) => {
  const lost = await GpuContext.open(nodePlatform, undefined);
  const ring = new UploadRing(lost, 2);
  const encoder = lost.device.createCommandEncoder();
  await ring.write(encoder, makeTarget(lost), [{ offset: 0, data: noise(100) }]);
  const commands = encoder.finish();
  if (when === 'after that') lost.device.queue.submit([commands]);
  lost.device.destroy();
  for (let i = 0; i < 3; i++) {
    const next = ring.write(lost.device.createCommandEncoder(), makeTarget(lost), [{ offset: 0, data: noise(100) }]);
    await expect(next).rejects.toMatchObject({ name: 'DeviceError', reason: 'lost' });
  }
  ring.dispose();
  lost.dispose();
});
