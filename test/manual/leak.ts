// Creates and disposes detectors and networks, and prints what is left at the start, in the middle and at the end, as NDJSON:
//   node --expose-gc --import tsx test/manual/leak.ts [count=1000] [own | borrowed] [detector | network] [run | idle]
// runtime/leak.test.ts runs it shortened.

import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { createDetector, createNetwork } from '../../src/index.node.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { countBuffers, reportMemory } from './memory.ts';

const [count = '1000', whose = 'own', what = 'detector', use = 'run'] = process.argv.slice(2);
const SIDE = 64;
const MODEL = synthesizeModel(ARCHITECTURES['scrfd_2.5g_kps'], { seed: 1 });
const PICTURE = { data: new Uint8Array(SIDE * SIDE * 3), width: SIDE, height: SIDE, channels: 3 } as const;
const INPUT_SHAPE = [1, 3, SIDE, SIDE] as const;

const borrowed = whose === 'borrowed' ? await (await nodePlatform.requestAdapter())!.requestDevice() : undefined;
const device = borrowed && { device: borrowed };
const buffers = borrowed && countBuffers(borrowed);

async function once(): Promise<void> {
  // each has bytes of its own, as one that is read from a file has
  if (what === 'detector') {
    await using detector = await createDetector(MODEL.slice(), { ...device, inputSize: [SIDE, SIDE] });
    if (use === 'run') await detector.detect(PICTURE);
  } else {
    await using network = await createNetwork(MODEL.slice(), { ...device, inputShape: INPUT_SHAPE });
    if (use === 'run') await network.run(new Float32Array(3 * SIDE * SIDE));
  }
}

// what grows once: code, pools, the driver's caches
for (let i = 0; i < 10; i++) await once();
const total = Number(count);
const marks = [0, Math.ceil(total / 2), total];
for (let i = 0; i <= total; i++) {
  if (marks.includes(i)) await reportMemory({ disposed: i, buffers: buffers?.() });
  if (i < total) await once();
}
