import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ModelError } from '../../common/errors.ts';
import type { Face } from '../../common/face.ts';
import type { Size } from '../../common/geometry.ts';
import type { Pixels } from '../../common/image.ts';
import type { Compat } from '../../detector/options.ts';
import type { Detector, Precision, ReadLimits } from '../../index.node.ts';
import { writeAnnotated, writePicture } from '../../node/draw.ts';
import { printable } from '../../node/printable.ts';
import { chooseDefault } from '../shared/default-model.ts';
import { collectPictures, parseShard, type Shard, shardList } from '../shared/inputs.ts';
import { interruptible } from '../shared/interrupt.ts';
import { mapConcurrent } from '../shared/map-concurrent.ts';
import { modelFile, ofModel } from '../shared/model-file.ts';
import {
  addDrawingOptions,
  type DrawingOptions,
  modelOption,
  paintOptionsOf,
  parseCount,
  parseFraction,
  parseNatural,
  parsePositive,
  parseSize,
  precisionOption,
  sizeOption,
} from '../shared/options.ts';
import { assertNotRead, FORMATS, type Format, openOutput, STDOUT } from '../shared/output.ts';
import { planOutputs } from '../shared/plan-outputs.ts';
import { showRate } from '../shared/progress.ts';
import { openPicture, readInTurn, timed } from '../shared/read-in-turn.ts';
import { notify, Reported, reportError } from '../shared/report.ts';
import { readStandardInput, STANDARD_INPUT } from '../shared/standard-input.ts';

interface DetectOptions extends DrawingOptions {
  model?: string;
  format: Format;
  json?: true;
  output?: string;
  resume?: true;
  out?: string;
  crops?: string;
  size?: [number, number];
  sizes?: Size[];
  compat?: Compat;
  score?: number;
  iou?: number;
  maxFaces?: number;
  autotune?: true;
  precision?: Precision;
  jobs: number;
  shard?: Shard;
  maxBytes?: number;
  maxPixels?: number;
  timeout?: number;
  maxRedirects?: number;
  verbose?: true;
}

/** From so many pictures on, a run has a bar and ends with a summary. */
const MANY = 10;

function parseSizes(text: string): Size[] {
  return text.split(',').map(parseSize);
}

export function addDetect(program: Command): void {
  const command = program
    .command('detect')
    .description('Find faces in pictures. Without --model the best model to be had is used.')
    .argument(
      '<image...>',
      'pictures (JPEG, PNG, WebP, AVIF, GIF, TIFF): paths, URLs, folders, patterns, or - for a picture or a list of them on stdin',
    )
    .addOption(modelOption().makeOptionMandatory(false))
    .addOption(new Option('--format <format>', 'how results are printed').choices(FORMATS).default('table'))
    .option('--json', 'print one JSON array, an entry per picture: --format json')
    .option('--output <file>', 'print results to this file')
    .option('--resume', 'go on with an --output of --format ndjson: pictures that are in it are left out')
    .option('-o, --out <dir>', 'also write every picture with its faces drawn to this folder')
    .option('--crops <dir>', 'also write every face, aligned for ArcFace, 112×112, to this folder')
    .addOption(sizeOption())
    .option('--sizes <WxH,...>', 'several input sizes, searched together', parseSizes)
    .addOption(
      new Option('--compat <version>', "whose conventions: insightface's version, or mmdet").choices([
        '0.7',
        '1.0',
        '2.0',
        'mmdet',
      ]),
    )
    .option('--score <S>', 'lowest score of a face, 0 to 1 (default: 0.5)', parseFraction)
    .option('--iou <I>', 'highest overlap of two faces, 0 to 1 (default: 0.4)', parseFraction)
    .option('--max-faces <N>', 'at most this many faces per picture', parseCount)
    .option('--autotune', 'time all kernels on this adapter once and take the fastest: for many pictures')
    .addOption(precisionOption())
    .option('--jobs <N>', 'pictures decoded at a time', parseCount, availableParallelism())
    .option('--shard <i/n>', 'only every nth picture of the sorted list, from the ith on, from 0', parseShard)
    .option('--max-bytes <N>', 'largest file of a picture (default: 2^30, by URL 2^28)', parseCount)
    .option('--max-pixels <N>', 'most pixels of a picture, width times height (default: 16383 times 16383)', parseCount)
    .option('--timeout <seconds>', 'that a URL, or decoding a picture, may take (default: 300)', parsePositive)
    .option('--max-redirects <N>', 'that a URL may take (default: 10)', parseNatural)
    .option('--verbose', 'say on stderr what each picture took');
  addDrawingOptions(command).action(detect);
}

