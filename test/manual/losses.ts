// Loses a detector's and a network's device again and again, each time after another WebGPU call, and compares what comes after;
// prints memory at the start, in the middle and at the end, as NDJSON:
//   node --expose-gc --import tsx test/manual/losses.ts [count=1000] [detector | network]

import { deepStrictEqual } from 'node:assert';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { createDetector, createNetwork, DeviceError } from '../../src/index.node.ts';
import { loseAt } from '../support/losses.ts';
import { createRng } from '../support/rng.ts';
import { reportMemory } from './memory.ts';

const [count = '1000', what = 'detector'] = process.argv.slice(2);
const MODEL = synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 1 });
const SIDE = 64;
const PICTURE = { data: createRng(3).bytes(SIDE * SIDE * 3), width: SIDE, height: SIDE, channels: 3 } as const;
const INPUT = createRng(5).floats(SIDE * SIDE * 3);

async function open() {
  if (what === 'network') {
    const network = await createNetwork(MODEL, { inputShape: [1, 3, SIDE, SIDE] });
    return { subject: network, call: () => network.run(INPUT) };
  }
  const detector = await createDetector(MODEL, { inputSize: [SIDE, SIDE] });
  return { subject: detector, call: () => detector.detect(PICTURE) };
}

const { subject, call } = await open();
const expected = await call();
const moments = ['submit', 'write', 'buffer', 'bind', 'map'] as const;
const total = Number(count);
const marks = [0, Math.ceil(total / 2), total];
let failed = 0;
for (let i = 0; i <= total; i++) {
  if (marks.includes(i)) await reportMemory({ lost: i, failed });
  if (i === total) break;
  const { device } = subject;
  // some calls end before the loss
  loseAt(device, moments[i % moments.length]!, 1 + (i % 2));
  const results = await Promise.allSettled([call(), call()]);
  device.destroy();
  await device.lost;
  for (const result of results) {
    if (result.status === 'fulfilled') deepStrictEqual(result.value, expected);
    else if (!(result.reason instanceof DeviceError) || result.reason.reason !== 'lost') throw result.reason;
    else failed++;
  }
  deepStrictEqual(await call(), expected);
}
await subject.dispose();
