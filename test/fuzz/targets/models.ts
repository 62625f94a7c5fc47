import onnxProto from 'onnx-proto';
import { DeviceError, ModelError } from '../../../src/common/errors.ts';
import { formatDims, sizeOf } from '../../../src/common/tensor.ts';
import { compileDetector } from '../../../src/detector/compile.ts';
import { buildGraph } from '../../../src/graph/build.ts';
import { compileNetwork } from '../../../src/graph/compile.ts';
import { planMemory } from '../../../src/graph/count-work.ts';
import { dimsOf } from '../../../src/graph/ir.ts';
import { loadGeneralOperators } from '../../../src/graph/load-operators.ts';
import { loadTarget } from '../../../src/graph/load-target.ts';
import { createNetwork } from '../../../src/index.node.ts';
import { loadModel } from '../../../src/loader/load-model.ts';
import type { Model } from '../../../src/loader/model.ts';
import { nodePlatform } from '../../../src/node/platform.ts';
import { GpuContext } from '../../../src/runtime/gpu-context.ts';
import { scrfdSpec } from '../../graph/models.ts';
import { randomNetwork } from '../../graph/random-network.ts';
import { buildModel, type ModelSpec } from '../../support/onnx-builder.ts';
import { type OrtTensor, runOrtInOrder } from '../../support/ort.ts';
import { createRng, type Rng } from '../../support/rng.ts';
import { Finding, mutateBytes, type Outcome, refusal, type Target, withinTime } from '../target.ts';

await loadGeneralOperators();
const SOFTWARE = await loadTarget({ software: true, subgroupSize: 8 });

const { onnx } = onnxProto;
type ModelProto = onnxProto.onnx.ModelProto;
type NodeProto = onnxProto.onnx.INodeProto;
type AttributeProto = onnxProto.onnx.IAttributeProto;
type TensorProto = onnxProto.onnx.ITensorProto;

