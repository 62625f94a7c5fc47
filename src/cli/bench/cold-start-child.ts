// run by cold-start.ts in a process of its own with a model and, as JSON, a detector's options; prints two times as JSON
import { createDetector, type DetectorOptions } from '../../index.node.ts';
import { loadGpu } from '../../node/dawn.ts';

const [file, json] = process.argv.slice(2);
const options = JSON.parse(json!) as DetectorOptions;
const [width, height] = options.inputSize as [number, number];
const picture = { data: new Uint8Array(width * height * 3), width, height, channels: 3 } as const;

const start = performance.now();
if (options.precision === 'f16') await loadGpu({ halfFloatsOnNvidia: true });
const detector = await createDetector(file!, options);
const created = performance.now();
await detector.detect(picture);
const detected = performance.now();
await detector.dispose();
process.stdout.write(JSON.stringify({ createMs: created - start, firstMs: detected - created }));
