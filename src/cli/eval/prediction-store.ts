import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeWhole } from '../../node/files.ts';
import { findFiles } from './dataset.ts';
import { EvaluationError } from './errors.ts';
import type { AnnotatedImage } from './ground-truth.ts';
import { type Predictions, parsePredictions } from './predictions.ts';

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

/** Prediction files of one run, `predictions/event/image.txt`, beside the settings they were made with. */
export class PredictionStore {
  readonly #folder: string;
  readonly #done: Map<AnnotatedImage, Predictions>;

  private constructor(folder: string, done: Map<AnnotatedImage, Predictions>) {
    this.#folder = folder;
    this.#done = done;
  }

  /**
   * Opens a folder, or makes it; files of an earlier run with the same settings are kept.
   * @throws EvaluationError where they were made with others, or one is damaged
   */
  static async open(
    out: string,
    settings: PredictionSettings,
    images: readonly AnnotatedImage[],
  ): Promise<PredictionStore> {
    const folder = join(out, 'predictions');
    const done = new Map((await readPredictions(folder, images)).map((each) => [each.image, each.predictions]));
    await claimFolder(out, settings, done.size);
    return new PredictionStore(folder, done);
  }

  get(image: AnnotatedImage): Predictions | undefined {
    return this.#done.get(image);
  }

  async write(image: AnnotatedImage, text: string): Promise<void> {
    const path = join(this.#folder, image.event, `${image.name}.txt`);
    await mkdir(dirname(path), { recursive: true });
    await writeWhole(path, () => text, EvaluationError);
  }
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
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new EvaluationError(`${path}: ${error.message}`, { cause: error });
  });
  if (text === undefined) {
    if (predictions > 0) {
      throw new EvaluationError(
        `${out}: holds predictions of unknown settings (no settings.json); choose another folder or evaluate them with --predictions`,
      );
    }
    await makeFolder(out);
    await writeWhole(path, () => `${JSON.stringify(settings, null, 2)}\n`, EvaluationError);
    return;
  }
  const kept = parseSettings(text, path);
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
    found.push({ image, predictions: parsePredictions(await readFile(path, 'utf8'), image, path) });
  }
  return found;
}
