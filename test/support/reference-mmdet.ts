import type { Face } from '../../src/common/face.ts';
import type { Pixels } from '../../src/common/image.ts';
import { runOrtInOrder } from './ort.ts';
import { loadOpenCv, resizeOpenCv } from './reference-letterbox.ts';
import { type Candidate, decodeOutputs } from './reference-scrfd.ts';

export interface MmdetOptions {
  /** Width and height of the network's input; `original` pads the picture to multiples of 32. */
  readonly inputSize: readonly [number, number] | 'original';
  /** Scores must exceed it. */
  readonly scoreThreshold?: number;
  readonly iouThreshold?: number;
}

export interface MmdetInput {
  /** 1×3×height×width, `(byte - 127.5) / 128`, and 0 where the picture does not reach. */
  readonly blob: Float32Array;
  readonly width: number;
  readonly height: number;
  readonly newWidth: number;
  readonly newHeight: number;
}

/** numpy's float32 arithmetic: every intermediate result is rounded. */
const f = Math.fround;

/** The evaluation behind SCRFD's published figures, `tools/test_widerface.py`, on onnxruntime's CPU outputs. */
export async function detectMmdet(modelPath: string, pixels: Pixels, options: MmdetOptions): Promise<Face[]> {
  await loadOpenCv();
  const { scoreThreshold = 0.02, iouThreshold = 0.45 } = options;
  const { blob, width, height, newWidth, newHeight } = prepareMmdet(pixels, options.inputSize);
  const outputs = await runOrtInOrder(modelPath, { dims: [1, 3, height, width], data: blob });
  const tensors = outputs.map(([, tensor]) => tensor);
  const scaleX = f(newWidth / pixels.width);
  const scaleY = f(newHeight / pixels.height);
  const scaled = (value: number, axis: number) => f(value / (axis === 0 ? scaleX : scaleY));
  const clipped = (value: number, axis: number) => Math.min(Math.max(value, 0), axis === 0 ? newWidth : newHeight);
  const candidates = decodeOutputs(tensors, { inputSize: [width, height], scoreThreshold })
    .filter(({ score }) => score > f(scoreThreshold))
    .map(({ box, keypoints, ...rest }): Candidate => {
      const [x1, y1, x2, y2] = box.map((value, i) => scaled(clipped(value, i % 2), i % 2));
      const points = keypoints?.map(([x, y]) => [scaled(x, 0), scaled(y, 1)] as const);
      return { ...rest, box: [x1!, y1!, x2!, y2!], ...(points && { keypoints: points }) };
    });
  return suppress(candidates, f(iouThreshold)).map(({ anchor: _, ...face }) => face);
}

/** Resize to rounded sizes, normalise, then pad: the padding is mid-grey. */
export function prepareMmdet(pixels: Pixels, inputSize: MmdetOptions['inputSize']): MmdetInput {
  const ceil = (side: number) => Math.ceil(side / 32) * 32;
  const [width, height] = inputSize === 'original' ? [ceil(pixels.width), ceil(pixels.height)] : inputSize;
  const scale = inputSize === 'original' ? 1 : Math.min(width / pixels.width, height / pixels.height);
  const newWidth = Math.trunc(pixels.width * scale + 0.5);
  const newHeight = Math.trunc(pixels.height * scale + 0.5);
  if (pixels.channels !== 3) throw new RangeError(`expected RGB, got ${pixels.channels} channels`);
  const small = resizeOpenCv(pixels, 3, newWidth, newHeight);
  const blob = new Float32Array(3 * width * height);
  for (let y = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++) {
      for (let c = 0; c < 3; c++) {
        blob[(c * height + y) * width + x] = (small[(y * newWidth + x) * 3 + c]! - 127.5) / 128;
      }
    }
  }
  return { blob, width, height, newWidth, newHeight };
}

/** mmcv's NMS: sides without their last pixel, and what overlaps by more than the threshold goes. */
function suppress(candidates: readonly Candidate[], iouThreshold: number): Candidate[] {
  const kept: Candidate[] = [];
  for (const candidate of [...candidates].sort((a, b) => b.score - a.score || a.anchor - b.anchor)) {
    // 0 / 0 of empty boxes is not above it
    if (!kept.some((other) => overlapOf(other.box, candidate.box) > iouThreshold)) kept.push(candidate);
  }
  return kept;
}

function overlapOf(a: Face['box'], b: Face['box']): number {
  const area = ([x1, y1, x2, y2]: Face['box']) => f(f(x2 - x1) * f(y2 - y1));
  const width = Math.max(0, f(Math.min(a[2], b[2]) - Math.max(a[0], b[0])));
  const height = Math.max(0, f(Math.min(a[3], b[3]) - Math.max(a[1], b[1])));
  const shared = f(width * height);
  return f(shared / f(f(area(a) + area(b)) - shared));
}
