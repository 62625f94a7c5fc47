import { formatDims } from '../../common/tensor.ts';
import type { OutputTensor } from '../../runtime/network.ts';

export interface Comparison {
  readonly ok: boolean;
  /** Shape, worst and mean error, and the number that these are relative to. */
  readonly text: string;
}

/** Below it a tensor's own scale says little: a probability errs by what its logits do, a difference by what its terms do. */
const LEAST_SCALE = 0.01;

/**
 * Compares a tensor with what is expected, by the largest finite number of the latter: a sum in another order errs by the size of
 * its terms, however near to zero it comes out.
 */
export function compareTensors(
  actual: OutputTensor | undefined,
  expected: OutputTensor,
  tolerance: number,
): Comparison {
  const shape = formatDims(expected.dims);
  if (actual === undefined) return { ok: false, text: `${shape}  expected values, got none` };
  if (formatDims(actual.dims) !== shape) {
    return { ok: false, text: `expected ${shape}, got ${formatDims(actual.dims)}` };
  }
  let scale = LEAST_SCALE;
  let max = 0;
  let sum = 0;
  for (const [i, value] of expected.data.entries()) {
    if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value));
    const error = Object.is(actual.data[i]!, value) ? 0 : Math.abs(actual.data[i]! - value);
    // Math.max, unlike >, keeps a NaN
    max = Math.max(max, error);
    sum += error;
  }
  const [worst, mean] = [max, sum / expected.data.length].map((error) => error.toExponential(2));
  return { ok: max <= tolerance * scale, text: `${shape}  max ${worst}  mean ${mean}  of ${scale.toPrecision(3)}` };
}
