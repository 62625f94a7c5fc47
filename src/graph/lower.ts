import { UnsupportedOpError } from '../common/errors.ts';
import { toHalf } from '../common/float16.ts';
import { type Dims, sizeOf } from '../common/tensor.ts';
import {
  type ConvChoices,
  type ConvOperand,
  chooseMethod,
  convKey,
  packWeights,
  planConv,
} from '../kernels/conv/methods.ts';
import { type ConvSpec, packChannels } from '../kernels/conv/spec.ts';
import {
  type AdapterTraits,
  type Dispatch,
  MAX_WORKGROUPS,
  type Precision,
  withHalfImages,
} from '../kernels/dispatch.ts';
import { floatBytes, type LayoutSpec, pack, packedBytes, packOnCpu, padWithZeros, unpack } from '../kernels/nc4hw4.ts';
import { batchNorm, batchNormAffine, packAffine } from '../kernels/tensor/batchnorm.ts';
import { binary, binaryStrided } from '../kernels/tensor/binary.ts';
import { concat, concatChannels } from '../kernels/tensor/concat.ts';
import { globalPool } from '../kernels/tensor/global-pool.ts';
import { groupNorm } from '../kernels/tensor/group-norm.ts';
import { pool } from '../kernels/tensor/pool.ts';
import { packResizeTable, resize, resizeAxis } from '../kernels/tensor/resize.ts';
import { softmax } from '../kernels/tensor/softmax.ts';
import { slice, transpose } from '../kernels/tensor/strided-copy.ts';
import { unary } from '../kernels/tensor/unary.ts';
import { assignBuffers, type Lifetime } from './assign-buffers.ts';
import { type ConvNode, constantOf, dimsOf, type Graph, type Node } from './ir.ts';
import type { ConstantData, ModelPlan, Operand } from './plan.ts';
import { asDims4, type Dims4 } from './shapes.ts';

/** `packed` is NC4HW4, which all image kernels use; `plain` is row-major, for tails of any rank. */
export type Layout = 'packed' | 'plain';

/** A tensor in one layout before it has a buffer. */
export interface Value {
  readonly kind: 'value';
  readonly id: number;
  /** Stored as half floats. */
  readonly half: boolean;
}

export interface LoweringOptions {
  /** Methods of convolutions; by the adapter's class unless given. */
  readonly choices?: ConvChoices | undefined;
  /** How packed values are stored, `f32` by default; outputs of the graph that nothing reads stay float32. */
  readonly precision?: Precision | undefined;
}

type Source = Value | Exclude<Operand, { kind: 'buffer' }>;

/** The parts of a plan that lowering decides. */
export interface Lowered extends Pick<ModelPlan, 'buffers' | 'constants' | 'steps' | 'convs'> {
  bufferOf(value: Value): number;
}

interface DraftStep {
  readonly label: string;
  readonly dispatch: Dispatch;
  readonly operands: readonly Source[];
}

function layoutSpec([batch, channels, height, width]: Dims4): LayoutSpec {
  return { batch, channels, height, width };
}

/** Rank 4 by leading ones, as numpy aligns a smaller operand. */
function alignedDims4(dims: Dims): Dims4 {
  return asDims4('broadcast operand', [1, 1, 1, 1, ...dims].slice(-Math.max(4, dims.length)));
}

/**
 * Turns graph nodes into kernel launches on values, converting between layouts where a kernel needs the other one;
 * `finish` then gives every value a buffer.
 */
export class Lowering {
  #graph: Graph;
  readonly #traits: AdapterTraits;
  readonly #choices: ConvChoices | undefined;
  readonly #precision: Precision;
  readonly #convs = new Map<string, ConvSpec>();
  readonly #bytes: number[] = [];
  #values = new Map<string, Value>();
  readonly #constants = new Map<string, ConstantData>();
  readonly #steps: DraftStep[] = [];

  constructor(graph: Graph, traits: AdapterTraits, { choices, precision = 'f32' }: LoweringOptions = {}) {
    this.#graph = graph;
    this.#traits = traits;
    this.#choices = choices;
    this.#precision = precision;
  }

  /** Goes on with another graph: the same model for another input size. Values are its own, buffers are shared. */
  begin(graph: Graph): void {
    this.#graph = graph;
    this.#values = new Map();
  }

  /** Defines the graph's input: `plain` to be written by the caller, `packed` by a first step. */
  defineInput(layout: Layout): Value {
    return this.#define(this.#graph.input, layout);
  }

