import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readRegularFile, sweepFolder, writeWhole } from '../../node/files.ts';
import { findFiles, readEvaluationFile } from './dataset.ts';
import { EvaluationError } from './errors.ts';
import type { AnnotatedImage } from './ground-truth.ts';
import { type Predictions, parsePredictions } from './predictions.ts';

const MAX_SETTINGS = 2 ** 20;

/** What predictions depend on. */
export interface PredictionSettings {
  /** Version of this package. */
  readonly version: string;
  /** SHA-256 of the model file. */
  readonly model: string;
  readonly protocol: string;
  readonly mode: string;
  readonly scoreThreshold: number;
  readonly iouThreshold: number;
}

/**
 * Opens the prediction files of one run, `predictions/event/image.txt`, beside the settings they were made with: a
 * folder that is there, or a new one. Files of an earlier run with the same settings are kept.
 * @throws EvaluationError where they were made with others, or one is damaged
 */
export async function openPredictions(out: string, settings: PredictionSettings, images: readonly AnnotatedImage[]) {
  const folder = join(out, 'predictions');
  const found = await readPredictions(folder, images);
  await claimFolder(out, settings, found.length);
  const events = new Set(images.map(({ event }) => event));
  await Promise.all([out, ...[...events].map((event) => join(folder, event))].map(sweepFolder));
  return {
    done: new Map(found.map(({ image, predictions }) => [image, predictions])),
    async write({ event, name }: AnnotatedImage, text: string): Promise<void> {
      const path = join(folder, event, `${name}.txt`);
      await mkdir(dirname(path), { recursive: true });
      await writeWhole(path, () => text, EvaluationError);
    },
  };
}

/** @throws EvaluationError where it cannot be made */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: Error) => {
    throw new EvaluationError(`${path}: cannot be made (${error.message})`, { cause: error });
  });
}

/** Compares the folder's settings with these, or writes these where it has neither settings nor predictions. */
async function claimFolder(out: string, settings: PredictionSettings, predictions: number): Promise<void> {
  const path = join(out, 'settings.json');
  const bytes = await readRegularFile(path, MAX_SETTINGS, undefined).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new EvaluationError(`${path}: ${error.message}`, { cause: error });
  });
  if (bytes === undefined) {
    if (predictions > 0) {
      throw new EvaluationError(
        `${out}: holds predictions of unknown settings (no settings.json); choose another folder or evaluate them with --predictions`,
      );
    }
    await makeFolder(out);
    await writeWhole(path, () => `${JSON.stringify(settings, null, 2)}\n`, EvaluationError);
    return;
  }
  const kept = parseSettings(new TextDecoder().decode(bytes), path);
  const differences = Object.entries(settings).flatMap(([key, value]) =>
    kept[key] === value ? [] : [`${key} ${String(kept[key])} instead of ${value}`],
  );
  if (differences.length > 0) {
    throw new EvaluationError(
      `${out}: its predictions were made with ${differences.join(', ')}; choose another folder or delete this one`,
    );
  }
}

function parseSettings(text: string, path: string): Record<string, unknown> {
  try {
    const settings: unknown = JSON.parse(text);
    if (typeof settings === 'object' && settings !== null) return settings as Record<string, unknown>;
    throw new Error('no object');
  } catch (error) {
    throw new EvaluationError(`${path}: expected settings as JSON (${(error as Error).message})`, { cause: error });
  }
}

export interface ImagePredictions {
  readonly image: AnnotatedImage;
  readonly predictions: Predictions;
}

/**
 * Reads what a folder of prediction files has of these images, in their order.
 * @throws EvaluationError that names a damaged file
 */
export async function readPredictions(folder: string, images: readonly AnnotatedImage[]): Promise<ImagePredictions[]> {
  const found: ImagePredictions[] = [];
  for (const { image, path } of await findFiles(folder, images, 'txt')) {
    found.push({
      image,
      predictions: parsePredictions(new TextDecoder().decode(await readEvaluationFile(path)), image, path),
    });
  }
  return found;
}
