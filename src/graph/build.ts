import { ModelError, UnsupportedOpError } from '../common/errors.ts';
import {
  type Dims,
  type FloatTensor,
  formatDims,
  intTensor,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../common/tensor.ts';
import { type Activation, NO_ACTIVATION } from '../kernels/activation.ts';
import type { CoordinateMode, NearestMode, ResizeMode } from '../kernels/tensor/resize.ts';
import type { Model, ModelNode } from '../loader/model.ts';
import {
  castsToFloat,
  foldConstants,
  normalizeAxis,
  readAxes,
  readSlice,
  resolveReshape,
  squeezeDims,
  unsqueezeDims,
} from './fold-constants.ts';
import type { Graph, Node, Pads, Pair } from './ir.ts';
import { asDims4, inferDims } from './shapes.ts';

/** What a translator of one ONNX operator may ask. */
interface Context {
  readonly opset: number;
  /** Batch size that the graph is built for. */
  readonly batch: number;
  dims(value: string): Dims;
  constant(value: string): Tensor | undefined;
}

/** A node before its output name is known to be the ONNX one. */
type Draft = Node extends infer N ? (N extends Node ? Omit<N, 'name' | 'output'> : never) : never;

const COORDINATE_MODES: readonly string[] = ['asymmetric', 'half_pixel', 'pytorch_half_pixel', 'align_corners'];
const NEAREST_MODES: readonly string[] = ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'];

function unsupported(node: ModelNode, detail: string): never {
  throw new UnsupportedOpError(node.name, node.op, detail);
}

function pair(node: ModelNode, name: string, fallback: Pair): Pair {
  const [first, second, ...more] = node.attributes.ints(name, fallback);
  if (first === undefined || second === undefined || more.length > 0) {
    unsupported(node, `with ${name} of other than two dimensions has no mapping`);
  }
  if (first < 1 || second < 1) throw new ModelError(`${node.name}: ${name} must be positive, got ${first},${second}`);
  return [first, second];
}

/** Explicit pads, or what auto_pad stands for at this input size. */
function readPads(node: ModelNode, x: Dims, kernel: Pair, strides: Pair, dilations: Pair): Pads {
  const auto = node.attributes.string('auto_pad', 'NOTSET');
  const [, , h, w] = asDims4(node.name, x);
  const explicit = node.attributes.ints('pads', [0, 0, 0, 0]);
  switch (auto) {
    case 'NOTSET': {
      const [top, left, bottom, right] = explicit;
      if (explicit.length !== 4) unsupported(node, 'with pads of other than two dimensions has no mapping');
      if (explicit.some((pad) => pad < 0)) unsupported(node, `with negative pads ${explicit} has no mapping`);
      return [top!, left!, bottom!, right!];
    }
    case 'VALID':
      return [0, 0, 0, 0];
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const total = ([h, w] as const).map((size, axis) => {
        const span = (kernel[axis]! - 1) * dilations[axis]! + 1;
        return Math.max(0, (Math.ceil(size / strides[axis]!) - 1) * strides[axis]! + span - size);
      });
      const small = total.map((pad) => Math.floor(pad / 2));
      const large = total.map((pad, axis) => pad - small[axis]!);
      const [before, after] = auto === 'SAME_UPPER' ? [small, large] : [large, small];
      return [before[0]!, before[1]!, after[0]!, after[1]!];
    }
    default:
      return unsupported(node, `with auto_pad ${auto} has no mapping`);
  }
}

/** A constant input that must be there. */
function constantInput(node: ModelNode, context: Context, index: number, what: string): Tensor {
  const name = node.inputs[index];
  if (!name) throw new ModelError(`${node.name}: ${node.op} expects ${what} as input ${index}, got none`);
  return context.constant(name) ?? unsupported(node, `with ${what} computed at run time has no mapping`);
}

/** The name of a constant float input. */
function weightName(node: ModelNode, context: Context, index: number, what: string): string {
  const tensor = constantInput(node, context, index, what);
  if (tensor.type !== 'float32') throw new ModelError(`${node.name}: ${what} expects floats, got integers`);
  return node.inputs[index]!;
}

