import { ShapeError } from '../common/errors.ts';
import { type Dims, type FloatTensor, MAX_RANK, sameDims, sizeOf } from '../common/tensor.ts';
import type { Model } from '../loader/model.ts';
import { constantOf, dimsOf, type Graph } from './ir.ts';
import { imageRule, type Node } from './operators/index.ts';
import { checkValue } from './shapes.ts';
import { verify } from './verify.ts';

function declaredBatch({ inputs: [input] }: Model): number | undefined {
  const declared = input?.dims?.[0];
  return typeof declared === 'number' ? declared : undefined;
}

/** @throws ShapeError for a batch of a file that declares another one than that of a single image */
export function assertBatch(model: Model, batch: number): void {
  const declared = declaredBatch(model) ?? 1;
  if (batch === 1 || declared === 1 || declared === batch) return;
  throw new ShapeError(`input "${model.inputs[0]!.name}" is fixed at ${declared} images in the file, got ${batch}`);
}

/** Whether the file is made for one image, and this is a batch. */
export function isForeignBatch(model: Model, batch: number): boolean {
  return batch > 1 && declaredBatch(model) === 1;
}

/**
 * The graph for one image as one for a batch: every value is that of all images, one behind the other along the leading dimension,
 * and each of them is what it is alone. Where a node does not compute entries of that dimension apart, the images get a dimension of
 * their own in front.
 * @throws ShapeError naming a node whose operator cannot do that
 */
export function stackImages(graph: Graph, batch: number): Graph {
  if (batch === 1) return graph;
  const stack = new Stack(graph, batch);
  for (const node of graph.nodes) stack.add(node);
  return verify(stack.graph(), stackImages.name);
}

/** As numpy aligns what is smaller: ones where dimensions are missing. */
function aligned(dims: Dims, rank: number): Dims {
  return [...new Array<number>(Math.max(0, rank - dims.length)).fill(1), ...dims];
}

class Stack {
  readonly #alone: Graph;
  readonly #batch: number;
  readonly #nodes: Node[] = [];
  readonly #dims: Map<string, Dims>;
  readonly #constants: Map<string, FloatTensor>;
  /** What a value that was only given other dimensions is made of. */
  readonly #sources = new Map<string, string>();
  readonly #repeated = new Map<string, string>();

  constructor(alone: Graph, batch: number) {
    this.#alone = alone;
    this.#batch = batch;
    this.#constants = new Map(alone.constants);
    this.#dims = new Map([...alone.constants].map(([name, { dims }]) => [name, dims]));
    this.#dims.set(alone.input, this.#stacked(dimsOf(alone, alone.input)));
  }

  graph(): Graph {
    return { ...this.#alone, nodes: this.#nodes, dims: this.#dims, constants: this.#constants };
  }

  add(node: Node): void {
    const rule = imageRule(node);
    const { name, op, inputs, output } = node;
    const dims = this.#dimsAlone(output);
    const isApart = this.#isApart(node);
    const deepest = Math.max(dims.length, ...inputs.map((input) => this.#dimsAlone(input).length));
    const deepened =
      typeof rule === 'object' ? rule.deepen(node, this.#batch, (value) => this.#dimsAlone(value)) : node;
    if (rule === undefined || (!isApart && (deepened === undefined || deepest === MAX_RANK))) {
      throw new ShapeError(
        `${name}: ${op} does not keep the images of a batch of ${this.#batch} apart: run one image at a time`,
      );
    }
    /** An operand by the shape that all images have of it. */
    const operand = (input: string, shape: Dims) => {
      if (!this.#isConstant(input)) return this.#reshape(input, shape, name);
      const isKept = rule === 'broadcast' || (typeof rule === 'object' && rule.keepsConstants);
      return isKept ? input : this.#repeat(input, shape);
    };
    if (isApart || deepened === undefined) {
      const whole = this.#stacked(dims);
      const stacked = inputs.map((input) => operand(input, this.#stacked(this.#dimsAlone(input))));
      // what a node says of its output's shape is that of the batch
      this.#push({ ...node, ...('dims' in node && { dims: whole }), inputs: stacked } as Node, whole);
      return;
    }
    const deep = inputs.map((input) => {
      const own = this.#dimsAlone(input);
      return operand(input, [this.#batch, ...(rule === 'broadcast' ? aligned(own, dims.length) : own)]);
    });
    const apart = { ...deepened, inputs: deep, output: this.#unused(output) };
    this.#push(apart, [this.#batch, ...dims]);
    this.#reshape(apart.output, this.#stacked(dims), name, output);
  }

  /** Whether entries of the leading dimension are computed apart, so that those of several images can lie along it. */
  #isApart(node: Node): boolean {
    const rule = imageRule(node);
    if (rule === undefined || rule === 'apart') return true;
    if (rule !== 'broadcast') {
      return rule.apart(
        node,
        (value) => this.#dimsAlone(value),
        (value) => this.#isConstant(value),
      );
    }
    const out = this.#dimsAlone(node.output);
    return node.inputs.every((input) => {
      const dims = this.#dimsAlone(input);
      const isWhole = dims.length === out.length;
      return this.#isConstant(input) ? !isWhole || dims[0] === 1 : isWhole && dims[0] === out[0];
    });
  }

  #isConstant(value: string): boolean {
    return this.#alone.constants.has(value);
  }

  #dimsAlone(value: string): Dims {
    return dimsOf(this.#alone, value);
  }

  #stacked([first = 1, ...rest]: Dims): Dims {
    return [first * this.#batch, ...rest];
  }

  #push(node: Node, dims: Dims): void {
    this.#nodes.push(node);
    this.#dims.set(node.output, checkValue(node.name, dims));
  }

  /** A name for a value that the file does not have. */
  #unused(value: string): string {
    let name = `${value}:images`;
    while (this.#dims.has(name) || this.#alone.dims.has(name)) name += "'";
    return name;
  }

  /** The same elements by other dimensions, which costs nothing. */
  #reshape(value: string, dims: Dims, who: string, output?: string): string {
    const source = this.#sources.get(value) ?? value;
    const present = [value, source].find((name) => sameDims(dimsOf({ dims: this.#dims }, name), dims));
    if (present !== undefined && output === undefined) return present;
    const reshaped = output ?? this.#unused(value);
    this.#push({ op: 'Reshape', name: who, inputs: [source], output: reshaped, dims }, dims);
    this.#sources.set(reshaped, source);
    return reshaped;
  }

  /** A constant once for each image. */
  #repeat(value: string, dims: Dims): string {
    const key = `${value} ${dims}`;
    const present = this.#repeated.get(key);
    if (present !== undefined) return present;
    const { data } = constantOf(this.#alone, value);
    const all = new Float32Array(sizeOf(checkValue(`constant "${value}"`, dims)));
    for (let image = 0; image < this.#batch; image++) all.set(data, image * data.length);
    const name = this.#unused(value);
    this.#constants.set(name, { type: 'float32', dims, data: all });
    this.#dims.set(name, dims);
    this.#repeated.set(key, name);
    return name;
  }
}