  /** Lowers every node. */
  lowerNodes(): void {
    for (const node of this.#graph.nodes) this.#lower(node);
  }

  /** The value's buffer in the layout asked for, converted if need be. */
  read(name: string, layout: Layout): Source {
    return this.#graph.constants.has(name) ? this.#readConstant(name, layout) : this.readValue(name, layout);
  }

  /** The same for a value that is computed at run time. */
  readValue(name: string, layout: Layout): Value {
    const present = this.#values.get(`${name}@${layout}`);
    if (present) return present;
    const dims = asDims4(`value "${name}"`, dimsOf(this.#graph, name));
    const other = layout === 'packed' ? 'plain' : 'packed';
    const source = this.#values.get(`${name}@${other}`);
    if (!source) throw new Error(`value "${name}" is not lowered yet`);
    const spec = layoutSpec(dims);
    const target = this.#define(name, layout);
    this.emit(name, layout === 'packed' ? pack(spec) : unpack(spec), [source, target]);
    return target;
  }

  /** Adds a launch; operands are inputs first, output last. */
  emit(node: string, dispatch: Dispatch, operands: readonly Source[]): void {
    const wide = dispatch.workgroups.findIndex((count) => count > MAX_WORKGROUPS);
    if (wide >= 0) {
      throw new UnsupportedOpError(
        node,
        dispatch.kernel,
        `needs ${dispatch.workgroups.join('×')} workgroups, more than ${MAX_WORKGROUPS} along one dimension: the input is too large`,
      );
    }
    const isHalf = (operand: Source) =>
      operand.kind === 'value'
        ? operand.half
        : operand.kind === 'constant' && this.#constants.get(operand.key) instanceof Uint16Array;
    const halves = { inputs: operands.slice(0, -1).some(isHalf), output: isHalf(operands.at(-1)!) };
    const label = `${node}/${dispatch.kernel}`;
    this.#steps.push({ label, dispatch: withHalfImages(dispatch, halves), operands });
  }

  /** A constant by key, made once. */
  constant(key: string, make: () => ConstantData): Extract<Operand, { kind: 'constant' }> {
    if (!this.#constants.has(key)) this.#constants.set(key, make());
    return { kind: 'constant', key };
  }

  /** A buffer that is no tensor of the graph. */
  scratch(bytes: number): Value {
    return { kind: 'value', id: this.#bytes.push(bytes) - 1, half: false };
  }

  /** Assigns buffers. The host fills or clears `fromStart` before the first step and reads `toEnd` after the last. */
  finish(reuse: boolean, fromStart: readonly Value[], toEnd: readonly Value[]): Lowered {
    const touched = this.#bytes.map(() => ({ first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY }));
    const touch = (value: Value, step: number) => {
      const span = touched[value.id]!;
      span.first = Math.min(span.first, step);
      span.last = Math.max(span.last, step);
    };
    this.#steps.forEach((step, i) => {
      for (const operand of step.operands) if (operand.kind === 'value') touch(operand, i);
    });
    for (const value of fromStart) touch(value, -1);
    for (const value of toEnd) touch(value, this.#steps.length);
    const lifetimes: Lifetime[] = touched.map((span, id) => ({ bytes: this.#bytes[id]!, ...span }));
    const { bufferOf, buffers } = assignBuffers(lifetimes, reuse);
    const place = (source: Source): Operand =>
      source.kind === 'value' ? { kind: 'buffer', index: bufferOf[source.id]! } : source;
    return {
      buffers,
      constants: this.#constants,
      steps: this.#steps.map((step) => ({ ...step, operands: step.operands.map(place) })),
      convs: [...this.#convs.values()],
      bufferOf: (value) => bufferOf[value.id]!,
    };
  }

  #define(name: string, layout: Layout): Value {
    const dims = dimsOf(this.#graph, name);
    const floats = layout === 'packed' ? packedBytes(...asDims4(`value "${name}"`, dims)) : floatBytes(sizeOf(dims));
    const half = layout === 'packed' && this.#precision === 'f16' && this.#isRead(name);
    const value: Value = { kind: 'value', id: this.#bytes.push(half ? floats / 2 : floats) - 1, half };
    this.#values.set(`${name}@${layout}`, value);
    return value;
  }

  #readConstant(name: string, layout: Layout): Source {
    const { data, dims } = constantOf(this.#graph, name);
    if (layout === 'packed') {
      const packed = () => packOnCpu(data, layoutSpec(alignedDims4(dims)));
      if (this.#precision === 'f16') return this.constant(`${name}@packed half`, () => toHalf(packed()));
      return this.constant(`${name}@packed`, packed);
    }
    return this.constant(`${name}@plain`, () => padWithZeros(data, floatBytes(data.length) / 4));
  }

  /** Whether a kernel reads a value packed. The heads are decoded from what their convolutions give. */
  #isRead(name: string): boolean {
    return this.#graph.nodes.some(({ inputs }) => inputs.includes(name));
  }

  /** Whether a value can be read packed without a conversion. */
  #isPacked(name: string): boolean {
    return this.#graph.constants.has(name) || this.#values.has(`${name}@packed`);
  }

  #lower(node: Node): void {
    const dims = (name: string) => dimsOf(this.#graph, name);
    const input = node.inputs[0]!;
    const outDims = dims(node.output);
    switch (node.op) {
      case 'Conv':
        return this.#lowerConv(node);
      case 'BatchNorm': {
        const data = (name: string) => constantOf(this.#graph, name).data;
        const affine = this.constant(`${node.output}@affine`, () => {
          const { scale, shift } = batchNormAffine(
            data(node.gamma),
            data(node.beta),
            data(node.mean),
            data(node.variance),
            node.epsilon,
          );
          return packAffine(scale, shift);
        });
        const dispatch = batchNorm(layoutSpec(asDims4(node.name, outDims)));
        return this.emit(node.name, dispatch, [
          this.read(input, 'packed'),
          affine,
          this.#define(node.output, 'packed'),
        ]);
      }
      case 'GroupNorm': {
        const layout = this.#isPacked(input) ? 'packed' : 'plain';
        const affine = this.constant(`${node.output}@affine`, () => {
          const [scale, shift] = [node.scale, node.shift].map((name) => constantOf(this.#graph, name).data);
          const both = new Float32Array(floatBytes(scale!.length * 2) / 4);
          both.set(scale!);
          both.set(shift!, scale!.length);
          return both;
        });
        const dispatch = groupNorm({
          batch: outDims[0]!,
          channels: outDims[1]!,
          planeSize: sizeOf(outDims.slice(2)),
          groups: node.groups,
          epsilon: node.epsilon,
          layout,
          activation: node.activation,
        });
        return this.emit(node.name, dispatch, [this.read(input, layout), affine, this.#define(node.output, layout)]);
      }
      case 'Pool': {
        const [batch, channels, inHeight, inWidth] = asDims4(node.name, dims(input));
        const [, , outHeight, outWidth] = asDims4(node.name, outDims);
        const dispatch = pool({ ...node, batch, channels, inHeight, inWidth, outHeight, outWidth });
        return this.emit(node.name, dispatch, [this.read(input, 'packed'), this.#define(node.output, 'packed')]);
      }
      case 'GlobalPool': {
        const dispatch = globalPool({ kind: node.kind, ...layoutSpec(asDims4(node.name, dims(input))) });
        return this.emit(node.name, dispatch, [this.read(input, 'packed'), this.#define(node.output, 'packed')]);
      }
      case 'Resize': {
        const [batch, channels, inHeight, inWidth] = asDims4(node.name, dims(input));
        const [outHeight, outWidth] = node.size;
        const taps = this.constant(`${node.output}@taps ${inHeight}×${inWidth} → ${outHeight}×${outWidth}`, () =>
          packResizeTable(
            resizeAxis(inHeight, outHeight, node.scales[0], node.mode),
            resizeAxis(inWidth, outWidth, node.scales[1], node.mode),
          ),
        );
        const dispatch = resize({ batch, channels, inHeight, inWidth, outHeight, outWidth });
        return this.emit(node.name, dispatch, [this.read(input, 'packed'), taps, this.#define(node.output, 'packed')]);
      }
      case 'Binary': {
        const [a, b] = node.inputs as [string, string];
        const packed =
          outDims.length === 4 &&
          node.inputs.every((name) => this.#isPacked(name)) &&
          node.inputs.some((name) => !this.#graph.constants.has(name));
        const layout = packed ? 'packed' : 'plain';
        const dispatch = packed
          ? binary(node.operation, alignedDims4(dims(a)), alignedDims4(dims(b)), asDims4(node.name, outDims))
          : binaryStrided(node.operation, dims(a), dims(b), outDims);
        return this.emit(node.name, dispatch, [
          this.read(a, layout),
          this.read(b, layout),
          this.#define(node.output, layout),
        ]);
      }
      case 'Unary': {
        const layout = this.#isPacked(input) ? 'packed' : 'plain';
        const source = this.read(input, layout);
        const target = this.#define(node.output, layout);
        const vectors = this.#bytes[target.id]! / (target.half ? 8 : 16);
        return this.emit(node.name, unary(node.activation, vectors), [source, target]);
      }
      case 'Softmax': {
        const rest = sizeOf(outDims.slice(node.axis));
        const size = node.flatten ? rest : outDims[node.axis]!;
        const dispatch = softmax(sizeOf(outDims.slice(0, node.axis)), size, rest / size);
        return this.emit(node.name, dispatch, [this.read(input, 'plain'), this.#define(node.output, 'plain')]);
      }
      case 'Concat':
        if (outDims.length === 4 && node.axis === 1 && node.inputs.every((name) => this.#isPacked(name))) {
          return this.#concatChannels(node.name, node.inputs, node.output);
        }
        return this.#concatPlain(node.name, node.inputs, node.output, node.axis);
      case 'Transpose':
        return this.emit(node.name, transpose(dims(input), node.perm), [
          this.read(input, 'plain'),
          this.#define(node.output, 'plain'),
        ]);
      case 'Slice':
        return this.emit(node.name, slice(dims(input), { starts: node.starts, steps: node.steps, outDims }), [
          this.read(input, 'plain'),
          this.#define(node.output, 'plain'),
        ]);
      case 'Reshape': {
        // row-major data has no shape: the result is the same buffer
        this.#values.set(`${node.output}@plain`, this.readValue(input, 'plain'));
        return;
      }
      default:
        return node satisfies never;
    }
  }

  #concatChannels(name: string, inputs: readonly string[], output: string): void {
    const [batch, outChannels, height, width] = asDims4(name, dimsOf(this.#graph, output));
    const target = this.#define(output, 'packed');
    let firstChannel = 0;
    for (const input of inputs) {
      const inChannels = dimsOf(this.#graph, input)[1]!;
      const dispatch = concatChannels({ batch, height, width, inChannels, outChannels, firstChannel });
      this.emit(name, dispatch, [this.read(input, 'packed'), target]);
      firstChannel += inChannels;
    }
  }

  #concatPlain(name: string, inputs: readonly string[], output: string, axis: number): void {
    const outDims = dimsOf(this.#graph, output);
    const sources = inputs.map((input) => this.read(input, 'plain'));
    const target = this.#define(output, 'plain');
    let offset = 0;
    inputs.forEach((input, i) => {
      const inputRun = sizeOf(dimsOf(this.#graph, input).slice(axis));
      const dispatch = concat({
        outer: sizeOf(outDims.slice(0, axis)),
        inputRun,
        outputRun: sizeOf(outDims.slice(axis)),
        offset,
      });
      this.emit(name, dispatch, [sources[i]!, target]);
      offset += inputRun;
    });
  }

  #lowerConv(node: ConvNode): void {
    const [input, residual] = node.inputs as [string, string?];
    const [batch, inChannels, inHeight, inWidth] = asDims4(node.name, dimsOf(this.#graph, input));
    const [, outChannels, outHeight, outWidth] = asDims4(node.name, dimsOf(this.#graph, node.output));
    const spec: ConvSpec = {
      batch,
      inChannels,
      inHeight,
      inWidth,
      outChannels,
      outHeight,
      outWidth,
      kernel: node.kernel,
      strides: node.strides,
      dilations: node.dilations,
      pads: [node.pads[0], node.pads[1]],
      group: node.group,
      activation: node.activation,
      upsample: node.residualUpsample,
    };
    this.#convs.set(convKey(spec), spec);
    const { launches, weightOrder } = planConv(chooseMethod(spec, this.#traits, this.#choices), spec, this.#traits);
    const { data } = constantOf(this.#graph, node.weight);
    const weights = this.constant(`${node.weight}@${weightOrder}`, () => packWeights(weightOrder, data, spec));
    const zeros = () => this.constant(`zeros ${outChannels}`, () => packChannels(undefined, outChannels));
    const biasName = node.bias;
    const bias =
      biasName === null
        ? zeros()
        : this.constant(`${biasName}@channels`, () =>
            packChannels(constantOf(this.#graph, biasName).data, outChannels),
          );
    const known = new Map<ConvOperand, Source>([
      ['input', this.read(input, 'packed')],
      ['bias', bias],
      // without a residual the binding is never read
      ['residual', residual === undefined ? bias : this.read(residual, 'packed')],
      ['output', this.#define(node.output, 'packed')],
    ]);
    for (const { dispatch, operands, weightsRange } of launches) {
      const bound = operands.map((operand, i): Source => {
        if (operand === 'weights') return { ...weights, range: weightsRange };
        const source = known.get(operand) ?? (operand === 'zeros' ? zeros() : this.scratch(dispatch.bindingBytes[i]!));
        known.set(operand, source);
        return source;
      });
      this.emit(node.name, dispatch, bound);
    }
  }
}