function onlyOutput(node: ModelNode): void {
  if (node.outputs.slice(1).some((name) => name !== '')) unsupported(node, 'with more than one output has no mapping');
}

function conv(node: ModelNode, context: Context): Draft {
  const { attributes } = node;
  const weight = weightName(node, context, 1, 'weights');
  const weightDims = context.dims(weight);
  const x = context.dims(node.inputs[0]!);
  if (x.length !== 4 || weightDims.length !== 4) {
    unsupported(
      node,
      `of ${formatDims(x)} with weights ${formatDims(weightDims)} has no mapping, only two dimensions do`,
    );
  }
  const kernel = pair(node, 'kernel_shape', [weightDims[2]!, weightDims[3]!]);
  const strides = pair(node, 'strides', [1, 1]);
  const dilations = pair(node, 'dilations', [1, 1]);
  return {
    op: 'Conv',
    inputs: [node.inputs[0]!],
    weight,
    bias: node.inputs[2] ? weightName(node, context, 2, 'a bias') : null,
    kernel,
    strides,
    dilations,
    pads: readPads(node, x, kernel, strides, dilations),
    group: attributes.int('group', 1),
    residualUpsample: 0,
    activation: NO_ACTIVATION,
  };
}

function pool(node: ModelNode, context: Context): Draft {
  const { attributes } = node;
  onlyOutput(node);
  if (!attributes.has('kernel_shape')) throw new ModelError(`${node.name}: expected kernel_shape, got none`);
  const kernel = pair(node, 'kernel_shape', [1, 1]);
  const strides = pair(node, 'strides', [1, 1]);
  const dilations = pair(node, 'dilations', [1, 1]);
  // the order of MaxPool's indices, an output that is refused above
  attributes.int('storage_order', 0);
  return {
    op: 'Pool',
    kind: node.op === 'MaxPool' ? 'max' : 'average',
    inputs: [node.inputs[0]!],
    kernel,
    strides,
    dilations,
    pads: readPads(node, context.dims(node.inputs[0]!), kernel, strides, dilations),
    ceilMode: attributes.int('ceil_mode', 0) !== 0,
    countIncludePad: attributes.int('count_include_pad', 0) !== 0,
  };
}

function batchNorm(node: ModelNode, context: Context): Draft {
  const { attributes } = node;
  onlyOutput(node);
  attributes.float('momentum', 0.9);
  if (attributes.int('training_mode', 0) !== 0) unsupported(node, 'in training mode has no mapping');
  if (attributes.int('spatial', 1) !== 1) unsupported(node, 'with spatial 0 has no mapping');
  return {
    op: 'BatchNorm',
    inputs: [node.inputs[0]!],
    gamma: weightName(node, context, 1, 'a scale'),
    beta: weightName(node, context, 2, 'a shift'),
    mean: weightName(node, context, 3, 'a mean'),
    variance: weightName(node, context, 4, 'a variance'),
    epsilon: attributes.float('epsilon', 1e-5),
  };
}

function groupNorm(node: ModelNode, context: Context): Draft {
  const scale = weightName(node, context, 1, 'a scale');
  const shift = weightName(node, context, 2, 'a shift');
  const channels = context.dims(node.inputs[0]!)[1] ?? 0;
  const instance = node.op === 'InstanceNormalization';
  if (!instance && sizeOf(context.dims(scale)) !== channels) {
    unsupported(node, 'with a scale per group has no mapping, only per channel (opset 21)');
  }
  if (!instance) node.attributes.int('stash_type', 1);
  return {
    op: 'GroupNorm',
    inputs: [node.inputs[0]!],
    groups: instance ? channels : node.attributes.int('num_groups'),
    scale,
    shift,
    epsilon: node.attributes.float('epsilon', 1e-5),
    activation: NO_ACTIVATION,
  };
}

function clip(node: ModelNode, context: Context): Activation {
  const bound = (index: number, name: string, fallback: number) => {
    if (node.inputs[index]) return toNumbers(constantInput(node, context, index, `a ${name}imum`))[0] ?? fallback;
    return node.attributes.float(name, fallback);
  };
  return { kind: 'clip', low: bound(1, 'min', -Infinity), high: bound(2, 'max', Infinity) };
}

