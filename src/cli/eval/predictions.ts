import type { Face } from '../../common/face.ts';
import { EvaluationError } from './errors.ts';
import type { AnnotatedImage } from './ground-truth.ts';

/** What was found in one image, in the order of the file: the best first, where a detector wrote it. */
export interface Predictions {
  /** x, y, width, height of each, in pixels. */
  readonly boxes: Float64Array;
  readonly scores: Float64Array;
}

/** A file of the official form: the image, the number of faces, and `x y width height score` a face. */
export function formatPredictions({ event, name }: Pick<AnnotatedImage, 'event' | 'name'>, faces: readonly Face[]) {
  const rows = faces.map(({ box: [x1, y1, x2, y2], score }) => {
    // nine digits tell any two float32 apart
    return `${[x1, y1, x2 - x1, y2 - y1].map((value) => value.toFixed(5)).join(' ')} ${score.toPrecision(9)}\n`;
  });
  return `${event}/${name}.jpg\n${faces.length}\n${rows.join('')}`;
}

/**
 * Reads a file of the official form.
 * @param source the file's name, for errors
 * @throws EvaluationError that names the line
 */
export function parsePredictions(
  text: string,
  { event, name }: Pick<AnnotatedImage, 'event' | 'name'>,
  source: string,
): Predictions {
  const [title = '', countText = '', ...rows] = text.trimEnd().split(/\r?\n/);
  const titled = /^(?:.*\/)?(.*?)(?:\.jpg)?$/i.exec(title.trim())?.[1];
  if (titled !== name) {
    throw new EvaluationError(`${source}:1: expected ${event}/${name}.jpg, got '${title.slice(0, 80)}'`);
  }
  if (!/^\s*\d+\s*$/.test(countText) || Number(countText) !== rows.length) {
    throw new EvaluationError(`${source}:2: expected ${rows.length}, the number of rows, got '${countText}'`);
  }
  const boxes = new Float64Array(rows.length * 4);
  const scores = new Float64Array(rows.length);
  for (const [i, row] of rows.entries()) {
    const values = row.trim().split(/\s+/).map(Number);
    if (values.length !== 5 || !values.every(Number.isFinite)) {
      throw new EvaluationError(`${source}:${i + 3}: expected 'x y width height score', got '${row.slice(0, 80)}'`);
    }
    boxes.set(values.slice(0, 4), i * 4);
    scores[i] = values[4]!;
  }
  return { boxes, scores };
}
