import { ModelError } from '../../../common/errors.ts';
import { type Dims, formatDims, type Tensor } from '../../../common/tensor.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { normalizeAxis } from '../../shapes.ts';
import { readIntegers } from '../onnx.ts';

/** More parts than any layer has; each is a node. */
const MAX_PARTS = 4096;

/**
 * Lengths of a Split's parts: an attribute up to opset 12, an input since; without them as many parts as there are outputs, all of one
 * length up to opset 17, since then all but the last.
 */
export function splitLengths(
  node: ModelNode,
  x: Dims,
  given: Tensor | undefined,
): { readonly axis: number; readonly lengths: readonly number[] } {
  const { name, outputs, attributes } = node;
  const axis = normalizeAxis(name, attributes.int('axis', 0), x.length);
  const size = x[axis]!;
  const parts = attributes.int('num_outputs', outputs.length);
  if (parts !== outputs.length || parts > MAX_PARTS) {
    throw new ModelError(`${name}: expected ${Math.min(parts, MAX_PARTS)} outputs, got ${outputs.length}`);
  }
  const even = Math.ceil(size / parts);
  let lengths = outputs.map((_, i) => Math.min(even, size - i * even));
  if (given) lengths = readIntegers(name, given, 'lengths', MAX_PARTS);
  else if (attributes.has('split')) lengths = [...attributes.ints('split')];
  const whole = lengths.reduce((sum, length) => sum + length, 0) === size;
  if (!whole || lengths.length !== outputs.length || lengths.some((length) => length < 1)) {
    throw new ModelError(`${name}: cannot split axis ${axis} of ${formatDims(x)} into ${outputs.length} of ${lengths}`);
  }
  return { axis, lengths };
}
