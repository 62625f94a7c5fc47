// Detects in pictures of many sizes, alone, in batches and streams, aborted, with other options and refused, and prints memory
// at the start, in the middle and at the end, as NDJSON:
//   node --expose-gc --import tsx test/manual/soak.ts [count=20000]
// detector.test.ts runs it shortened.

import { deepStrictEqual } from 'node:assert';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { createDetector, type DetectOptions, type Pixels } from '../../src/index.node.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { GpuContext } from '../../src/runtime/gpu-context.ts';
import { createRng } from '../support/rng.ts';
import { countBuffers, reportMemory } from './memory.ts';

const total = Number(process.argv[2] ?? 20_000);
const { device } = await GpuContext.open(nodePlatform, undefined);
const buffers = countBuffers(device);
const rng = createRng(1);

function picture(width: number, height: number, channels: 3 | 4): Pixels {
  return { data: rng.bytes(width * height * channels), width, height, channels };
}

const PICTURES = [
  picture(96, 64, 3),
  picture(33, 17, 4),
  picture(640, 480, 3),
  picture(1, 1, 3),
  picture(480, 640, 4),
  picture(1200, 900, 3),
];
const SIZES = [
  [64, 64],
  [96, 64],
  [32, 96],
  [128, 96],
] as const;

const model = synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 1 });
const detector = await createDetector(model, { device, inputSize: [96, 64], scoreThreshold: 0.3 });
let [calls, faces, aborted, refused] = [0, 0, 0, 0];

async function settle(call: Promise<unknown>): Promise<void> {
  try {
    faces += ((await call) as unknown[]).length;
  } catch (error) {
    if (error === 'enough') aborted++;
    else if (error instanceof RangeError) refused++;
    else throw error;
  }
}

/** A few calls of one kind; every kind in turn. */
async function round(i: number): Promise<void> {
  const pick = <T>(items: readonly T[], shift = 0) => items[(i + shift) % items.length]!;
  const image = pick(PICTURES);
  const options: DetectOptions = {
    inputSize: pick(SIZES),
    maxFaces: i % 5,
    interpolation: i % 2 ? 'nearest' : 'linear',
  };
  const kinds = [
    () => settle(detector.detect(image)),
    () => settle(detector.detect(image, options)),
    () => settle(detector.detectBatch([image, pick(PICTURES, 1)])),
    async () => {
      for await (const result of detector.stream([image, pick(PICTURES, 2)])) faces += result.faces.length;
    },
    () => {
      const stop = new AbortController();
      const call = settle(detector.detect(image, { signal: stop.signal }));
      setTimeout(() => stop.abort('enough'), i % 7);
      return call;
    },
    () => settle(detector.detect({ ...image, width: 0 })),
    () => settle(Promise.all([detector.detect(image), detector.detect(pick(PICTURES, 3))])),
    () => settle(detector.detect(image, { onTimings: () => {} })),
    async () => {
      const [face] = await detector.detect(PICTURES[0]!);
      await settle(detector.alignFaces(image, face ? [face] : []));
    },
  ];
  await pick(kinds)();
  calls++;
}

const expected = await detector.detect(PICTURES[0]!);
// every plan, and buffers for the largest of everything
for (let i = 0; i < 300; i++) await round(i);
const marks = [0, Math.ceil(total / 2), total];
for (let i = 0; i <= total; i++) {
  if (marks.includes(i)) {
    deepStrictEqual(await detector.detect(PICTURES[0]!), expected);
    await reportMemory({ calls, faces, aborted, refused, buffers: buffers() });
  }
  if (i < total) await round(i);
}
await detector.dispose();
if (buffers() !== 0) throw new Error(`${buffers()} buffers outlive the detector`);
// nothing more: neither the detector nor the borrowed device may keep the process alive
