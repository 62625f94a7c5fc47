import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ImageError } from '../../common/errors.ts';
import type { Face } from '../../common/face.ts';
import type { Size } from '../../common/geometry.ts';
import type { DetectOptions } from '../../detector/options.ts';
import { nodePlatform } from '../../node/platform.ts';
import { printable } from '../../node/printable.ts';
import { openModel } from '../../runtime/open-model.ts';
import { evaluatePredictions, type SettingResult } from '../eval/average-precision.ts';
import { type Dataset, type ImageFile, listImages, openDataset } from '../eval/dataset.ts';
import { EvaluationError } from '../eval/errors.ts';
import type { AnnotatedImage } from '../eval/ground-truth.ts';
import { plotPrecisionRecall } from '../eval/plot.ts';
import {
  type ImagePredictions,
  makeFolder,
  openPredictions,
  type PredictionSettings,
  readPredictions,
} from '../eval/prediction-store.ts';
import { formatPredictions, type Predictions, parsePredictions } from '../eval/predictions.ts';
import { type Protocol, protocolOptions } from '../eval/protocol.ts';
import { type Run, RunLog } from '../eval/run-log.ts';
import { interruptible } from '../shared/interrupt.ts';
import { mapConcurrent } from '../shared/map-concurrent.ts';
import { modelFile, ofModel } from '../shared/model-file.ts';
import { modelOption, parseCount, parseSize } from '../shared/options.ts';
import { assertNotRead, STDOUT, writeResult } from '../shared/output.ts';
import { showRate } from '../shared/progress.ts';
import { notify, print, reportError } from '../shared/report.ts';

interface EvalOptions {
  data: string;
  model?: string;
  predictions?: string;
  protocol: Protocol;
  mode: Size | 'image';
  limit?: number;
  out?: string;
}

const REPORT = 'report.json';
const CURVES = 'precision-recall.svg';

export function addEval(program: Command): void {
  const version = program.version()!;
  program
    .command('eval')
    .description('Measure a model on an annotated data set.')
    .command('widerface')
    .description(
      'Average precision on the WIDER FACE validation set, as the official tools compute it. The same command goes on where it was interrupted if --out is given.',
    )
    .requiredOption('-d, --data <dir>', 'folder with the images and their annotations')
    .addOption(modelOption().makeOptionMandatory(false))
    .addOption(
      new Option('--predictions <dir>', 'evaluate these prediction files instead of running a model').conflicts([
        'model',
        'protocol',
        'mode',
      ]),
    )
    .addOption(
      new Option(
        '--protocol <name>',
        'how pictures are prepared and boxes chosen: as for the published figures or as the Python package does',
      )
        .choices(['mmdet', 'insightface'])
        .default('mmdet'),
    )
    .addOption(
      new Option('--mode <size>', 'fit pictures into WxH or one side, or take them in their original size')
        .argParser(parseMode)
        .default([640, 640], '640'),
    )
    .option('--limit <N>', 'only the first N images', parseCount)
    .option('-o, --out <dir>', 'keep predictions, report.json and precision-recall.svg in this folder')
    .addHelpText(
      'after',
      `
DIR holds images/ and ground_truth/, or WIDER_val/images/ and eval_tools/ground_truth/. Without the four official .mat
files labelv2.txt will do: it does not say how hard a face is, so one figure over all faces comes out.
Images that are absent are left out, and the report says how many were evaluated.

Examples:
  scrfd eval widerface --data widerface --model scrfd_2.5g --out results/2.5g
  scrfd eval widerface --data widerface --predictions results/2.5g/predictions`,
    )
    .action((options: EvalOptions, command: Command) => evaluate(options, command, version));
}

function parseMode(text: string): EvalOptions['mode'] {
  if (text === 'original') return 'image';
  try {
    return parseSize(text);
  } catch {
    throw new InvalidArgumentError('Expected original, WxH or one side in pixels, for example 640.');
  }
}

