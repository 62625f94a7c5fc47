import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ImageError } from '../../common/errors.ts';
import type { Face } from '../../common/face.ts';
import type { Size } from '../../common/geometry.ts';
import type { Pixels } from '../../common/image.ts';
import type { Compat } from '../../detector/options.ts';
import type { Detector, Precision, ReadLimits } from '../../index.node.ts';
import { writeAnnotated, writePicture } from '../../node/draw.ts';
import { openEncoded, type ReadImageOptions, type UndecodedImage } from '../../node/images.ts';
import { printable } from '../../node/printable.ts';
import { WeightedQueue } from '../../node/weighted-queue.ts';
import { chooseDefault } from '../shared/default-model.ts';
import { collectPictures, parseShard, type Shard, shardList } from '../shared/inputs.ts';
import { interruptible } from '../shared/interrupt.ts';
import { mapConcurrent } from '../shared/map-concurrent.ts';
import {
  modelOption,
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
import { notify, Reported, reportError } from '../shared/report.ts';

interface DetectOptions {
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
}

/** From so many pictures on, a run has a bar and ends with a summary. */
const MANY = 10;

/** Pixels that pictures have together from being decoded until they are done with: 800 MB, or one larger picture. */
const PIXELS_HELD = 2 ** 28;

function parseSizes(text: string): Size[] {
  return text.split(',').map(parseSize);
}

export function addDetect(program: Command): void {
  program
    .command('detect')
    .description('Find faces in pictures. Without --model the best model to be had is used.')
    .argument(
      '<image...>',
      'pictures (JPEG, PNG, WebP, AVIF, GIF, TIFF): paths, URLs, folders, patterns, or - for a list on stdin',
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
    .action(detect);
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
  const { format, output: file, resume = false } = options;
  const all = await collectPictures(inputs, signal);
  const isMine = shardList(all, options.shard);
  const model = options.model ?? (await chooseDefault(signal));
  await assertNotRead({ '--output': file, 'standard output': STDOUT }, [...all, model]);
  // for all shards together, so that none writes over another's
  const paths = await planOutputs(all, options, file === undefined ? [model] : [model, file]);
  const { createDetector } = await import('../../index.node.ts');
  const detector = await createDetector(model, { ...detectorOptions(options), signal });
  try {
    const output = await openOutput(format, file, resume);
    const waiting: number[] = [];
    let kept = 0;
    all.forEach((image, i) => {
      if (!isMine(i)) return;
      if (output.done.has(image)) kept++;
      else waiting.push(i);
    });
    const bar = waiting.length >= MANY ? await showRate('pictures', kept + waiting.length, kept) : undefined;
    let failed = 0;
    const ending = new AbortController();
    const over = AbortSignal.any([signal, ending.signal]);
    try {
      const read = inTurn((image) => openPicture(image, { signal, limits: limitsOf(options) }), over);
      const decoded = mapConcurrent(waiting, options.jobs, (i) => read(all[i]!));
      const searched = mapConcurrent(decoded, 2, async ({ result, error }) => {
        if (!result) throw error;
        return detector.detect(result.pixels, { signal });
      });
      for await (const { item: picture, result: faces, error } of searched) {
        signal.throwIfAborted();
        const i = picture.item;
        const image = all[i]!;
        try {
          if (!picture.result || !faces) throw error;
          const { pixels } = picture.result;
          const { width, height } = pixels;
          if (paths.pictures) await writeAnnotated(paths.pictures(i), pixels, faces);
          if (paths.crops) await writeCrops(detector, paths.crops(i), pixels, faces);
          // last, because `--resume` takes a picture with a result for done
          await output.write({ image, width, height, faces });
          if (paths.pictures && format === 'table') {
            process.stdout.write(`written to ${printable(paths.pictures(i))}\n`);
          }
        } catch (cause) {
          if (cause instanceof Reported || signal.aborted) {
            // pictures that wait for memory would wait for ever
            ending.abort(cause);
            throw cause;
          }
          failed++;
          reportError(cause, image);
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

/** A decoded picture in memory. */
class HeldPicture {
  #pixels: Pixels | null;
  readonly #leave: () => void;

  constructor(pixels: Pixels, leave: () => void) {
    this.#pixels = pixels;
    this.#leave = leave;
  }

  get pixels(): Pixels {
    return this.#pixels!;
  }

  /** Makes room for others. */
  leave(): void {
    // loops that wait for the next picture still hold this one
    this.#pixels = null;
    this.#leave();
  }
}

/**
 * Decodes pictures as there is room for their pixels: in the order in which they are asked for, so that none waits for one that
 * comes after it. Files and headers are read meanwhile.
 */
function inTurn(
  open: (image: string) => Promise<UndecodedImage>,
  signal: AbortSignal,
): (image: string) => Promise<HeldPicture> {
  const memory = new WeightedQueue(PIXELS_HELD);
  let admitted: Promise<unknown> = Promise.resolve();
  return async (image) => {
    const opening = open(image);
    const entering = Promise.allSettled([opening, admitted]).then(async () => {
      const picture = await opening;
      return { picture, leave: await memory.enter(picture.width * picture.height, signal) };
    });
    admitted = entering.catch(() => {});
    const { picture, leave } = await entering;
    try {
      return new HeldPicture(await picture.decode(), leave);
    } catch (error) {
      leave();
      throw error;
    }
  };
}

/** @throws ImageError for a picture too small to show a face, too */
async function openPicture(image: string, options: ReadImageOptions): Promise<UndecodedImage> {
  const picture = await openEncoded(image, options);
  const { width, height } = picture;
  if (width < 2 || height < 2) throw new ImageError(`${image}: expected at least 2×2 pixels, got ${width}×${height}`);
  return picture;
}

/** `stem-1.png`, `stem-2.png` and so on, in the order of the faces. */
async function writeCrops(detector: Detector, stem: string, pixels: Pixels, faces: readonly Face[]): Promise<void> {
  const crops = await detector.alignFaces(pixels, faces);
  for (const [i, crop] of crops.entries()) await writePicture(`${stem}-${i + 1}.png`, crop);
}