function resizeMode(node: ModelNode, opset: number): ResizeMode {
  const { attributes } = node;
  const mode = attributes.string('mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') unsupported(node, `with mode ${mode} has no mapping`);
  if (node.op === 'Upsample' || opset < 11) return { mode, coordinates: 'asymmetric', nearest: 'simple' };
  const coordinates = attributes.string('coordinate_transformation_mode', 'half_pixel');
  const nearest = attributes.string('nearest_mode', 'round_prefer_floor');
  attributes.float('cubic_coeff_a', -0.75);
  attributes.float('extrapolation_value', 0);
  if (attributes.int('exclude_outside', 0) !== 0) unsupported(node, 'with exclude_outside has no mapping');
  if (attributes.int('antialias', 0) !== 0) unsupported(node, 'with antialias has no mapping');
  const policy = attributes.string('keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') unsupported(node, `with keep_aspect_ratio_policy ${policy} has no mapping`);
  if (attributes.has('axes')) unsupported(node, 'with axes has no mapping');
  if (!COORDINATE_MODES.includes(coordinates)) {
    unsupported(node, `with coordinate_transformation_mode ${coordinates} has no mapping`);
  }
  if (!NEAREST_MODES.includes(nearest)) unsupported(node, `with nearest_mode ${nearest} has no mapping`);
  return { mode, coordinates: coordinates as CoordinateMode, nearest: nearest as NearestMode };
}

function resize(node: ModelNode, context: Context): Draft {
  const input = node.inputs[0]!;
  const [n, c, h, w] = asDims4(node.name, context.dims(input));
  const optional = (index: number, what: string) => {
    if (!node.inputs[index]) return undefined;
    const values = toNumbers(constantInput(node, context, index, what));
    return values.length > 0 ? values : undefined;
  };
  const opset11 = node.op === 'Resize' && context.opset >= 11;
  // up to opset 8 Upsample had its scales in an attribute
  const attribute = node.attributes.has('scales') ? node.attributes.floats('scales') : undefined;
  const scales = attribute ?? optional(opset11 ? 2 : 1, 'scales');
  const sizes = opset11 ? optional(3, 'sizes') : undefined;
  const given = sizes ?? scales;
  if (given?.length !== 4) {
    throw new ModelError(`${node.name}: expected 4 scales or 4 sizes, got ${given?.length ?? 'none'}`);
  }
  // in float32, as onnxruntime does it: 10 × 0.7 is 7 there, and less in float64
  const wanted = sizes ?? given.map((scale, i) => Math.floor(Math.fround([n, c, h, w][i]! * scale)));
  // a size that was baked for one image holds for each image of a batch
  const batchFits = wanted[0] === n || (wanted[0] === 1 && context.batch === n);
  if (!batchFits || wanted[1] !== c) unsupported(node, `from ${n}×${c} to ${wanted[0]}×${wanted[1]} has no mapping`);
  const size: Pair = [wanted[2]!, wanted[3]!];
  return {
    op: 'Resize',
    inputs: [input],
    mode: resizeMode(node, context.opset),
    scales: sizes ? [size[0] / h, size[1] / w] : [given[2]!, given[3]!],
    size,
  };
}

function reshape(node: ModelNode, context: Context): Draft {
  const x = context.dims(node.inputs[0]!);
  const draft = (dims: Dims): Draft => ({ op: 'Reshape', inputs: [node.inputs[0]!], dims });
  switch (node.op) {
    case 'Reshape': {
      if (node.attributes.int('allowzero', 0) !== 0) unsupported(node, 'with allowzero has no mapping');
      const target = toNumbers(constantInput(node, context, 1, 'a shape'));
      // a shape that was baked for one image holds for each image of a batch
      const baked = target[0] === 1 && target.every((dim) => dim > 0) && sizeOf(target) * context.batch === sizeOf(x);
      return draft(resolveReshape(node.name, x, baked ? [context.batch, ...target.slice(1)] : target));
    }
    case 'Flatten': {
      const raw = node.attributes.int('axis', 1);
      const axis = raw === x.length ? raw : normalizeAxis(node.name, raw, x.length);
      return draft([sizeOf(x.slice(0, axis)), sizeOf(x.slice(axis))]);
    }
    case 'Squeeze':
    case 'Unsqueeze': {
      const given = node.inputs[1] ? constantInput(node, context, 1, 'axes') : undefined;
      const change = node.op === 'Squeeze' ? squeezeDims : unsqueezeDims;
      return draft(change(node.name, x, readAxes(node, given)));
    }
    default:
      return draft(x);
  }
}