/** What came of running a model, or reading what one wrote. */
interface Outcome {
  readonly found: readonly ImagePredictions[];
  /** Images that count as without faces, because they could not be read. */
  readonly unreadable: readonly string[];
  /** Entries of the report that tell where the predictions come from. */
  readonly origin: object;
  /** The same in a few words. */
  readonly caption: string;
}

async function evaluate(options: EvalOptions, command: Command, version: string): Promise<void> {
  const { data, model, predictions, out, limit } = options;
  if (model === undefined && predictions === undefined) command.error('error: expected --model or --predictions');
  const written = out === undefined ? {} : { '--out': join(out, REPORT), 'its curves': join(out, CURVES) };
  await assertNotRead({ ...written, 'standard output': STDOUT }, model === undefined ? [] : [model]);
  await interruptible(hintOf(options), async (signal) => {
    const dataset = await openDataset(data);
    const outcome =
      model === undefined
        ? await readFolder(predictions!, dataset, limit)
        : await detectAll(model, await listImages(dataset), options, version, signal);
    const results = evaluatePredictions(
      dataset.settings,
      outcome.found.map((each) => each.image),
      outcome.found.map((each) => each.predictions),
    );
    print(formatResults(dataset, outcome, results));
    if (out !== undefined) await writeReport(out, dataset, outcome, results);
  });
}

/** What is said to an interruption. */
function hintOf({ model, out }: EvalOptions): string {
  if (model === undefined) return 'nothing is written';
  return out === undefined ? 'nothing was kept, for want of --out' : 'the same command goes on where it stopped';
}

async function readFolder(folder: string, { images }: Dataset, limit: number | undefined): Promise<Outcome> {
  const found = (await readPredictions(folder, images)).slice(0, limit);
  if (found.length === 0) {
    const [{ event, name }] = images as [Dataset['images'][0]];
    throw new EvaluationError(`${folder}: expected files such as ${event}/${name}.txt, got none`);
  }
  return { found, unreadable: [], origin: { predictions: folder }, caption: `predictions of ${folder}` };
}

/** Runs a model on the images that have no predictions yet. */
async function detectAll(
  model: string,
  files: readonly ImageFile[],
  { protocol, mode, limit, out }: EvalOptions,
  version: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const path = await modelFile(model, signal);
  const chosen = files.slice(0, limit);
  const images = chosen.map(({ image }) => image);
  const options = { ...protocolOptions(protocol), inputSize: mode };
  const settings: PredictionSettings = {
    version,
    model: await hashModel(path, signal),
    protocol,
    mode: mode === 'image' ? 'original' : mode.join('x'),
    scoreThreshold: options.scoreThreshold,
    iouThreshold: options.iouThreshold,
  };
  const store = out === undefined ? undefined : await openPredictions(out, settings, images);
  const log = out === undefined ? undefined : await RunLog.open(out);
  const done = store?.done ?? new Map<AnnotatedImage, Predictions>();
  const waiting = chosen.filter(({ image }) => !done.has(image));
  const kept = chosen.length - waiting.length;
  if (kept > 0) notify(`${kept} of ${chosen.length} images are done already`);

  const start = performance.now();
  const secondsSoFar = () => (performance.now() - start) / 1000;
  const unreadable: string[] = [];
  let searched = 0;
  const progress = await showRate('images', chosen.length, kept);
  try {
    await detectImages(path, waiting, { ...options, signal }, async (image, faces, adapter) => {
      if (!faces) unreadable.push(`${image.event}/${image.name}`);
      const text = formatPredictions(image, faces ?? []);
      // what could not be read is tried again when this command is given again
      if (faces) await store?.write(image, text);
      // from the text, so that a run in two parts counts the same numbers
      done.set(image, parsePredictions(text, image, image.name));
      searched++;
      await log?.update({ images: searched, seconds: secondsSoFar(), adapter });
      progress?.increment();
    });
  } finally {
    progress?.stop();
    await log?.write();
  }
  if (waiting.length > 0) {
    const seconds = secondsSoFar();
    notify(`${waiting.length} images in ${seconds.toFixed(1)} s, ${(waiting.length / seconds).toFixed(2)} a second`);
  }
  return {
    found: images.map((image) => ({ image, predictions: done.get(image)! })),
    unreadable,
    origin: { model, settings, runs: log?.runs ?? [] },
    caption: `${basename(model)}, ${protocol}, ${settings.mode}`,
  };
}

