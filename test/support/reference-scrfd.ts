import type { Face } from '../../src/common/face.ts';
import type { Pixels } from '../../src/common/image.ts';
import { type OrtTensor, runOrtInOrder } from './ort.ts';
import { type LetterboxOptions, letterbox, loadOpenCv } from './reference-letterbox.ts';

/** What the outputs are. */
export interface ReferenceLayout {
  readonly strides: readonly number[];
  /** Of a cell. */
  readonly anchors: number;
  /** Of a face. */
  readonly points: number;
}

export interface DecodeOptions {
  /** Width and height of the network's input. */
  readonly inputSize: readonly [number, number];
  readonly scoreThreshold?: number;
  /** Pixels of the network's input per pixel of the picture. */
  readonly detScale?: number;
  /** By default what insightface takes from the number of outputs. */
  readonly layout?: ReferenceLayout;
}

export interface SelectOptions {
  /** No limit when absent or 0. */
  readonly maxFaces?: number;
  readonly maxFacesMetric?: 'default' | 'max';
}

export interface ReferenceOptions extends Omit<DecodeOptions, 'detScale'>, SelectOptions, LetterboxOptions {
  readonly iouThreshold?: number;
}

export interface Candidate extends Face {
  /** Place among all anchors: levels in order, then rows, columns, anchors of the cell. */
  readonly anchor: number;
}

/** numpy's float32 arithmetic: every intermediate result is rounded. */
const f = Math.fround;

/** insightface 0.7 on onnxruntime's CPU outputs. A model of baked size needs just that `inputSize`. */
export async function detectReference(
  model: string | Uint8Array,
  pixels: Pixels,
  options: ReferenceOptions,
): Promise<Face[]> {
  return detectJointReference(model, pixels, [options.inputSize], options);
}

/** insightface 1.0: candidates of several sizes in turn, then one NMS. */
export async function detectJointReference(
  model: string | Uint8Array,
  pixels: Pixels,
  inputSizes: readonly (readonly [number, number])[],
  options: Omit<ReferenceOptions, 'inputSize'>,
): Promise<Face[]> {
  await loadOpenCv();
  const candidates: Candidate[] = [];
  for (const inputSize of inputSizes) {
    const [width, height] = inputSize;
    const { blob, detScale } = letterbox(pixels, inputSize, options);
    const outputs = await runOrtInOrder(model, { dims: [1, 3, height, width], data: blob });
    const tensors = outputs.map(([, tensor]) => tensor);
    const found = decodeOutputs(tensors, { ...options, inputSize, detScale });
    // behind all anchors of the sizes before
    const first = candidates.length === 0 ? 0 : 1e6 * inputSizes.indexOf(inputSize);
    candidates.push(...found.map((candidate) => ({ ...candidate, anchor: first + candidate.anchor })));
  }
  const kept = nms(candidates, options.iouThreshold);
  return selectFaces(kept, pixels, options).map(({ anchor: _, ...face }) => face);
}

/** Anchors that reach the threshold, in anchor order. `outputs` in the model's order: scores, boxes, keypoints. */
export function decodeOutputs(
  outputs: readonly OrtTensor[],
  { inputSize: [width, height], scoreThreshold = 0.5, detScale = 1, layout = layoutOf(outputs.length) }: DecodeOptions,
): Candidate[] {
  const { strides, anchors, points } = layout;
  const levels = strides.length;
  const candidates: Candidate[] = [];
  let firstAnchor = 0;
  for (const [level, stride] of strides.entries()) {
    const columns = Math.floor(width / stride);
    const grid = { rows: Math.floor(height / stride), columns, anchors };
    const scoreAt = readerOf(outputs[level]!, 1, grid);
    const distanceAt = readerOf(outputs[levels + level]!, 4, grid);
    const offsetAt = points > 0 ? readerOf(outputs[2 * levels + level]!, 2 * points, grid) : undefined;
    const count = grid.rows * columns * anchors;
    for (let row = 0; row < count; row++) {
      const score = scoreAt(row, 0);
      if (!(score >= f(scoreThreshold))) continue;
      const cell = Math.floor(row / anchors);
      const cx = (cell % columns) * stride;
      const cy = Math.floor(cell / columns) * stride;
      const scaled = (value: number) => f(value / f(detScale));
      const before = (center: number, distance: number) => scaled(f(center - f(distance * stride)));
      const after = (center: number, distance: number) => scaled(f(center + f(distance * stride)));
      candidates.push({
        anchor: firstAnchor + row,
        score,
        box: [
          before(cx, distanceAt(row, 0)),
          before(cy, distanceAt(row, 1)),
          after(cx, distanceAt(row, 2)),
          after(cy, distanceAt(row, 3)),
        ],
        ...(offsetAt && {
          keypoints: Array.from(
            { length: points },
            (_, k) => [after(cx, offsetAt(row, 2 * k)), after(cy, offsetAt(row, 2 * k + 1))] as const,
          ),
        }),
      });
    }
    firstAnchor += count;
  }
  return candidates;
}