const INTEGERS = [
  0,
  1,
  -1,
  2,
  3,
  4,
  5,
  7,
  8,
  9,
  16,
  64,
  1000,
  65536,
  2 ** 28,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 40,
];
const FLOATS = [0, 1, -1, 0.5, 2, 1e-5, -0.1, 1.5, 1000, 1e-30, 1e30, NaN, Infinity, -Infinity];
const TEXTS = [
  '',
  'nearest',
  'linear',
  'cubic',
  'floor',
  'ceil',
  'asymmetric',
  'half_pixel',
  'align_corners',
  'SAME_UPPER',
  'VALID',
];
const OPERATORS = [
  ...['Add', 'Sub', 'Mul', 'Div', 'PRelu', 'Relu', 'LeakyRelu', 'Clip', 'Sigmoid', 'Tanh', 'Softmax', 'Concat', 'Conv'],
  ...['MaxPool', 'AveragePool', 'GlobalMaxPool', 'GlobalAveragePool', 'BatchNormalization', 'InstanceNormalization'],
  ...['GroupNormalization', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Dropout', 'Cast', 'Transpose'],
  ...['Slice', 'Resize', 'Upsample', 'Shape', 'Gather', 'ConstantOfShape', 'Floor', 'Ceil', 'Constant', 'LSTM', ''],
];
/** Values of all kernels together, and what one node reads: what a software adapter does in a fraction of a second. */
const MOST_BYTES = 2 ** 24;
const MOST_READS = 2 ** 28;

let gpu: Promise<GpuContext> | undefined;

/** Random networks of a few nodes with a few changes to what they say: attributes, dimensions, edges, weights, bytes. */
function make(rng: Rng): Uint8Array {
  const { spec, inputDims: dims } = randomNetwork(rng.int(0, 2 ** 31), rng.int(1, 4));
  return mutate(rng, { ...spec, inputs: [{ name: 'x', dims }] });
}

function mutate(rng: Rng, spec: ModelSpec): Uint8Array {
  const proto = onnx.ModelProto.decode(buildModel(spec));
  for (let changes = rng.pick([0, 1, 1, 1, 2, 3]); changes > 0; changes--) {
    if (proto.graph!.node!.length > 0) rng.pick(MUTATIONS)(rng, proto);
  }
  const bytes = onnx.ModelProto.encode(proto).finish();
  return rng.uniform(0, 1) < 0.1 ? mutateBytes(rng, bytes) : bytes;
}

/** The input shape of a model that compiles and is quick to run, or what came of it. */
async function compile(bytes: Uint8Array): Promise<[number, number, number, number] | Outcome> {
  try {
    const model = await withinTime(bytes.length, 'loading', () => loadModel(bytes));
    const dims = inputDims(model);
    const plan = await withinTime(bytes.length, 'compiling', () => compileNetwork(model, dims, SOFTWARE));
    const { activations, constants } = planMemory(plan);
    if (activations + constants > MOST_BYTES) return 'accepted, too large to run';
    return mostReads(model, dims) > MOST_READS ? 'accepted, too much to run' : dims;
  } catch (error) {
    return refusal(error, ModelError);
  }
}

/** Loads and compiles: no GPU, and many a second. */
export const plans: Target = {
  make,
  async run(bytes) {
    const compiled = await compile(bytes);
    return typeof compiled === 'string' ? compiled : 'accepted';
  },
};

/** SCRFD files, compiled as detectors are. */
export const detectors: Target = {
  make: (rng) =>
    mutate(rng, scrfdSpec({ outputs: rng.pick([6, 9, 10, 15]), layout: rng.pick(['rows', 'interleaved', 'maps']) })),
  async run(bytes) {
    try {
      const model = await withinTime(bytes.length, 'loading', () => loadModel(bytes));
      await withinTime(bytes.length, 'compiling', () => {
        const spec = { batch: 1 + (bytes.length % 2), inputSizes: [[128, 128]] } as const;
        return compileDetector(model, spec, SOFTWARE);
      });
      return 'accepted';
    } catch (error) {
      return refusal(error, ModelError);
    }
  },
};

/** Runs what compiles, and compares with onnxruntime. */
export const models: Target = {
  make,
  async run(bytes, reference) {
    const dims = await compile(bytes);
    if (typeof dims === 'string') return dims;
    const x = createRng(bytes.length).floats(sizeOf(dims));
    let actual: Readonly<Record<string, OrtTensor>>;
    try {
      gpu ??= GpuContext.open(nodePlatform, undefined);
      await using network = await createNetwork(bytes, { inputShape: dims, device: (await gpu).device });
      actual = await network.run(x);
    } catch (error) {
      return refusal(error, ModelError, DeviceError);
    }
    reference();
    return compare(bytes, dims, x, actual);
  },
};

/** The shape that the file asks for, as far as it does, and that fits. */
function inputDims(model: Model): [number, number, number, number] {
  const declared = model.inputs[0]?.dims ?? [];
  return [1, 3, 12, 16].map((usual, i) => {
    const dim = declared[i];
    return typeof dim === 'number' ? Math.min(dim, 2 ** 31) : usual;
  }) as [number, number, number, number];
}

/** What the node that reads most reads. */
function mostReads(model: Model, dims: readonly number[]): number {
  const graph = buildGraph(model, dims);
  const reads = graph.nodes.map((node) => {
    const outputs = sizeOf(dimsOf(graph, node.output));
    if (node.op === 'Conv') return outputs * sizeOf(dimsOf(graph, node.weight).slice(1));
    if (node.op !== 'Pool') return outputs;
    const [, , height, width] = dimsOf(graph, node.inputs[0]!) as [number, number, number, number];
    return outputs * Math.min(node.kernel[0], height) * Math.min(node.kernel[1], width);
  });
  return Math.max(...reads);
}

/** Compares with onnxruntime, unoptimised: its fusions have faults of their own. */
async function compare(
  bytes: Uint8Array,
  dims: readonly number[],
  data: Float32Array,
  actual: Readonly<Record<string, OrtTensor>>,
): Promise<Outcome> {
  const options = { graphOptimizationLevel: 'disabled' } as const;
  const run = async (x: Float32Array) => Object.fromEntries(await runOrtInOrder(bytes, { dims, data: x }, options));
  let expected: Awaited<ReturnType<typeof run>>;
  try {
    expected = await run(data);
  } catch {
    return 'accepted, refused by onnxruntime';
  }
  const different = differences(actual, expected);
  if (different.length === 0) return 'same';
  // what a change in the last bit of the input moves as much is noise: sums that cancel, norms of flat planes, overflows
  const nudged = await run(data.map((value) => value * (1 + 2 ** -20)));
  const sensitive = new Set(differences(nudged, expected, 0.05).map(({ name }) => name));
  const wrong = different.find(({ name }) => !sensitive.has(name));
  if (wrong) throw new Finding(`output "${wrong.name}": ${wrong.what}`);
  return 'too sensitive to compare';
}

/** Whether a number is far from where float32 ends: sums in another order may end beyond it. */
function isOrdinary(value: number): boolean {
  return Math.abs(value) < 1e36;
}

interface Difference {
  readonly name: string;
  readonly what: string;
}

function differences(
  actual: Readonly<Record<string, OrtTensor>>,
  expected: Readonly<Record<string, OrtTensor>>,
  part = 1,
): Difference[] {
  return Object.entries(expected).flatMap(([name, { dims, data }]) => {
    const got = actual[name];
    if (!got) return [{ name, what: 'is missing' }];
    if (formatDims(got.dims) !== formatDims(dims)) {
      return [{ name, what: `expected ${formatDims(dims)}, got ${formatDims(got.dims)}` }];
    }
    const largest = data.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1);
    // the tolerance of the random networks' tests
    const allowed = 1e-4 * largest * part;
    const bad = data.findIndex((value, i) => {
      const ours = got.data[i]!;
      if (!isOrdinary(value) || !isOrdinary(ours)) return isOrdinary(value) !== isOrdinary(ours);
      return Math.abs(value - ours) > allowed;
    });
    return bad < 0
      ? []
      : [{ name, what: `expected ${data[bad]} at ${bad} of ${formatDims(dims)}, got ${got.data[bad]}` }];
  });
}