async function hashModel(path: string, signal: AbortSignal): Promise<string> {
  const { bytes } = await openModel(nodePlatform, path, { signal });
  return createHash('sha256').update(bytes).digest('hex');
}

/** Hands over the faces of one image after another, with the adapter that found them; none of what could not be read, which is reported. */
async function detectImages(
  model: string,
  files: readonly ImageFile[],
  { signal, ...options }: DetectOptions & { signal: AbortSignal },
  onFaces: (image: AnnotatedImage, faces: readonly Face[] | undefined, adapter: Run['adapter']) => Promise<void>,
): Promise<void> {
  if (files.length === 0) return;
  const { createDetector } = await import('../../index.node.ts');
  const detector = await ofModel(model, () => createDetector(model, { ...options, signal }));
  try {
    for await (const { item, result, error } of mapConcurrent(files, 2, ({ path }) =>
      detector.detect(path, { signal }),
    )) {
      signal.throwIfAborted();
      if (!result && !(error instanceof ImageError)) throw error;
      if (!result) reportError(error, item.path);
      const { vendor, architecture, device, description } = detector.device.adapterInfo;
      await onFaces(item.image, result, { vendor, architecture, device, description });
    }
  } finally {
    await detector.dispose();
  }
}

function describeSubset({ images }: Dataset, evaluated: number): string {
  return evaluated === images.length ? `all ${images.length} images` : `${evaluated} of ${images.length} images`;
}

function formatResults(
  dataset: Dataset,
  { found: { length: evaluated }, unreadable }: Outcome,
  results: readonly SettingResult[],
): string {
  const lines = [`WIDER FACE validation: ${describeSubset(dataset, evaluated)}`];
  if (evaluated < dataset.images.length) {
    lines.push('SUBSET ONLY: these figures are not comparable with those of the whole set');
  }
  if (unreadable.length > 0) {
    lines.push(`${unreadable.length} of them could not be read: they count as images without detections`);
  }
  if (dataset.annotations === 'labelv2') {
    lines.push('labelv2.txt does not say how hard a face is: every face counts, unlike in the official settings');
  }
  lines.push('setting     faces      AP');
  for (const { setting, faces, averagePrecision } of results) {
    const area = averagePrecision === null ? '–' : (100 * averagePrecision).toFixed(2);
    lines.push(`${setting.padEnd(8)}${String(faces).padStart(9)}${area.padStart(8)}`);
  }
  return `${lines.join('\n')}\n`;
}

async function writeReport(
  out: string,
  dataset: Dataset,
  { found: { length: evaluated }, unreadable, origin, caption }: Outcome,
  results: readonly SettingResult[],
): Promise<void> {
  const report = {
    dataset: {
      name: 'WIDER FACE validation',
      annotations: dataset.annotations,
      images: evaluated,
      imagesInSet: dataset.images.length,
      unreadable,
      complete: evaluated === dataset.images.length && unreadable.length === 0,
    },
    ...origin,
    // JSON turns the NaN of an undefined precision into null
    results: results.map(({ precision, recall, ...rest }) => ({
      ...rest,
      precision: [...precision],
      recall: [...recall],
    })),
  };
  await makeFolder(out);
  const write = (name: string, text: string) => writeResult(join(out, name), () => text, EvaluationError);
  await write(REPORT, `${JSON.stringify(report)}\n`);
  await write(
    CURVES,
    plotPrecisionRecall(results, `WIDER FACE validation, ${describeSubset(dataset, evaluated)}`, printable(caption)),
  );
  print(`written to ${printable(join(out, REPORT))} and ${printable(join(out, CURVES))}\n`);
}
