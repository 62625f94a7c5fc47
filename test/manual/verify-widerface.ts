// npm run verify:widerface: are our predictions those of onnxruntime through the same protocol?
import { join } from 'node:path';
import { Command } from 'commander';
import { listImages, openDataset } from '../../src/cli/eval/dataset.ts';
import { parseCount } from '../../src/cli/shared/options.ts';
import { compareWithOnnxRuntime } from '../cli/eval/versus-onnxruntime.ts';

/** In points: average precision times 100. */
const TOLERANCE = 0.02;
const MODELS = ['scrfd_500m', 'scrfd_1g', 'scrfd_2.5g', 'scrfd_500m_kps', 'scrfd_2.5g_kps'];

const { models, limit, data } = new Command('verify:widerface')
  .description(
    `Compare average precision on WIDER FACE with onnxruntime's, mmdet protocol, 640×640. Fails where it differs by more than ${TOLERANCE} points.`,
  )
  .option('--models <name...>', 'files of models/ without .onnx', MODELS)
  .option('--limit <N>', 'only the first N images', parseCount)
  .option('--data <dir>', 'folder with models/ and widerface/', process.env.SCRFD_DATA)
  .parse()
  .opts<{ models: string[]; limit?: number; data?: string }>();
if (data === undefined) throw new Error('expected --data or SCRFD_DATA');

const dataset = await openDataset(join(data, 'widerface'));
const files = (await listImages(dataset)).slice(0, limit);
console.log(`${files.length} of ${dataset.images.length} images; AP ours / onnxruntime, in points`);
for (const model of models) {
  const start = performance.now();
  let images = 0;
  const onImage = () => {
    if (++images % 50 === 0) console.error(`${model}: ${images} of ${files.length}`);
  };
  const path = join(data, 'models', `${model}.onnx`);
  const { precisions, ...rest } = await compareWithOnnxRuntime(path, dataset, files, { onImage });
  let worst = 0;
  const cells = precisions.map(({ setting, ours, expected }) => {
    if (ours !== null && expected !== null) worst = Math.max(worst, 100 * Math.abs(ours - expected));
    return `${setting} ${formatPoints(ours)} / ${formatPoints(expected)}`;
  });
  const ok = worst <= TOLERANCE;
  if (!ok) process.exitCode = 1;
  console.log(
    [
      `${ok ? 'ok  ' : 'FAIL'}  ${model.padEnd(16)}`,
      ...cells,
      `worst difference ${worst.toFixed(4)}`,
      `${rest.unmatched} of ${rest.faces} faces unmatched`,
      `boxes within ${rest.maxBoxDifference.toExponential(2)} px, scores within ${rest.maxScoreDifference.toExponential(2)}`,
      `${((performance.now() - start) / 1000).toFixed(0)} s`,
    ].join('  '),
  );
}

function formatPoints(averagePrecision: number | null): string {
  return averagePrecision === null ? '–' : (100 * averagePrecision).toFixed(3);
}
