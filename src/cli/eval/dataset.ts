import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileKind, MODEL_FILE, readRegularFile, readSource } from '../../node/files.ts';
import { EvaluationError } from './errors.ts';
import { type AnnotatedImage, type GroundTruth, MAT_FILES, readLabels, readMatGroundTruth } from './ground-truth.ts';

/** Where downloads, the official tools and SCRFD's own training data keep each part. */
const IMAGE_FOLDERS = ['images', 'WIDER_val/images'];
const MAT_FOLDERS = ['ground_truth', 'eval_tools/ground_truth', 'gt'];
const LABEL_FILE = 'labelv2.txt';

const MAX_BYTES = 2 ** 30;
const EVALUATION_FILE: FileKind = { ...MODEL_FILE, Failure: EvaluationError, maxBytes: { file: MAX_BYTES, url: 0 } };

/** @throws EvaluationError that names the file */
export function readEvaluationFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return readSource(path, EVALUATION_FILE, {});
}

export interface Dataset extends GroundTruth {
  readonly folder: string;
  readonly annotations: 'mat' | 'labelv2';
}

/**
 * Reads a data set's annotations: the official files, or `labelv2.txt` where they are absent.
 * @throws EvaluationError where neither is there or one is damaged
 */
export async function openDataset(folder: string): Promise<Dataset> {
  for (const place of MAT_FOLDERS) {
    const names = await listFolder(join(folder, place));
    const missing = Object.values(MAT_FILES).filter((name) => !names.includes(name));
    // tools for all splits may lie there without the annotations
    if (missing.length === Object.keys(MAT_FILES).length) continue;
    if (missing.length > 0) {
      throw new EvaluationError(`${join(folder, place)}: expected ${missing.join(', ')} too`);
    }
    const read = (file: keyof typeof MAT_FILES) => readEvaluationFile(join(folder, place, MAT_FILES[file]));
    return { ...(await readMatGroundTruth(read)), folder, annotations: 'mat' };
  }
  const path = join(folder, LABEL_FILE);
  const labels = await readRegularFile(path, MAX_BYTES, undefined).catch((error: NodeJS.ErrnoException) => {
    const places = `${MAT_FOLDERS.map((place) => `${place}/${MAT_FILES.faces}`).join(', ')} or ${LABEL_FILE}`;
    const reason = error.code === 'ENOENT' || error.code === 'ENOTDIR' ? `expected ${places}` : error.message;
    throw new EvaluationError(`${folder}: ${reason}`, { cause: error });
  });
  return { ...readLabels(new TextDecoder().decode(labels), path), folder, annotations: 'labelv2' };
}

export interface ImageFile {
  readonly image: AnnotatedImage;
  readonly path: string;
}

/**
 * The annotated images that are there, in the order of the annotations.
 * @throws EvaluationError where none is
 */
export async function listImages({ folder, images }: Dataset): Promise<ImageFile[]> {
  for (const place of IMAGE_FOLDERS) {
    const files = await findFiles(join(folder, place), images, 'jpg');
    if (files.length > 0) return files;
  }
  const places = IMAGE_FOLDERS.map((place) => `${place}/${images[0]!.event}`).join(' or ');
  throw new EvaluationError(`${folder}: expected pictures in ${places}, got none`);
}

/** Files `event/name.extension` of a folder that belong to annotated images. */
export async function findFiles(
  folder: string,
  images: readonly AnnotatedImage[],
  extension: 'jpg' | 'txt',
): Promise<ImageFile[]> {
  const events = [...new Set(images.map(({ event }) => event))];
  const names = new Map(
    await Promise.all(events.map(async (event) => [event, new Set(await listFolder(join(folder, event)))] as const)),
  );
  return images
    .filter(({ event, name }) => names.get(event)!.has(`${name}.${extension}`))
    .map((image) => ({ image, path: join(folder, image.event, `${image.name}.${extension}`) }));
}

/** Names in a folder; none where there is no such folder. */
async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new EvaluationError(`${folder}: ${(error as Error).message}`, { cause: error });
  }
}