/** Translates one run-time ONNX node. */
function translate(node: ModelNode, context: Context): Draft {
  const [first, second] = node.inputs;
  if (!first) throw new ModelError(`${node.name}: ${node.op} expects an input, got none`);
  const unary = (activation: Activation): Draft => ({ op: 'Unary', inputs: [first], activation });
  const binary = (operation: 'add' | 'sub' | 'mul' | 'div' | 'prelu'): Draft => {
    if (!second) throw new ModelError(`${node.name}: ${node.op} expects two inputs, got one`);
    return { op: 'Binary', operation, inputs: [first, second] };
  };
  switch (node.op) {
    case 'Conv':
      return conv(node, context);
    case 'MaxPool':
    case 'AveragePool':
      return pool(node, context);
    case 'GlobalMaxPool':
      return { op: 'GlobalPool', kind: 'max', inputs: [first] };
    case 'GlobalAveragePool':
      return { op: 'GlobalPool', kind: 'average', inputs: [first] };
    case 'BatchNormalization':
      return batchNorm(node, context);
    case 'InstanceNormalization':
    case 'GroupNormalization':
      return groupNorm(node, context);
    case 'Relu':
      return unary({ kind: 'relu' });
    case 'LeakyRelu':
      return unary({ kind: 'leakyRelu', slope: node.attributes.float('alpha', 0.01) });
    case 'Clip':
      return unary(clip(node, context));
    case 'Sigmoid':
      return unary({ kind: 'sigmoid' });
    case 'PRelu':
      return binary('prelu');
    case 'Add':
      return binary('add');
    case 'Sub':
      return binary('sub');
    case 'Mul':
      return binary('mul');
    case 'Div':
      return binary('div');
    case 'Resize':
    case 'Upsample':
      return resize(node, context);
    case 'Softmax': {
      const rank = context.dims(first).length;
      const modern = context.opset >= 13;
      const axis = normalizeAxis(node.name, node.attributes.int('axis', modern ? -1 : 1), rank);
      return { op: 'Softmax', inputs: [first], axis, flatten: !modern };
    }
    case 'Concat':
      return {
        op: 'Concat',
        inputs: node.inputs,
        axis: normalizeAxis(node.name, node.attributes.int('axis'), context.dims(first).length),
      };
    case 'Transpose': {
      const rank = context.dims(first).length;
      const perm = node.attributes.ints(
        'perm',
        Array.from({ length: rank }, (_, i) => rank - 1 - i),
      );
      return { op: 'Transpose', inputs: [first], perm };
    }
    case 'Slice': {
      const x = context.dims(first);
      const ranges = node.inputs.map((name, i) =>
        i === 0 || !name ? undefined : constantInput(node, context, i, 'a range'),
      );
      const { starts, steps, dims } = readSlice(node, x, ranges);
      // a crop to the size that is there already, as MXNet's exports end their upsampling
      if (formatDims(dims) === formatDims(x)) return { op: 'Reshape', inputs: [first], dims };
      return { op: 'Slice', inputs: [first], starts, steps, dims };
    }
    case 'Reshape':
    case 'Flatten':
    case 'Squeeze':
    case 'Unsqueeze':
    case 'Identity':
      return reshape(node, context);
    case 'Dropout':
      onlyOutput(node);
      node.attributes.float('ratio', 0.5);
      node.attributes.int('seed', 0);
      if (node.inputs[2] && toNumbers(constantInput(node, context, 2, 'a training mode'))[0] !== 0) {
        unsupported(node, 'in training mode has no mapping');
      }
      return reshape(node, context);
    case 'Cast':
      if (!castsToFloat(node)) unsupported(node, 'of a run-time value to integers has no mapping');
      return reshape(node, context);
    default:
      return unsupported(node, 'has no mapping');
  }
}

