// Times how pictures come to the GPU, and what a run costs the CPU before the GPU has it, on this adapter:
// npm run bench:upload -- [ARCHITECTURE...]

import { findArchitecture } from '../src/architectures/published.ts';
import { synthesizeModel } from '../src/architectures/synthesize.ts';
import { blackPictures, planDetector } from '../src/cli/bench/plan-run.ts';
import { median } from '../src/cli/bench/statistics.ts';
import { loadTarget } from '../src/graph/load-target.ts';
import { loadModel } from '../src/loader/load-model.ts';
import { nodePlatform } from '../src/node/platform.ts';
import { ConstantStore } from '../src/runtime/constant-store.ts';
import { Executor } from '../src/runtime/executor.ts';
import { GpuContext } from '../src/runtime/gpu-context.ts';
import { BufferUsage } from '../src/runtime/gpu-flags.ts';
import { type Upload, UploadRing } from '../src/runtime/upload-ring.ts';

const WARM_UPS = 20;
const RUNS = 60;
const SIZE = [640, 480] as const;

/** Bytes of a picture, and pictures a submission. */
const CASES = [
  ['640×480 RGB', 640 * 480 * 3, 1],
  ['640×640 RGB', 640 * 640 * 3, 1],
  ['1920×1080 RGBA', 1920 * 1080 * 4, 1],
  ['640×480 RGB, 16 of them', 640 * 480 * 3, 16],
] as const;

/** Medians of what a task returns, run back to back after runs that warm up. */
async function medians(task: () => Promise<readonly number[]>): Promise<number[]> {
  const times: (readonly number[])[] = [];
  for (let i = 0; i < WARM_UPS + RUNS; i++) {
    const each = await task();
    if (i >= WARM_UPS) times.push(each);
  }
  return times[0]!.map((_, k) => median(times.map((each) => each[k]!)));
}

/** Milliseconds until the bytes are handed over, and until the GPU has them. */
async function timeUpload({ device }: GpuContext, ring: UploadRing | null, target: GPUBuffer, uploads: Upload[]) {
  const start = performance.now();
  const encoder = device.createCommandEncoder();
  if (ring) await ring.write(encoder, target, uploads);
  else {
    for (const { offset, data } of uploads) device.queue.writeBuffer(target, offset, data as Uint8Array<ArrayBuffer>);
  }
  device.queue.submit([encoder.finish()]);
  const submitted = performance.now();
  await device.queue.onSubmittedWorkDone();
  return [submitted - start, performance.now() - start];
}

async function benchUploads(context: GpuContext): Promise<void> {
  console.log('| pictures | MB | way | CPU ms | wall ms | GB/s |\n|---|--:|---|--:|--:|--:|');
  for (const [name, bytes, count] of CASES) {
    const total = bytes * count;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
    const target = context.device.createBuffer({ label: 'pixels', size: total, usage });
    const uploads = Array.from({ length: count }, (_, n) => ({
      offset: n * bytes,
      data: new Uint8Array(bytes).fill(n + 1),
    }));
    for (const way of ['writeBuffer', 'ring']) {
      const ring = way === 'ring' ? new UploadRing(context, 3) : null;
      const [cpu, wall] = await medians(() => timeUpload(context, ring, target, uploads));
      const cells = [name, (total / 1e6).toFixed(1), way, cpu!.toFixed(3), wall!.toFixed(3)];
      console.log(`| ${cells.join(' | ')} | ${(total / 1e6 / wall!).toFixed(1)} |`);
      ring?.dispose();
    }
    target.destroy();
  }
}

async function benchEncoding(context: GpuContext, name: string): Promise<void> {
  const { device } = context;
  const model = await loadModel(synthesizeModel(findArchitecture(name)));
  const spec = { size: SIZE, batch: 1 };
  const plan = planDetector(model, spec, await loadTarget(context.traits));
  const constants = new ConstantStore(context);
  const executor = await Executor.create(context, constants, plan);
  const externals = [...blackPictures(spec)].map(([label, contents]) => {
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
    const buffer = device.createBuffer({ label, size: contents.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, contents);
    executor.bind(label, buffer);
    return buffer;
  });
  const times = await medians(async () => {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    executor.encode(encoder);
    const encoded = performance.now();
    const commands = encoder.finish();
    const finished = performance.now();
    device.queue.submit([commands]);
    const submitted = performance.now();
    await device.queue.onSubmittedWorkDone();
    return [encoded - start, finished - encoded, submitted - finished, submitted - start];
  });
  const launches = plan.steps.length;
  const us = times.map((ms) => (ms * 1000).toFixed(0));
  console.log(`| ${[name, launches, ...us, ((times[3]! * 1000) / launches).toFixed(2)].join(' | ')} |`);
  for (const buffer of externals) buffer.destroy();
  executor.dispose();
  constants.dispose();
}

const names = process.argv.length > 2 ? process.argv.slice(2) : ['500m_kps'];
const context = await GpuContext.open(nodePlatform, undefined);
try {
  const { description, vendor, architecture } = context.device.adapterInfo;
  console.log(`- adapter: ${[vendor, architecture, description].filter(Boolean).join(' ')}\n`);
  await benchUploads(context);
  console.log('\n| CPU µs a run | launches | encode | finish | submit | together | a launch |');
  console.log('|---|--:|--:|--:|--:|--:|--:|');
  for (const name of names) await benchEncoding(context, name);
} finally {
  context.dispose();
}
