import { ModelError } from '../common/errors.ts';
import { toHalf } from '../common/float16.ts';
import type { Dims, FloatTensor } from '../common/tensor.ts';
import { type ConvChoices, type ConvPlan, chooseMethod, planConv } from '../kernels/conv/methods.ts';
import type { ConvSpec } from '../kernels/conv/spec.ts';
import { type AdapterTraits, type Dispatch, type Precision, withHalfImages } from '../kernels/dispatch.ts';
import { foldGrid } from '../kernels/fold-grid.ts';
import { floatBytes, pack, packOnCpu, padWithZeros, unpack } from '../kernels/nc4hw4.ts';
import { assignBuffers, type Lifetime } from './assign-buffers.ts';
import { constantOf, dimsOf, type Graph } from './ir.ts';
import { lowerNode } from './operators/index.ts';
import type { Layout, LowerContext, NodeBase, Resize, Source, Value } from './operators/operator.ts';
import type { ConstantData, ModelPlan, Operand } from './plan.ts';
import { alignedDims4, asDims4, layoutSpec, storageBytes } from './shapes.ts';
import type { DraftStep } from './share-launches.ts';
import type { Target } from './target.ts';

export interface LoweringOptions {
  /** Methods of convolutions; by the adapter's class unless given. */
  readonly choices?: ConvChoices | undefined;
  /** How packed values are stored, `f32` by default; outputs of the graph that nothing reads stay float32. */
  readonly precision?: Precision | undefined;
}

/** The parts of a plan that lowering decides. */
export interface Lowered extends Pick<ModelPlan, 'buffers' | 'constants' | 'steps' | 'convs'> {
  bufferOf(value: Value): number;
}

/**
 * Turns graph nodes into kernel launches on values, converting between layouts where a kernel needs the other one;
 * `finish` then gives every value a buffer.
 */
export class Lowering implements LowerContext {
  readonly #target: Target;
  #graph: Graph;
  /** Values that nodes of the graph read. */
  #read: ReadonlySet<string>;
  #stage = 'network';
  #values = new Map<string, Value>();
  readonly #tuned: ConvChoices;
  #choices: ConvChoices;
  readonly #precision: Precision;
  readonly #convs: ConvSpec[] = [];
  readonly #bytes: number[] = [];
  readonly #constants = new Map<string, ConstantData>();
  #constantElements = 0;
  readonly #mostElements: number;
  readonly #steps: DraftStep[] = [];

  constructor(graph: Graph, target: Target, { choices = new Map(), precision = 'f32' }: LoweringOptions = {}) {
    this.#graph = graph;
    this.#read = readValues(graph);
    this.#mostElements = mostElements(graph);
    this.#target = target;
    this.#tuned = choices;
    this.#choices = this.#chooseWays();
    this.#precision = precision;
  }