/** The model's one image input, checked against the wanted shape. */
function readInput(model: Model, inputDims: Dims): string {
  const [input, ...more] = model.inputs;
  if (!input || more.length > 0) {
    const names = model.inputs.map((value) => `"${value.name}"`).join(', ') || 'none';
    throw new ModelError(`model: expected one input, got ${names}`);
  }
  if (!/^(float|double|bfloat)/.test(input.type)) {
    throw new ModelError(`input "${input.name}": expected floats, got ${input.type}`);
  }
  // the batch size may differ: files that bake 1 are compiled for any
  const fixed = input.dims?.some((dim, i) => i > 0 && typeof dim === 'number' && dim > 0 && dim !== inputDims[i]);
  if (fixed || (input.dims && input.dims.length !== inputDims.length)) {
    const declared = input.dims?.map((dim) => (dim === null || dim === 0 ? '?' : dim)).join('×');
    throw new ModelError(`input "${input.name}" is fixed at ${declared} in the file, got ${formatDims(inputDims)}`);
  }
  return input.name;
}

/**
 * ONNX model → graph for one input shape `[n, c, h, w]`: shape arithmetic folded, every shape concrete.
 * `extraOutputs` names further values to keep as outputs.
 * @throws ModelError, UnsupportedOpError naming the node
 */
export function buildGraph(model: Model, inputDims: Dims, extraOutputs: readonly string[] = []): Graph {
  const input = readInput(model, inputDims);
  const dims = new Map<string, Dims>([[input, inputDims]]);
  const known = new Map<string, Tensor>(model.initializers);
  for (const [name, tensor] of known) dims.set(name, tensor.dims);
  const nodes: Node[] = [];

  const context: Context = {
    opset: model.opset,
    batch: inputDims[0] ?? 1,
    dims(value) {
      const found = dims.get(value);
      if (!found) throw new ModelError(`value "${value}" is read before any node defines it`);
      return found;
    },
    constant: (value) => known.get(value),
  };

  for (const node of model.nodes) {
    const output = node.outputs[0];
    if (!output) throw new ModelError(`${node.name}: expected an output, got none`);
    for (const name of node.inputs) if (name !== '') context.dims(name);
    const folded = foldNode(node, context);
    if (folded) {
      known.set(output, folded);
      dims.set(output, folded.dims);
    } else {
      const built = { ...translate(node, context), name: node.name, output } as Node;
      for (const name of built.inputs) {
        if (known.get(name)?.type === 'int64') unsupported(node, `with integer input "${name}" has no mapping`);
      }
      if (built.inputs.every((name) => known.has(name))) unsupported(node, 'of constants alone has no mapping');
      dims.set(output, inferDims(built, context.dims));
      nodes.push(built);
    }
    node.attributes.assertAllRead();
  }

  const outputs = [...model.outputs.map((value) => value.name), ...extraOutputs];
  for (const name of outputs) {
    if (known.has(name)) throw new ModelError(`output "${name}" is constant: it does not depend on the image`);
    if (!dims.has(name)) throw new ModelError(`output "${name}" is not computed by any node`);
  }
  return { input, outputs: [...new Set(outputs)], nodes, dims, constants: floatConstants(known) };
}

function foldNode(node: ModelNode, context: Context): Tensor | null {
  if (node.op === 'Shape') {
    const shape = context.dims(node.inputs[0]!);
    const start = node.attributes.int('start', 0);
    const end = node.attributes.int('end', shape.length);
    const part = shape.slice(start, end);
    return intTensor([part.length], part);
  }
  const inputs = node.inputs.map((name) => (name === '' ? undefined : context.constant(name)));
  if (node.inputs.some((name, i) => name !== '' && !inputs[i])) return null;
  return foldConstants(node, inputs);
}

function floatConstants(known: ReadonlyMap<string, Tensor>): Map<string, FloatTensor> {
  const constants = new Map<string, FloatTensor>();
  for (const [name, tensor] of known) {
    // shape arithmetic has done its work by now
    if (tensor.type === 'float32') constants.set(name, tensor);
  }
  return constants;
}
