import { ModelError } from '../../common/errors.ts';
import { type Dims, formatDims, type Tensor } from '../../common/tensor.ts';
import { slice as kernel } from '../../kernels/tensor/strided-copy.ts';
import type { ModelNode } from '../../loader/model.ts';
import { checkExtents, normalizeAxis } from '../shapes.ts';
import { constantInput, readIntegers } from './onnx.ts';
import type { Draft, NodeBase, Operator, TranslateContext } from './operator.ts';
import type { ReshapeNode } from './reshape.ts';

export interface SliceNode extends NodeBase {
  readonly op: 'Slice';
  /** First index and step of every dimension, backwards where it is negative. */
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly dims: Dims;
}

/** Which part of each dimension a Slice takes. */
export type SliceRange = Pick<SliceNode, 'starts' | 'steps' | 'dims'>;

/** Starts, ends, axes and steps are attributes up to opset 9, inputs 1 to 4 since; `inputs[0]` is not read. */
export function readSlice(node: ModelNode, shape: Dims, inputs: readonly (Tensor | undefined)[]): SliceRange {
  const numbers = (i: number, name: string) => {
    if (inputs[i]) return readIntegers(node.name, inputs[i], name);
    return node.attributes.has(name) ? [...node.attributes.ints(name)] : null;
  };
  const starts = numbers(1, 'starts') ?? [];
  const ends = numbers(2, 'ends') ?? [];
  const axes = numbers(3, 'axes') ?? starts.map((_, i) => i);
  const steps = numbers(4, 'steps') ?? starts.map(() => 1);
  if (steps.includes(0)) throw new ModelError(`${node.name}: expected steps other than 0, got ${steps}`);
  const lengths = [starts, ends, axes, steps].map(({ length }) => length);
  if (lengths.some((length) => length !== lengths[0])) {
    throw new ModelError(`${node.name}: expected as many starts, ends, axes and steps, got ${lengths.join(', ')}`);
  }
  if (new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis))).size !== axes.length) {
    throw new ModelError(`${node.name}: axes ${axes} repeat`);
  }
  const range = { starts: shape.map(() => 0), steps: shape.map(() => 1), dims: [...shape] };
  axes.forEach((rawAxis, i) => {
    const axis = normalizeAxis(node.name, rawAxis, shape.length);
    const size = shape[axis]!;
    const step = steps[i]!;
    // backwards, the end is before the first element
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (value: number, least: number) => Math.min(Math.max(value < 0 ? value + size : value, least), high);
    range.starts[axis] = clamp(starts[i]!, 0);
    range.steps[axis] = step;
    range.dims[axis] = Math.max(0, Math.ceil((clamp(ends[i]!, low) - range.starts[axis]!) / step));
  });
  return range;
}

function translate(node: ModelNode, context: TranslateContext): Draft<SliceNode | ReshapeNode> {
  const x = context.dims(node.inputs[0]!);
  const ranges = node.inputs.map((name, i) =>
    i === 0 || !name ? undefined : constantInput(node, context, i, 'a range'),
  );
  const { starts, steps, dims } = readSlice(node, x, ranges);
  // a crop to the size that is there already, as MXNet's exports end their upsampling
  if (formatDims(dims) === formatDims(x) && steps.every((step) => step > 0)) return { op: 'Reshape', dims };
  return { op: 'Slice', starts, steps, dims };
}

export const slice: Operator<SliceNode> = {
  onnx: { Slice: translate },
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    const ends = node.dims.map((dim, i) => node.starts[i]! + (dim - 1) * node.steps[i]!);
    if (ends.some((end, i) => Math.max(end, node.starts[i]!) >= x[i]! || end < 0)) {
      throw new ModelError(`${node.name}: a slice of ${formatDims(node.dims)} leaves ${formatDims(x)}`);
    }
    return checkExtents(node.name, node.dims, x);
  },
  describe: (node) => [`from ${node.starts} step ${node.steps}`],
  images: {
    apart: ({ inputs, starts, steps, dims }, dimsOf) =>
      starts[0] === 0 && steps[0] === 1 && dims[0] === dimsOf(inputs[0]!)[0],
    deepen: ({ starts, steps, dims, ...node }, images) => ({
      ...node,
      starts: [0, ...starts],
      steps: [1, ...steps],
      dims: [images, ...dims],
    }),
  },
  lower(node, to) {
    const { starts, steps, dims: outDims } = node;
    to.emitNode(node, kernel(to.dims(node.inputs[0]!), { starts, steps, outDims }), 'plain');
  },
};
