import { DeviceError } from '../../common/errors.ts';
import type { Pixels } from '../../common/image.ts';
import { Detector } from '../../detector/detector.ts';
import { isSoftware } from '../../runtime/gpu-context.ts';
import type { Platform } from '../../runtime/platform.ts';
import { notify } from '../shared/report.ts';
import type { CaseSpec } from './plan-run.ts';
import { raiseClock } from './raise-clock.ts';
import { caseOf, type Throughput } from './results.ts';
import { makePictures, type Workload } from './runners.ts';

/** Calls under way at a time, and pictures a call. */
export const CASES = [
  [1, 1],
  [2, 1],
  [4, 1],
  [1, 8],
  [1, 32],
] as const;

/** Long beside a call on a GPU; a software adapter ends what it has begun. */
const MAX_WINDOW_MS = 2000;
/** A call that warms up and one that is timed. */
const LEAST_CALLS = 2;

async function countPictures(
  detector: Detector,
  pictures: readonly Pixels[],
  calls: number,
  windowMs: number,
): Promise<number> {
  const start = performance.now();
  let done = 0;
  const call = async () => {
    do {
      await detector.detectBatch(pictures);
      done += pictures.length;
    } while (performance.now() - start < windowMs);
  };
  await Promise.all(Array.from({ length: calls }, call));
  return (done / (performance.now() - start)) * 1000;
}

/**
 * Pictures a second of a detector with its own limit of runs on the GPU at a time: pictures that fill the input size,
 * uploaded every time. A case whose calls would take longer than the budget, judged by the first case, is left out.
 */
export async function measureThroughput(
  platform: Platform,
  device: GPUDevice,
  work: Omit<Workload, 'batch' | 'flops'>,
  budgetMs: number,
): Promise<Throughput[]> {
  const { name: model, bytes, size, scoreThreshold, autotune, precision } = work;
  const options = { device, autotune, precision, inputSize: size, scoreThreshold };
  const detector = await Detector.create(platform, bytes, options);
  const software = isSoftware(device.adapterInfo);
  const windowMs = Math.min(MAX_WINDOW_MS, budgetMs / CASES.length);
  const measured: Throughput[] = [];
  try {
    for (const [i, [calls, batch]] of CASES.entries()) {
      const single = measured[0]?.picturesPerSecond;
      const expectedMs = single ? (LEAST_CALLS * calls * batch * 1000) / single : 0;
      const fits = expectedMs <= budgetMs;
      const timing = { windowMs, software, isNew: batch !== CASES[i - 1]?.[1] };
      const picturesPerSecond = fits ? await tryCase(detector, { model, size, calls, batch }, timing) : null;
      measured.push({ model, size, batch, calls, picturesPerSecond });
    }
  } finally {
    await detector.dispose();
  }
  return measured;
}

/** Null where the device has no room for so many pictures. */
async function tryCase(
  detector: Detector,
  { model, calls, ...spec }: CaseSpec & { readonly model: string; readonly calls: number },
  timing: { readonly windowMs: number; readonly software: boolean; readonly isNew: boolean },
): Promise<number | null> {
  const pictures = makePictures(spec);
  try {
    // the first run of a batch compiles; after the cases before with the same one the clock is up
    if (timing.isNew) await raiseClock(() => detector.detectBatch(pictures), timing);
    return await countPictures(detector, pictures, calls, timing.windowMs);
  } catch (error) {
    if (!(error instanceof DeviceError && (error.reason === 'limits' || error.reason === 'out-of-memory'))) throw error;
    notify(`${caseOf({ model, ...spec })}: ${error.message}`);
    return null;
  }
}
