import { type Dims, floatTensor, formatDims, intTensor, sizeOf, type Tensor } from '../../../src/common/tensor.ts';
import { createNetwork } from '../../../src/index.node.ts';
import type { Precision } from '../../../src/kernels/dispatch.ts';
import { expectClose } from '../../support/compare.ts';
import { openGpu } from '../../support/gpu.ts';
import { buildModel, type NodeSpec, type ValueSpec } from '../../support/onnx-builder.ts';
import { runOrt } from '../../support/ort.ts';
import { createRng } from '../../support/rng.ts';

/** Some nodes from `x`, the input in some shape, and constants to `y`; `z` is another value of the shape of `x`. */
export interface OperatorCase {
  readonly title: string;
  readonly nodes: readonly NodeSpec[];
  readonly constants?: Readonly<Record<string, Tensor>>;
  /** Of `x`; `image`, which is packed, unless given. */
  readonly shape?: keyof typeof SHAPES;
  /** The first operator set that has it so, and the last. */
  readonly opsets?: readonly [first: number, last?: number];
  /** What onnxruntime gives: floats unless given. */
  readonly type?: ValueSpec['type'];
  /** Whether a rounding of `x` may change all of `y`, as it does where `y` counts. */
  readonly jumps?: boolean;
}

const IMAGE = [6, 4, 5] as const;

/** Shapes of `x`, all of the same elements. */
const SHAPES = {
  image: (n: number): Dims => [n, ...IMAGE],
  1: (n: number): Dims => [n * 120],
  2: (n: number): Dims => [n, 120],
  3: (n: number): Dims => [n, 6, 20],
  4: (n: number): Dims => [n, 6, 4, 5],
  5: (n: number): Dims => [n, 2, 3, 4, 5],
};

export interface CheckOptions {
  readonly opset: number;
  readonly batch: number;
  readonly precision?: Precision;
}

/** Runs all cases that an operator set has as one network. */
export async function checkOperators(
  cases: readonly OperatorCase[],
  { opset, batch, precision = 'f32' }: CheckOptions,
): Promise<void> {
  const due = cases.filter(({ opsets: [first, last = 21] = [7], jumps = false }) => {
    return first <= opset && opset <= last && (precision === 'f32' || !jumps);
  });
  const rng = createRng(opset * 10 + batch);
  const dims = [batch, ...IMAGE] as const;
  const constants: Record<string, Tensor> = {
    mix: floatTensor([6, 6, 1, 1], rng.floats(36)),
    other: floatTensor([6, 6, 1, 1], rng.floats(36)),
  };
  const nodes: NodeSpec[] = [
    { op: 'Conv', inputs: ['input', 'mix'], outputs: ['image'] },
    { op: 'Conv', inputs: ['input', 'other'], outputs: ['image_z'] },
  ];
  for (const shape of [1, 2, 3, 4, 5] as const) {
    constants[`to ${shape}`] = intTensor([SHAPES[shape](batch).length], [...SHAPES[shape](batch)]);
    nodes.push({ op: 'Reshape', inputs: ['input', `to ${shape}`], outputs: [`${shape}`] });
    nodes.push({ op: 'Reshape', inputs: ['image_z', `to ${shape}`], outputs: [`${shape}_z`] });
  }
  due.forEach(({ nodes: own, constants: its = {}, shape = 'image' }, i) => {
    const rename = (name: string) => {
      if (name === '') return '';
      if (name === 'x') return `${shape}`;
      return name === 'z' ? `${shape}_z` : `${name} of ${i}`;
    };
    for (const [name, tensor] of Object.entries(its)) constants[rename(name)] = tensor;
    nodes.push(...own.map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) })));
  });
  const bytes = buildModel({
    opset,
    irVersion: opset > 17 ? 10 : 8,
    inputs: [{ name: 'input', dims }],
    outputs: due.map(({ type = 'float32' }, i) => ({ name: `y of ${i}`, type })),
    nodes,
    initializers: constants,
  });
  const data = rng.floats(sizeOf(dims), -2, 2);
  const expected = await runOrt(bytes, { input: { dims, data } }, { graphOptimizationLevel: 'disabled' });
  const { device } = await openGpu();
  await using network = await createNetwork(bytes, { inputShape: dims, device, precision });
  const actual = await network.run(data);
  const problems = due.flatMap(({ title }, i) => {
    const [ours, theirs] = [actual[`y of ${i}`]!, expected[`y of ${i}`]!];
    const largest = theirs.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0.1);
    const error = precision === 'f32' ? 2e-5 : 5e-3;
    try {
      if (formatDims(ours.dims) !== formatDims(theirs.dims)) {
        throw new Error(`expected ${formatDims(theirs.dims)}, got ${formatDims(ours.dims)}`);
      }
      expectClose(ours.data, theirs.data, {
        abs: error * largest,
        reason: precision === 'f32' ? 'exp() and log() of WGSL, sums in another order' : 'a dozen roundings of 2^-11',
      });
      return [];
    } catch (failure) {
      return [`${title}: ${(failure as Error).message}`];
    }
  });
  if (problems.length > 0) throw new Error(`operator set ${opset}, batch ${batch}:\n${problems.join('\n')}`);
}