type Mutation = (rng: Rng, model: ModelProto) => void;

function nodeOf(rng: Rng, model: ModelProto): NodeProto {
  return rng.pick(model.graph!.node!);
}

function integer(rng: Rng): number {
  return rng.uniform(0, 1) < 0.5 ? rng.int(-2, 9) : rng.pick(INTEGERS);
}

function number(rng: Rng): number {
  return rng.uniform(0, 1) < 0.5 ? rng.uniform(-3, 3) : rng.pick(FLOATS);
}

/** A list with one item changed, dropped or added. */
function changeList<T>(rng: Rng, list: readonly T[], item: () => T): T[] {
  const at = rng.int(0, list.length);
  switch (rng.int(0, 4)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return list.toSpliced(at, 0, item());
    default:
      return list.length === 0 ? [item()] : list.with(Math.min(at, list.length - 1), item());
  }
}

const ATTRIBUTES = [
  ...['axis', 'perm', 'kernel_shape', 'strides', 'pads', 'dilations', 'group', 'auto_pad', 'ceil_mode', 'axes', 'to'],
  ...['count_include_pad', 'epsilon', 'alpha', 'mode', 'num_groups', 'scales', 'allowzero', 'starts', 'ends', 'value'],
  ...['coordinate_transformation_mode', 'nearest_mode', 'min', 'max', 'momentum', 'training_mode', 'storage_order'],
];

function newAttribute(rng: Rng): AttributeProto {
  const name = rng.pick(ATTRIBUTES);
  const count = rng.int(0, 6);
  return rng.pick<() => AttributeProto>([
    () => ({ name, type: 1, f: number(rng) }),
    () => ({ name, type: 2, i: integer(rng) }),
    () => ({ name, type: 3, s: new TextEncoder().encode(rng.pick(TEXTS)) }),
    () => ({
      name,
      type: 4,
      t: { dims: [count], dataType: 1, floatData: Array.from({ length: count }, () => number(rng)) },
    }),
    () => ({ name, type: 6, floats: Array.from({ length: count }, () => number(rng)) }),
    () => ({ name, type: 7, ints: Array.from({ length: count }, () => integer(rng)) }),
  ])();
}