/** What is read of pictures at most, as far as it was given. */
function limitsOf({ maxBytes, maxPixels, timeout, maxRedirects }: DetectOptions): ReadLimits {
  return {
    ...(maxBytes !== undefined && { maxBytes }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(timeout !== undefined && { timeout: Math.ceil(timeout * 1000) }),
    ...(maxRedirects !== undefined && { maxRedirects }),
  };
}

/** The detector's options, as far as they were given. */
function detectorOptions(options: DetectOptions) {
  const { size, sizes, compat, score, iou, maxFaces, autotune, precision } = options;
  return {
    ...(size && { inputSize: size }),
    ...(sizes && { inputSizes: sizes }),
    ...(compat && { compat }),
    ...(score !== undefined && { scoreThreshold: score }),
    ...(iou !== undefined && { iouThreshold: iou }),
    ...(maxFaces !== undefined && { maxFaces }),
    ...(autotune && { autotune }),
    ...(precision && { precision }),
  };
}

function checkOptions({ size, sizes, resume, output, format }: DetectOptions): void {
  if (size && sizes) throw new InvalidArgumentError('--sizes: expected this or --size, got both.');
  if (resume && (output === undefined || format !== 'ndjson')) {
    throw new InvalidArgumentError('--resume: expected --output FILE and --format ndjson with it.');
  }
}

/** What is said to an interruption. */
function hintOf({ output, format }: DetectOptions): string {
  if (output === undefined) return 'the results are not all there';
  if (format === 'ndjson') return 'the same command with --resume goes on where it stopped';
  return `nothing is written to ${output}`;
}

async function detect(inputs: string[], given: DetectOptions): Promise<void> {
  const options: DetectOptions = { ...given, ...(given.json && { format: 'json' }) };
  checkOptions(options);
  await interruptible(hintOf(options), (signal) => detectAll(inputs, options, signal));
}

async function detectAll(inputs: readonly string[], options: DetectOptions, signal: AbortSignal): Promise<void> {
  const { format, output: file, resume = false, out, crops, verbose = false } = options;
  const painting = paintOptionsOf(options, out !== undefined);
  const limits = limitsOf(options);
  const standardInput = inputs.includes(STANDARD_INPUT) ? await readStandardInput(signal, limits.maxBytes) : undefined;
  const received = standardInput && 'picture' in standardInput ? standardInput.picture : undefined;
  if (received && resume) throw new InvalidArgumentError('--resume: expected pictures with names, got one on stdin.');
  const all = await collectPictures(inputs, { signal, standardInput });
  const isMine = shardList(all, options.shard);
  const model = options.model === undefined ? await chooseDefault(signal) : await modelFile(options.model, signal);
  await assertNotRead({ '--output': file, 'standard output': STDOUT }, [...all, model]);
  // for all shards together, so that none writes over another's
  const paths = await planOutputs(all, { out, crops }, file === undefined ? [model] : [model, file]);
  const { createDetector } = await import('../../index.node.ts');
  const detector = await ofModel(model, () => createDetector(model, { ...detectorOptions(options), signal }));
  try {
    const { keypointCount } = detector;
    if (crops !== undefined && keypointCount !== 5) {
      const found =
        keypointCount === 0 ? 'which this model does not find' : `of which this model finds ${keypointCount}`;
      throw new ModelError(`${model}: --crops needs five keypoints, ${found}; see scrfd models list`);
    }
    const output = await openOutput(format, file, resume, keypointCount);
    const waiting: number[] = [];
    let kept = 0;
    all.forEach((image, i) => {
      if (!isMine(i)) return;
      if (output.done.has(image)) kept++;
      else waiting.push(i);
    });
    const bar =
      waiting.length >= MANY && !verbose ? await showRate('pictures', kept + waiting.length, kept) : undefined;
    let failed = 0;
    const ending = new AbortController();
    const over = AbortSignal.any([signal, ending.signal]);
    try {
      const nameOf = (image: string) => (image === STANDARD_INPUT && received ? 'standard input' : image);
      const open = (image: string) =>
        openPicture(image === STANDARD_INPUT && received ? received : image, { signal, limits }, nameOf(image));
      const read = readInTurn(open, over);
      const decoded = mapConcurrent(waiting, options.jobs, (i) => read(all[i]!));
      const searched = mapConcurrent(decoded, 2, async ({ result, error }) => {
        if (!result) throw error;
        return timed(() => detector.detect(result.pixels, { signal }));
      });
      for await (const { item: picture, result: search, error } of searched) {
        signal.throwIfAborted();
        const i = picture.item;
        const image = all[i]!;
        try {
          if (!picture.result || !search) throw error;
          const { pixels, decodeMs } = picture.result;
          const { result: faces, ms: searchMs } = search;
          const { width, height } = pixels;
          const start = performance.now();
          if (paths.pictures) await writeAnnotated(paths.pictures(i), pixels, faces, painting);
          if (paths.crops) await writeCrops(detector, paths.crops(i), pixels, faces);
          // last, because `--resume` takes a picture with a result for done
          await output.write({ image, width, height, faces });
          if (paths.pictures && format === 'table') {
            process.stdout.write(`written to ${printable(paths.pictures(i))}\n`);
          }
          const writeMs = performance.now() - start;
          if (verbose) notify(`${nameOf(image)}: ${formatTimes({ decodeMs, searchMs, writeMs })}`);
        } catch (cause) {
          if (cause instanceof Reported || signal.aborted) {
            // pictures that wait for memory would wait for ever
            ending.abort(cause);
            throw cause;
          }
          failed++;
          reportError(cause, nameOf(image));
        } finally {
          picture.result?.leave();
        }
        bar?.increment();
      }
      await output.end();
    } catch (error) {
      await output.abandon();
      throw error;
    } finally {
      bar?.stop();
    }
    if (waiting.length >= MANY) {
      notify(`${waiting.length} pictures, ${failed} failed${kept > 0 ? `, ${kept} done before` : ''}`);
    }
  } finally {
    await detector.dispose();
  }
}

function formatTimes({ decodeMs, searchMs, writeMs }: Record<'decodeMs' | 'searchMs' | 'writeMs', number>): string {
  const format = (ms: number) => `${ms.toFixed(1)} ms`;
  return `decoded in ${format(decodeMs)}, searched in ${format(searchMs)}, written in ${format(writeMs)}`;
}

/** `stem-1.png`, `stem-2.png` and so on, in the order of the faces. */
async function writeCrops(detector: Detector, stem: string, pixels: Pixels, faces: readonly Face[]): Promise<void> {
  const crops = await detector.alignFaces(pixels, faces);
  for (const [i, crop] of crops.entries()) await writePicture(`${stem}-${i + 1}.png`, crop);
}
