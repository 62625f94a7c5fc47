import { mkdir, realpath } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { isWritable, writeAnnotated } from '../draw.node.ts';
import { ImageError } from '../errors.ts';
import type { Face, Pixels } from '../face.ts';
import { readImage } from '../images.node.ts';
import { asUrl } from '../read-source.node.ts';
import { chooseModel } from './default-model.ts';
import { modelOption, parseCount, parseFraction, sizeOption } from './options.ts';
import { notify, reportError } from './report.ts';

interface DetectOptions {
  model?: string;
  json?: true;
  out?: string;
  size?: [number, number];
  score?: number;
  iou?: number;
  maxFaces?: number;
}

export function addDetect(program: Command): void {
  program
    .command('detect')
    .description(
      'Find faces in pictures and print them as a table or as JSON. Without --model the best model to be had is used.',
    )
    .argument('<image...>', 'pictures: paths or URLs (JPEG, PNG, WebP, AVIF, GIF, TIFF)')
    .addOption(modelOption().makeOptionMandatory(false))
    .option('--json', 'print one JSON array, an entry per picture')
    .option('-o, --out <dir>', 'also write every picture with its faces drawn to this folder')
    .addOption(sizeOption())
    .option('--score <S>', 'lowest score of a face, 0 to 1 (default: 0.5)', parseFraction)
    .option('--iou <I>', 'highest overlap of two faces, 0 to 1 (default: 0.4)', parseFraction)
    .option('--max-faces <N>', 'at most this many faces per picture', parseCount)
    .action(detect);
}

async function detect(images: string[], options: DetectOptions): Promise<void> {
  const { json, out, size, score, iou, maxFaces } = options;
  const targets = out === undefined ? undefined : await planOutputs(images, out);
  const model = options.model ?? (await chooseDefault());
  const { createDetector } = await import('../index.node.ts');
  const detector = await createDetector(model, {
    ...(size && { inputSize: size }),
    ...(score !== undefined && { scoreThreshold: score }),
    ...(iou !== undefined && { iouThreshold: iou }),
    ...(maxFaces !== undefined && { maxFaces }),
  });
  const records: string[] = [];
  try {
    for (const [i, image] of images.entries()) {
      try {
        const pixels = await readImage(image);
        const faces = await detector.detect(pixels);
        if (json) records.push(formatJson(image, pixels, faces));
        else process.stdout.write(formatTable(image, pixels, faces));
        const target = targets?.[i];
        if (target !== undefined) {
          await writeAnnotated(target, pixels, faces);
          if (!json) process.stdout.write(`written to ${target}\n`);
        }
      } catch (error) {
        reportError(error, image);
      }
    }
  } finally {
    await detector.dispose();
  }
  if (json) process.stdout.write(records.length === 0 ? '[]\n' : `[\n${records.join(',\n')}\n]\n`);
}

async function chooseDefault(): Promise<string> {
  const { path, note } = await chooseModel({ onNotice: notify });
  notify(note);
  return path;
}

function formatJson(image: string, { width, height }: Pixels, faces: readonly Face[]): string {
  return JSON.stringify({
    image,
    width,
    height,
    faces: faces.map(({ box, score, keypoints }) => ({ box, score, ...(keypoints && { keypoints }) })),
  });
}

function formatTable(image: string, { width, height }: Pixels, faces: readonly Face[]): string {
  const count = faces.length === 1 ? '1 face' : `${faces.length} faces`;
  const lines = [`${image}  ${width}×${height}  ${count}`];
  if (faces.length > 0) {
    lines.push(tableRow('#', 'score', ['x1', 'y1', 'x2', 'y2'], 'keypoints'));
  }
  for (const [i, { box, score, keypoints }] of faces.entries()) {
    const corners = box.map((value) => value.toFixed(1));
    lines.push(tableRow(String(i + 1), score.toFixed(3), corners, String(keypoints?.length ?? 'none')));
  }
  return `${lines.join('\n')}\n`;
}

function tableRow(index: string, score: string, corners: readonly string[], keypoints: string): string {
  return `${index.padStart(5)}  ${score.padStart(5)} ${corners.map((text) => text.padStart(8)).join('')}  ${keypoints}`;
}

/** A path in `directory` for every picture: its own name, numbered where that would replace another picture. */
async function planOutputs(images: readonly string[], directory: string): Promise<string[]> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw new ImageError(`${directory}: expected a folder to write to (${(error as Error).message})`, { cause: error });
  }
  const folder = await realpath(directory);
  // Lower case, because two names that differ by case alone are one file on macOS and Windows.
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