  #chooseWays(): ConvChoices {
    return new Map([...this.#target.chooseWays(this.#graph, this.#target), ...this.#tuned]);
  }

  get traits(): AdapterTraits {
    return this.#target;
  }

  /** Goes on with another graph: the same model for another input size. Values are its own, buffers are shared. */
  begin(graph: Graph): void {
    this.#graph = graph;
    this.#read = readValues(graph);
    this.#choices = this.#chooseWays();
    this.#values = new Map();
  }

  /** Names what the launches to come are timed as; `network` until then. */
  enter(stage: string): void {
    this.#stage = stage;
  }

  /** Defines the graph's input: `plain` to be written by the caller, `packed` by a first step. */
  defineInput(layout: Layout): Value {
    return this.define(this.#graph.input, layout);
  }

  /** Lowers every node. */
  lowerNodes(): void {
    for (const node of this.#graph.nodes) lowerNode(node, this);
  }

  dims(value: string): Dims {
    return dimsOf(this.#graph, value);
  }

  constantOf(value: string): FloatTensor {
    return constantOf(this.#graph, value);
  }

  isConstant(value: string): boolean {
    return this.#graph.constants.has(value);
  }

  isPacked(value: string): boolean {
    return this.isConstant(value) || this.#values.has(`${value}@packed`);
  }

  read(value: string, layout: Layout): Source {
    return this.isConstant(value) ? this.#readConstant(value, layout) : this.readValue(value, layout);
  }

  /** What `read` gives of a value that is computed at run time. */
  readValue(name: string, layout: Layout): Value {
    const present = this.#values.get(`${name}@${layout}`);
    if (present) return present;
    const spec = layoutSpec(asDims4(`value "${name}"`, this.dims(name)));
    const other = layout === 'packed' ? 'plain' : 'packed';
    const source = this.#values.get(`${name}@${other}`);
    if (!source) throw new Error(`value "${name}" is not lowered yet`);
    const target = this.define(name, layout);
    this.emit(name, layout === 'packed' ? pack(spec) : unpack(spec), [source, target]);
    return target;
  }

  define(name: string, layout: Layout): Value {
    const floats = storageBytes(name, this.dims(name), layout);
    const half = layout === 'packed' && this.#precision === 'f16' && this.#read.has(name);
    const value: Value = { kind: 'value', id: this.#bytes.push(half ? floats / 2 : floats) - 1, half };
    this.#values.set(`${name}@${layout}`, value);
    return value;
  }

  alias(name: string, of: string): void {
    this.#values.set(`${name}@plain`, this.readValue(of, 'plain'));
  }

  constant(key: string, make: () => ConstantData): Extract<Operand, { kind: 'constant' }> {
    if (!this.#constants.has(key)) {
      const data = make();
      this.#constants.set(key, data);
      this.#constantElements += data.length;
      if (this.#constantElements > this.#mostElements) {
        throw new ModelError(`constant "${key}": the kernels' constants have more than ${this.#mostElements} elements`);
      }
    }
    return { kind: 'constant', key };
  }

  scratch(bytes: number): Value {
    return { kind: 'value', id: this.#bytes.push(bytes) - 1, half: false };
  }

  planConv(spec: ConvSpec): ConvPlan {
    this.#convs.push(spec);
    return planConv(chooseMethod(spec, this.#target, this.#choices), spec, this.#target);
  }

  emit(node: string, dispatch: Dispatch, operands: readonly Source[], resize?: Resize): void {
    const isHalf = (operand: Source) =>
      operand.kind === 'value'
        ? operand.half
        : operand.kind === 'constant' && this.#constants.get(operand.key) instanceof Uint16Array;
    const halves = { inputs: operands.slice(0, -1).some(isHalf), output: isHalf(operands.at(-1)!) };
    const label = `${node}/${dispatch.kernel}`;
    const finish = (each: Dispatch) => withHalfImages(each, halves);
    this.#steps.push({
      label,
      stage: this.#stage,
      dispatch: finish(dispatch),
      operands,
      resize: resize && ((invocations) => mapped(resize(invocations), finish)),
    });
  }

  emitNode(node: NodeBase, dispatch: Dispatch, layout: Layout, besides: readonly Source[] = []): void {
    const inputs = node.inputs.map((name) => this.read(name, layout));
    this.emit(node.name, dispatch, [...inputs, ...besides, this.define(node.output, layout)]);
  }

  /** Assigns buffers. The host fills or clears `fromStart` before the first step and reads `toEnd` after the last. */
  finish(reuse: boolean, fromStart: readonly Value[], toEnd: readonly Value[]): Lowered {
    const steps = this.#target.shareLaunches(this.#steps, this.#constants, this.#target);
    const touched = this.#bytes.map(() => ({ first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY }));
    const touch = (value: Value, step: number) => {
      const span = touched[value.id]!;
      span.first = Math.min(span.first, step);
      span.last = Math.max(span.last, step);
    };
    steps.forEach((step, i) => {
      for (const operand of step.operands) if (operand.kind === 'value') touch(operand, i);
    });
    for (const value of fromStart) touch(value, -1);
    for (const value of toEnd) touch(value, steps.length);
    const lifetimes: Lifetime[] = touched.map((span, id) => ({ bytes: this.#bytes[id]!, ...span }));
    const { bufferOf, buffers } = assignBuffers(lifetimes, reuse);
    const place = (source: Source): Operand =>
      source.kind === 'value' ? { kind: 'buffer', index: bufferOf[source.id]! } : source;
    return {
      buffers,
      constants: onlyBound(this.#constants, steps),
      steps: steps.map((step) => ({
        ...step,
        dispatch: foldGrid(step.dispatch),
        operands: step.operands.map(place),
      })),
      convs: this.#convs,
      bufferOf: (value) => bufferOf[value.id]!,
    };
  }

  #readConstant(name: string, layout: Layout): Source {
    const { data, dims } = this.constantOf(name);
    if (layout === 'packed') {
      const packed = () => packOnCpu(data, layoutSpec(alignedDims4(dims)));
      if (this.#precision === 'f16') return this.constant(`${name}@packed half`, () => toHalf(packed()));
      return this.constant(`${name}@packed`, packed);
    }
    return this.constant(`${name}@plain`, () => padWithZeros(data, floatBytes(data.length) / 4));
  }
}

/** The heads are decoded from what their convolutions give. */
function readValues(graph: Graph): ReadonlySet<string> {
  return new Set(graph.nodes.flatMap(({ inputs }) => inputs));
}

/**
 * Of the kernels' constants. Packing makes at most 28 of one; the rest is what nodes derive, and each of very many
 * nodes may derive its own from one.
 */
function mostElements({ constants }: Graph): number {
  let elements = 0;
  for (const { data } of constants.values()) elements += data.length;
  return 2 ** 25 + 32 * elements;
}

function mapped<T>(value: T | undefined, change: (value: T) => T): T | undefined {
  return value === undefined ? undefined : change(value);
}

/** The constants that steps bind: those of launches that became one are parts of others. */
function onlyBound(constants: ReadonlyMap<string, ConstantData>, steps: readonly DraftStep[]) {
  const bound = new Set(steps.flatMap(({ operands }) => operands.map((each) => each.kind === 'constant' && each.key)));
  return new Map([...constants].filter(([key]) => bound.has(key)));
}
