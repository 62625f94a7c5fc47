import { evaluatePredictions } from '../../../src/cli/eval/average-precision.ts';
import type { Dataset, ImageFile } from '../../../src/cli/eval/dataset.ts';
import type { Setting } from '../../../src/cli/eval/ground-truth.ts';
import { formatPredictions, type Predictions, parsePredictions } from '../../../src/cli/eval/predictions.ts';
import { protocolOptions } from '../../../src/cli/eval/protocol.ts';
import type { Face } from '../../../src/common/face.ts';
import { createDetector, readImage } from '../../../src/index.node.ts';
import { disposeOrt } from '../../support/ort.ts';
import { detectMmdet, type MmdetOptions } from '../../support/reference-mmdet.ts';

export interface Comparison {
  readonly precisions: readonly { setting: Setting; ours: number | null; expected: number | null }[];
  /** Of onnxruntime. */
  readonly faces: number;
  /** Faces of either without one of the other: scores and overlaps at their thresholds fall to either side. */
  readonly unmatched: number;
  /** Between faces of both; box sides in pixels of the picture. */
  readonly maxBoxDifference: number;
  readonly maxScoreDifference: number;
}

/** How near two faces are that are taken for the same. */
const [SAME_SCORE, SAME_BOX] = [1e-3, 1];

/** Runs a model here and on onnxruntime through mmdet's protocol, and evaluates both. */
export async function compareWithOnnxRuntime(
  modelPath: string,
  { settings }: Dataset,
  files: readonly ImageFile[],
  { size = [640, 640], onImage }: { size?: MmdetOptions['inputSize']; onImage?: () => void } = {},
): Promise<Comparison> {
  const ours: Predictions[] = [];
  const expected: Predictions[] = [];
  const totals = { faces: 0, unmatched: 0, maxBoxDifference: 0, maxScoreDifference: 0 };
  const options = protocolOptions('mmdet');
  await using detector = await createDetector(modelPath, {
    ...options,
    inputSize: size === 'original' ? 'image' : size,
  });
  try {
    for (const { image, path } of files) {
      const pixels = await readImage(path);
      const reference = await detectMmdet(modelPath, pixels, { ...options, inputSize: size });
      const found = await detector.detect(pixels);
      const written = (faces: readonly Face[]) => parsePredictions(formatPredictions(image, faces), image, path);
      ours.push(written(found));
      expected.push(written(reference));
      addDifferences(totals, found, reference);
      onImage?.();
    }
  } finally {
    await disposeOrt();
  }
  const images = files.map(({ image }) => image);
  const references = evaluatePredictions(settings, images, expected);
  return {
    ...totals,
    precisions: evaluatePredictions(settings, images, ours).map(({ setting, averagePrecision }, i) => {
      return { setting, ours: averagePrecision, expected: references[i]!.averagePrecision };
    }),
  };
}

function addDifferences(
  totals: { faces: number; unmatched: number; maxBoxDifference: number; maxScoreDifference: number },
  ours: readonly Face[],
  reference: readonly Face[],
): void {
  const unused = new Set(ours);
  const distance = (a: Face, b: Face) => Math.max(...a.box.map((value, i) => Math.abs(value - b.box[i]!)));
  for (const face of reference) {
    let best: Face | undefined;
    let bestDistance: number = SAME_BOX;
    for (const candidate of unused) {
      if (Math.abs(candidate.score - face.score) > SAME_SCORE) continue;
      const candidateDistance = distance(candidate, face);
      if (candidateDistance < bestDistance) [best, bestDistance] = [candidate, candidateDistance];
      if (bestDistance === 0) break;
    }
    if (!best) {
      totals.unmatched++;
      continue;
    }
    unused.delete(best);
    totals.maxBoxDifference = Math.max(totals.maxBoxDifference, bestDistance);
    totals.maxScoreDifference = Math.max(totals.maxScoreDifference, Math.abs(best.score - face.score));
  }
  totals.faces += reference.length;
  totals.unmatched += unused.size;
}