function layoutOf(outputCount: number): ReferenceLayout {
  const three = { strides: [8, 16, 32], anchors: 2 };
  const five = { strides: [8, 16, 32, 64, 128], anchors: 1 };
  switch (outputCount) {
    case 6:
      return { ...three, points: 0 };
    case 9:
      return { ...three, points: 5 };
    case 10:
      return { ...five, points: 0 };
    case 15:
      return { ...five, points: 5 };
    default:
      throw new RangeError(`expected 6, 9, 10 or 15 outputs, got ${outputCount}`);
  }
}

/** Channel `c` of row `(y*columns + x)*anchors + a`, whether the output is [1,N,C], [N,C] or [1,A*C,H,W]. */
function readerOf(
  { dims, data }: OrtTensor,
  channels: number,
  { rows, columns, anchors }: { rows: number; columns: number; anchors: number },
): (row: number, c: number) => number {
  const cells = rows * columns;
  const isPlanar = dims.length === 4;
  const expected = isPlanar ? [1, anchors * channels, rows, columns] : [cells * anchors, channels];
  if (dims.join() !== expected.join() && dims.join() !== [1, ...expected].join()) {
    throw new RangeError(`expected an output of ${expected.join('×')}, got ${dims.join('×')}`);
  }
  if (!isPlanar) return (row, c) => data[row * channels + c]!;
  return (row, c) => data[((row % anchors) * channels + c) * cells + Math.floor(row / anchors)]!;
}

/** Sorts by score, then anchor, and drops every box that overlaps a kept one by more than the threshold. */
export function nms(candidates: readonly Candidate[], iouThreshold = 0.4): Candidate[] {
  const kept: Candidate[] = [];
  for (const candidate of [...candidates].sort((a, b) => b.score - a.score || a.anchor - b.anchor)) {
    if (kept.every((other) => iou(other.box, candidate.box) <= f(iouThreshold))) kept.push(candidate);
  }
  return kept;
}

/** Boxes include their last pixel, hence the ones. */
function iou(a: Face['box'], b: Face['box']): number {
  const side = (low: number, high: number) => f(f(high - low) + 1);
  const area = ([x1, y1, x2, y2]: Face['box']) => f(side(x1, x2) * side(y1, y2));
  const width = Math.max(0, side(Math.max(a[0], b[0]), Math.min(a[2], b[2])));
  const height = Math.max(0, side(Math.max(a[1], b[1]), Math.min(a[3], b[3])));
  const intersection = f(width * height);
  return f(intersection / f(f(area(a) + area(b)) - intersection));
}

/** The `maxFaces` largest, or by default largest and most central; in that order, but only when there are more. */
export function selectFaces<T extends Face>(
  faces: readonly T[],
  { width, height }: { readonly width: number; readonly height: number },
  { maxFaces = 0, maxFacesMetric = 'default' }: SelectOptions = {},
): T[] {
  if (maxFaces <= 0 || faces.length <= maxFaces) return [...faces];
  const value = ({ box: [x1, y1, x2, y2] }: T) => {
    const area = f(f(x2 - x1) * f(y2 - y1));
    if (maxFacesMetric === 'max') return area;
    const dx = f(f(f(x1 + x2) / 2) - Math.floor(width / 2));
    const dy = f(f(f(y1 + y2) / 2) - Math.floor(height / 2));
    return f(area - f(f(f(dx * dx) + f(dy * dy)) * 2));
  };
  return [...faces].sort((a, b) => value(b) - value(a)).slice(0, maxFaces);
}
