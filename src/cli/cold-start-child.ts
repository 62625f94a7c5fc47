// Run by cold-start.ts in a process of its own: MODEL WIDTH HEIGHT SCORE. Prints two times as JSON.
import { createDetector } from '../index.node.ts';

const [file, ...numbers] = process.argv.slice(2);
const [width, height, scoreThreshold] = numbers.map(Number) as [number, number, number];
const picture = { data: new Uint8Array(width * height * 3), width, height, channels: 3 } as const;

const start = performance.now();
const detector = await createDetector(file!, { inputSize: [width, height], scoreThreshold });
const created = performance.now();
await detector.detect(picture);
const detected = performance.now();
await detector.dispose();
process.stdout.write(JSON.stringify({ createMs: created - start, firstMs: detected - created }));