function changeAttribute(rng: Rng, attribute: AttributeProto): void {
  if (rng.uniform(0, 1) < 0.05) attribute.type = rng.int(0, 12);
  else if (attribute.type === 1) attribute.f = number(rng);
  else if (attribute.type === 2) attribute.i = integer(rng);
  else if (attribute.type === 3) attribute.s = new TextEncoder().encode(rng.pick(TEXTS));
  else if (attribute.type === 6) attribute.floats = changeList(rng, attribute.floats ?? [], () => number(rng));
  else if (attribute.type === 7) attribute.ints = changeList(rng, attribute.ints ?? [], () => integer(rng));
  else if (attribute.t) changeTensor(rng, attribute.t);
}

function changeTensor(rng: Rng, tensor: TensorProto): void {
  const { rawData } = tensor;
  switch (rng.int(0, 5)) {
    case 0:
      tensor.dims = changeList(rng, tensor.dims ?? [], () => integer(rng));
      break;
    case 1:
      tensor.dataType = rng.int(0, 17);
      break;
    case 2:
      if (rawData && rawData.length > 1) tensor.rawData = mutateBytes(rng, rawData);
      break;
    case 3: {
      // the same numbers in another shape
      const size = sizeOf((tensor.dims ?? []).map(Number));
      tensor.dims = rng.pick([[size], [size, 1], [1, size], [1, size, 1, 1], []]);
      break;
    }
    default: {
      // one element
      const width = tensor.dataType === 7 ? 8 : 4;
      if (!rawData || rawData.length < width) return;
      const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.length);
      const at = rng.int(0, Math.floor(rawData.length / width) - 1) * width;
      if (width === 8) view.setBigInt64(at, BigInt(integer(rng)), true);
      else view.setFloat32(at, number(rng), true);
    }
  }
}

function valueNames(model: ModelProto): string[] {
  const { node = [], initializer = [] } = model.graph!;
  return ['x', '', ...node!.flatMap(({ output }) => output ?? []), ...initializer!.map(({ name }) => name ?? '')];
}

const MUTATIONS: readonly Mutation[] = [
  (rng, model) => {
    const { attribute } = nodeOf(rng, model);
    if (attribute && attribute.length > 0) changeAttribute(rng, rng.pick(attribute));
  },
  (rng, model) => {
    const node = nodeOf(rng, model);
    node.attribute = changeList(rng, node.attribute ?? [], () => newAttribute(rng));
  },
  (rng, model) => {
    const node = nodeOf(rng, model);
    node.input = changeList(rng, node.input ?? [], () => rng.pick(valueNames(model)));
  },
  (rng, model) => {
    nodeOf(rng, model).opType = rng.pick(OPERATORS);
  },
  (rng, model) => {
    const { initializer } = model.graph!;
    if (initializer && initializer.length > 0) changeTensor(rng, rng.pick(initializer));
  },
  (rng, model) => {
    const { initializer } = model.graph!;
    if (initializer && initializer.length > 0) changeTensor(rng, rng.pick(initializer));
  },
  (rng, model) => {
    const dim = model.graph!.input?.[0]?.type?.tensorType?.shape?.dim;
    if (dim && dim.length > 0) rng.pick(dim).dimValue = rng.pick([1, 2, 3, 5, 12, 0, -1, 300, 2 ** 20, 2 ** 40]);
  },
  (rng, model) => {
    // one node again, from and to other values
    const { node } = model.graph!;
    const copy = onnx.NodeProto.create({ ...nodeOf(rng, model), name: '', output: [`extra${node!.length}`] });
    node!.push(copy);
    model.graph!.output!.push({ name: copy.output![0]! });
  },
  (rng, model) => {
    const { node } = model.graph!;
    node!.splice(rng.int(0, node!.length - 1), 1);
  },
  (rng, model) => {
    const [first] = model.opsetImport!;
    if (first) first.version = rng.int(6, 22);
  },
  (rng, model) => {
    const { output } = model.graph!;
    model.graph!.output = changeList(rng, output ?? [], () => ({ name: rng.pick(valueNames(model)) }));
  },
];
