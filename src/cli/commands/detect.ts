import { mkdir, realpath } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ImageError } from '../../common/errors.ts';
import type { Face } from '../../common/face.ts';
import type { Size } from '../../common/geometry.ts';
import type { Pixels } from '../../common/image.ts';
import type { Compat } from '../../detector/options.ts';
import type { Detector, Precision } from '../../index.node.ts';
import { isWritable, writeAnnotated, writePicture } from '../../node/draw.ts';
import { asUrl } from '../../node/files.ts';
import { readImage } from '../../node/images.ts';
import { chooseDefault } from '../shared/default-model.ts';
import { collectPictures, parseShard, type Shard } from '../shared/inputs.ts';
import { mapConcurrent } from '../shared/map-concurrent.ts';
import { modelOption, parseCount, parseFraction, parseSize, precisionOption, sizeOption } from '../shared/options.ts';
import { assertNotRead, FORMATS, type Format, openOutput } from '../shared/output.ts';
import { showRate } from '../shared/progress.ts';
import { notify, reportError } from '../shared/report.ts';

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
}

/** From so many pictures on, a run has a bar and ends with a summary. */
const MANY = 10;

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
    .action(detect);
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

async function detect(inputs: string[], given: DetectOptions): Promise<void> {
  const options: DetectOptions = { ...given, ...(given.json && { format: 'json' }) };
  checkOptions(options);
  const { format, out, crops, jobs } = options;
  const all = await collectPictures(inputs, options.shard);
  const targets = out === undefined ? undefined : await planOutputs(all, out);
  const cropTargets = crops === undefined ? undefined : await planOutputs(all, crops);
  const model = options.model ?? (await chooseDefault());
  if (options.output !== undefined) await assertNotRead('--output', options.output, [...all, model]);
  const { createDetector } = await import('../../index.node.ts');
  const detector = await createDetector(model, detectorOptions(options));
  const output = await openOutput(format, options.output, options.resume === true);
  const images = [...all.entries()].filter(([, image]) => !output.done.has(image));
  const bar = images.length >= MANY ? await showRate('pictures', all.length, output.done.size) : undefined;
  let failed = 0;
  try {
    const decoded = mapConcurrent(images, jobs, ([, image]) => readPicture(image));
    const searched = mapConcurrent(decoded, 2, async ({ item, result: pixels, error }) => {
      if (!pixels) throw error;
      return { pixels, faces: await detector.detect(pixels), item };
    });
    for await (const { item, result, error } of searched) {
      const [i, image] = item.item;
      try {
        if (!result) throw error;
        const { pixels, faces } = result;
        const { width, height } = pixels;
        if (targets) await writeAnnotated(targets[i]!, pixels, faces);
        if (cropTargets) await writeCrops(detector, cropTargets[i]!, pixels, faces);
        // last, because `--resume` takes a picture with a result for done
        await output.write({ image, width, height, faces });
        if (targets && format === 'table') process.stdout.write(`written to ${targets[i]}\n`);
      } catch (cause) {
        failed++;
        reportError(cause, image);
      }
      bar?.increment();
    }
  } finally {
    bar?.stop();
    await output.end();
    await detector.dispose();
  }
  if (images.length >= MANY) {
    const kept = output.done.size > 0 ? `, ${all.length - images.length} done before` : '';
    notify(`${images.length} pictures, ${failed} failed${kept}`);
  }
}

/** Decodes a picture. @throws ImageError for one too small to show a face, too */
async function readPicture(image: string): Promise<Pixels> {
  const pixels = await readImage(image);
  const { width, height } = pixels;
  if (width < 2 || height < 2) throw new ImageError(`${image}: expected at least 2×2 pixels, got ${width}×${height}`);
  return pixels;
}

/** `name-1.png`, `name-2.png` and so on, in the order of the faces. */
async function writeCrops(detector: Detector, target: string, pixels: Pixels, faces: readonly Face[]): Promise<void> {
  const crops = await detector.alignFaces(pixels, faces);
  const stem = target.slice(0, -extname(target).length);
  for (const [i, crop] of crops.entries()) await writePicture(`${stem}-${i + 1}.png`, crop);
}

/** A path in `directory` for every picture: its own name, numbered where that would replace another picture. */
async function planOutputs(images: readonly string[], directory: string): Promise<string[]> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw new ImageError(`${directory}: expected a folder to write to (${(error as Error).message})`, { cause: error });
  }
  const folder = await realpath(directory);
  // lower case, because two names that differ by case alone are one file on macOS and Windows
  const taken = new Set(await Promise.all(images.map(async (image) => (await localPath(image)).toLowerCase())));
  return images.map((image) => {
    const name = basename(asUrl(image)?.pathname ?? image);
    const stem = basename(name, extname(name)) || 'picture';
    const extension = isWritable(name) ? extname(name) : '.png';
    for (let n = 1; ; n++) {
      const path = join(folder, n === 1 ? `${stem}${extension}` : `${stem}-${n}${extension}`);
      if (taken.has(path.toLowerCase())) continue;
      taken.add(path.toLowerCase());
      return path;
    }
  });
}

async function localPath(image: string): Promise<string> {
  const url = asUrl(image);
  if (url !== undefined && url.protocol !== 'file:') return url.href;
  const path = resolve(url === undefined ? image : fileURLToPath(url));
  return realpath(path).catch(() => path);
}
