import { type Dims, floatTensor, intTensor, sizeOf, type Tensor } from '../../src/common/tensor.ts';
import { float, int, ints, type ModelSpec, type NodeSpec, text } from '../support/onnx-builder.ts';
import { createRng, type Rng } from '../support/rng.ts';

type Attributes = NonNullable<NodeSpec['attributes']>;

interface Value {
  readonly name: string;
  readonly dims: Dims;
  /** Rough magnitude: operations that let it grow are drawn for small ones only. */
  readonly scale: number;
}

export interface RandomNetwork {
  readonly spec: ModelSpec;
  readonly opset: number;
  readonly inputDims: readonly [number, number, number, number];
  /** Values that nodes compute, outputs included. */
  readonly computed: readonly string[];
}

const OPSETS = [9, 10, 11, 13, 17, 21] as const;
const MAX_ELEMENTS = 6000;
const MAX_SCALE = 8;
const MAX_RANK = 5;
/** Arithmetic operators that each network has, in turn: there are many of them. */
const ARITHMETIC_TURNS = 6;

/** The network for a seed: the same each time, valid for onnxruntime. Of `few` moves, or of many. */
export function randomNetwork(seed: number, few?: number): RandomNetwork {
  const generator = new Generator(seed);
  const moves = generator.moves();
  const general = generator.generalMoves();
  const count = few ?? generator.rng.int(5, 9);
  const drawn = few === undefined ? moves : [...moves, ...general];
  for (let i = 0; i < count; i++) generator.rng.pick(drawn)();
  if (few !== undefined) return generator.finish();
  // a turn for every move: chance alone would leave some out for long
  for (const turn of [0, 11, 23]) moves[(seed * 3 + turn) % moves.length]!();
  const arithmetic = generator.arithmetic();
  const first = Math.floor(seed / OPSETS.length) * ARITHMETIC_TURNS;
  for (let i = 0; i < ARITHMETIC_TURNS; i++) arithmetic[(first + i) % arithmetic.length]!();
  for (const turn of [0, 1, 2]) general[(seed * 3 + turn) % general.length]!();
  return generator.finish();
}

class Generator {
  readonly rng: Rng;
  readonly #opset: number;
  readonly #inputDims: readonly [number, number, number, number];
  readonly #nodes: NodeSpec[] = [];
  readonly #initializers: Record<string, Tensor> = {};
  readonly #values: Value[] = [];
  readonly #read = new Set<string>();
  /** Values inside a pattern: a second reader would keep it from being fused. */
  readonly #inner = new Set<Value>();

  constructor(seed: number) {
    this.rng = createRng(seed);
    const { rng } = this;
    this.#opset = OPSETS[seed % OPSETS.length]!;
    this.#inputDims = [rng.int(1, 3), rng.int(1, 9), rng.int(3, 9) * 2, rng.int(3, 9) * 2];
    this.#values.push({ name: 'x', dims: this.#inputDims, scale: 1 });
  }

  /** One generator of nodes each; one that finds no fitting value adds nothing. */
  moves(): (() => void)[] {
    return [
      () => this.#conv(this.#image()),
      () => this.#conv(this.#image(), 'depthwise'),
      () => this.#conv(this.#image(), 'grouped'),
      () => this.#sealed(() => this.#convBlock()),
      () => this.#sealed(() => this.#residual()),
      () => this.#sealed(() => this.#topDown()),
      () => this.#sealed(() => this.#topDown()),
      () => this.#batchNorm(this.#image()),
      () => this.#instanceNorm(this.#any((dims) => dims.length >= 3 && sizeOf(dims.slice(2)) > 2)),
      ...Array.from({ length: this.#opset < 21 ? 2 : 6 }, () => () => this.#sealed(() => this.#groupNorm())),
      () => this.#unary(this.#any()),
      () => this.#unary(this.#any()),
      () => this.#prelu(),
      () => this.#arithmetic(),
      () => this.#arithmetic(),
      () => this.#arithmetic(),
      () => this.#binaryConstant(),
      () => this.#binaryConstant(),
      () => this.#binary(),
      () => this.#binary(),
      () => this.#division(),
      () => this.#pool('MaxPool'),
      () => this.#pool('AveragePool'),
      () => this.#globalPool(),
      () => this.#resize(),
      () => this.#resize(),
      () => this.#concat(),
      () => this.#concat(),
      () => this.#softmax(),
      () => this.#transpose(),
      () => this.#slice(),
      () => this.#slice(),
      () => this.#reshape(),
      () => this.#flatten(),
      () => this.#squeezes(),
      () => this.#passThrough(),
      () => this.#passThrough(),
      () => this.#passThrough(),
    ];
  }

  /** One generator for each arithmetic operator that the operator set has; for those that came late several. */
  arithmetic(): (() => void)[] {
    const since = (first: number, ops: readonly string[], move: (op: string) => void, times = 1) =>
      this.#opset < first ? [] : Array.from({ length: times }, () => ops.map((op) => () => move(op))).flat();
    return [
      ...since(7, ['Exp', 'Abs', 'Neg', 'Sin', 'Cos', 'Erf', 'HardSigmoid'], (op) => this.#function(op)),
      ...since(7, ['Elu', 'Selu', 'Softplus', 'Softsign'], (op) => this.#function(op)),
      ...since(14, ['HardSwish'], (op) => this.#function(op), 2),
      ...since(20, ['Mish', 'Gelu'], (op) => this.#function(op), 5),
      ...since(7, ['Log', 'Sqrt', 'Reciprocal', 'Pow', 'ReduceLogSum'], (op) => this.#ofPositive(op)),
      ...since(7, ['Floor', 'Ceil', 'Sign', 'ArgMax', 'ArgMin'], (op) => this.#jump(op)),
      ...since(11, ['Round'], (op) => this.#jump(op)),
      ...since(7, ['Less', 'Greater', 'And', 'Or', 'Xor', 'Not', 'Where'], (op) => this.#logic(op)),
      ...since(11, ['Equal'], (op) => this.#logic(op), 2),
      ...since(12, ['LessOrEqual', 'GreaterOrEqual'], (op) => this.#logic(op), 2),
      ...since(7, ['Min', 'Max', 'Sum', 'Mean'], (op) => this.#many(op)),
      ...since(10, ['Mod'], () => this.#remainder()),
      ...since(7, ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'SumSquare', 'LogSumExp'], (op) =>
        this.#reduce(`Reduce${op}`),
      ),
      ...since(7, ['LogSoftmax', 'LpNormalization'], (op) => this.#alongAxis(op)),
      ...since(17, ['LayerNormalization'], () => this.#layerNorm(), 4),
      ...since(7, ['MatMul'], () => this.#matmul()),
      ...since(7, ['Gemm'], () => this.#sealed(() => this.#gemm()), 3),
    ];
  }

  #arithmetic(): void {
    this.rng.pick(this.arithmetic())();
  }

  /** A value of numbers that functions do not magnify. */
  #gentle(fits: (dims: Dims) => boolean = () => true): Value {
    const x = this.#any(fits);
    return x.scale <= 1 ? x : this.#emit('Sigmoid', [x.name], x.dims, 1);
  }

  /** The input itself, to the bit: other values may fall on either side of a jump. */
  #exact(): Value {
    return this.#values[0]!;
  }

  /** Mostly one that keeps the images of a batch apart. */
  #axis(x: Value): number {
    return this.rng.int(this.#chance(0.9) ? Math.min(1, x.dims.length - 1) : 0, x.dims.length - 1);
  }

  #function(op: string): void {
    const x = this.#gentle();
    const alpha: Attributes =
      ['Elu', 'Selu', 'HardSigmoid'].includes(op) && this.#chance(0.5) ? { alpha: float(0.3) } : {};
    const approximate: Attributes = op === 'Gelu' && this.#chance(0.5) ? { approximate: text('tanh') } : {};
    // up to operator set 8 there is none
    const known = op === 'Erf' && this.#opset < 9 ? 'Tanh' : op;
    this.#emit(known, [x.name], x.dims, op === 'Exp' ? 3 : 1.5, { ...alpha, ...approximate });
  }

  #ofPositive(op: string): void {
    const x = this.#gentle();
    const size = this.#emit('Abs', [x.name], x.dims, x.scale);
    const positive = this.#emit('Add', [size.name, this.#add(floatTensor([], [0.5]))], x.dims, 1.5);
    if (op === 'ReduceLogSum') return this.#reduce(op, positive);
    if (op !== 'Pow') return void this.#emit(op, [positive.name], x.dims, 2);
    const exponent = this.rng.pick([0.5, 2, 3, -1, 1.3]);
    const other = this.#chance(0.5) ? this.#add(floatTensor([1], [exponent])) : x.name;
    this.#emit('Pow', [positive.name, x.dims.length === 0 ? x.name : other], x.dims, 4);
  }

  #jump(op: string): void {
    const x = this.#exact();
    if (!op.startsWith('Arg')) return void this.#emit(op, [x.name], x.dims, 1);
    const axis = this.#axis(x);
    const keep = this.#chance(0.5);
    const index = `v${this.#values.length}`;
    this.#nodes.push({
      op,
      inputs: [x.name],
      outputs: [`${index}_i`],
      attributes: { axis: int(axis), keepdims: int(Number(keep)) },
    });
    const dims = keep ? x.dims.with(axis, 1) : x.dims.toSpliced(axis, 1);
    this.#emit('Cast', [`${index}_i`], dims, x.dims[axis]!, { to: int(1) });
  }

  /** Conditions on the input, and what they choose from. */
  #logic(op: string): void {
    const x = this.#exact();
    const c = x.dims[1]!;
    const condition = (name: string) => {
      const flag = `${name}_${this.#nodes.length}`;
      const inputs = [x.name, this.#floats(this.rng.pick([[], [c, 1, 1]]), -0.5, 0.5)];
      this.#nodes.push({ op: name, inputs, outputs: [flag] });
      return flag;
    };
    if (op === 'Where') {
      const others = this.#values.filter(({ dims }) => dims.join() === x.dims.join());
      const [a, b] = [this.rng.pick(others), this.rng.pick(others)];
      return void this.#emit(op, [condition('Less'), a.name, b.name], x.dims, Math.max(a.scale, b.scale));
    }
    let flag = condition(['And', 'Or', 'Xor', 'Not'].includes(op) ? 'Greater' : op);
    if (['And', 'Or', 'Xor', 'Not'].includes(op)) {
      const inputs = op === 'Not' ? [flag] : [flag, condition('Less')];
      flag = `${flag}_${op}`;
      this.#nodes.push({ op, inputs, outputs: [flag] });
    }
    this.#emit('Cast', [flag], x.dims, 1, { to: int(1) });
  }

  #many(op: string): void {
    const x = this.#any();
    const same = this.#values.filter(({ dims, scale }) => dims.join() === x.dims.join() && scale <= 2);
    const others = Array.from({ length: this.rng.int(0, 2) }, () => this.rng.pick([x, ...same]));
    const constant = this.#floats(
      x.dims.map((dim) => (this.#chance(0.5) ? dim : 1)),
      -1,
      1,
    );
    const names = [x, ...others].map(({ name }) => name);
    const scale = [x, ...others].reduce((sum, value) => sum + value.scale, 1);
    if (scale > MAX_SCALE) return;
    this.#emit(op, this.#chance(0.5) ? [...names, constant] : names, x.dims, scale);
  }

  #remainder(): void {
    const x = this.#exact();
    this.#emit('Mod', [x.name, this.#floats([x.dims[1]!, 1, 1], 0.1, 0.6)], x.dims, 1, { fmod: int(1) });
  }

  #reduce(op: string, given?: Value): void {
    // a root near zero would magnify what differs
    const roots = op === 'ReduceL2';
    const x = given ?? (roots ? this.#exact() : this.#gentle());
    const axes = x.dims.map((_, axis) => axis).filter((axis) => this.#chance(axis === 0 ? 0.05 : 0.6));
    const keep = this.#chance(0.5);
    const gone = axes.length === 0 ? x.dims.map((_, axis) => axis) : axes;
    const dims = keep
      ? x.dims.map((dim, axis) => (gone.includes(axis) ? 1 : dim))
      : x.dims.filter((_, axis) => !gone.includes(axis));
    const count = sizeOf(gone.map((axis) => x.dims[axis]!));
    const grows = ['ReduceSum', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'].includes(op);
    const scale = grows ? x.scale * count : x.scale + Math.log(count);
    const keepdims: Attributes = keep ? {} : { keepdims: int(0) };
    const asInput = this.#opset >= (op === 'ReduceSum' ? 13 : 18);
    if (axes.length === 0) this.#emit(op, [x.name], dims, scale, keepdims);
    else if (asInput) this.#emit(op, [x.name, this.#ints(axes)], dims, scale, keepdims);
    else this.#emit(op, [x.name], dims, scale, { ...keepdims, axes: ints(axes) });
  }

  #alongAxis(op: string): void {
    const x = op === 'LpNormalization' ? this.#exact() : this.#gentle(({ length }) => length > 0);
    const axis = this.#axis(x);
    this.#emit(op, [x.name], x.dims, op === 'LogSoftmax' ? 8 : 1, { axis: int(axis) });
  }

  #layerNorm(): void {
    const x = this.#exact();
    const axis = this.rng.int(1, 3);
    const dims = x.dims.slice(axis);
    const inputs = [x.name, this.#floats(dims, 0.5, 1.5)];
    if (this.#chance(0.5)) inputs.push(this.#floats(dims, -0.5, 0.5));
    this.#emit('LayerNormalization', inputs, x.dims, 3, { axis: int(axis), epsilon: float(1e-3) });
  }

  /** Numbers that keep a sum of so many products near 1. */
  #matrix(dims: Dims, inner: number): string {
    const limit = Math.sqrt(3 / inner);
    return this.#floats(dims, -limit, limit);
  }

  #matmul(): void {
    const x = this.#any(({ length }) => length > 1);
    const [rows, inner] = x.dims.slice(-2) as [number, number];
    const columns = this.rng.int(1, 40);
    if (this.#chance(0.3) && x.scale <= 1) {
      // with itself
      const perm = x.dims.map((_, axis) => axis);
      perm.push(...perm.splice(-2).reverse());
      const transposed = this.#emit(
        'Transpose',
        [x.name],
        perm.map((axis) => x.dims[axis]!),
        1,
        { perm: ints(perm) },
      );
      if (sizeOf(x.dims.slice(0, -1)) * rows > MAX_ELEMENTS) return;
      return void this.#emit('MatMul', [x.name, transposed.name], [...x.dims.slice(0, -1), rows], inner);
    }
    if (sizeOf(x.dims.slice(0, -1)) * columns > MAX_ELEMENTS) return;
    const product = this.#emit(
      'MatMul',
      [x.name, this.#matrix([inner, columns], inner)],
      [...x.dims.slice(0, -1), columns],
      x.scale + 0.5,
    );
    if (this.#chance(0.5))
      this.#emit('Add', [product.name, this.#floats([columns], -0.5, 0.5)], product.dims, product.scale + 0.5);
  }

  /** A dense layer, maybe normalised and activated. */
  #gemm(): void {
    const { rng } = this;
    const x = this.#any(({ length }) => length > 0);
    const flat = [x.dims[0] ?? 1, sizeOf(x.dims.slice(1))] as const;
    const matrix = x.dims.length === 2 ? x : this.#emit('Flatten', [x.name], flat, x.scale);
    const columns = rng.int(1, 40);
    const transB = this.#chance(0.7);
    const weight = this.#matrix(transB ? [columns, flat[1]] : [flat[1], columns], flat[1]);
    const inputs = [
      matrix.name,
      weight,
      this.#floats(rng.pick([[columns], [], [1, columns], [flat[0], 1]]), -0.5, 0.5),
    ];
    if (this.#opset >= 11 && this.#chance(0.3)) inputs.pop();
    const dense = this.#emit('Gemm', inputs, [flat[0], columns], x.scale + 0.5, {
      ...(transB && { transB: int(1) }),
      ...(this.#chance(0.3) && { alpha: float(0.7), beta: float(1.5) }),
    });
    const normed = this.#chance(0.6) ? this.#batchNorm(dense) : dense;
    if (this.#chance(0.6)) this.#unary(normed);
  }

  /** Those of the operators that detectors have no use for. */
  generalMoves(): (() => void)[] {
    return [
      () => this.#pad(),
      () => this.#repeat('Expand'),
      () => this.#repeat('Tile'),
      () => this.#split(),
      () => this.#gather(),
      () => this.#gatherSome('GatherElements'),
      () => this.#gatherSome('GatherND'),
      () => this.#convTranspose(),
      () => this.#depthToSpace(),
      () => this.#spaceToDepth(),
      () => this.#localNorm(),
      () => this.#topK(),
      () => this.#castThere(),
      () => this.#backwards(),
    ];
  }

  finish(): RandomNetwork {
    const { rng } = this;
    const computed = this.#values.slice(1);
    const outputs = computed.filter(({ name }) => !this.#read.has(name) || rng.uniform(0, 1) < 0.1);
    const declared = rng.pick([this.#inputDims, ['n', 'c', 'h', 'w'], [null, null, null, null]]);
    return {
      spec: {
        opset: this.#opset,
        irVersion: this.#opset > 17 ? 10 : 8,
        inputs: [{ name: 'x', dims: declared }],
        outputs: outputs.map(({ name }) => name),
        nodes: this.#nodes,
        initializers: this.#initializers,
      },
      opset: this.#opset,
      inputDims: this.#inputDims,
      computed: computed.map(({ name }) => name),
    };
  }

  /** A value of a fitting shape, rather a recent one. */
  #any(fits: (dims: Dims) => boolean = () => true): Value {
    const fitting = this.#values.filter((value) => fits(value.dims) && !this.#inner.has(value));
    if (fitting.length === 0) return this.#values[0]!;
    return this.rng.uniform(0, 1) < 0.6 ? this.rng.pick(fitting.slice(-3)) : this.rng.pick(fitting);
  }

  #image(fits: (dims: Dims) => boolean = () => true): Value {
    return this.#any((dims) => dims.length === 4 && fits(dims));
  }

  /** Mostly hides what a pattern computes on its way from later readers. */
  #sealed(pattern: () => void): void {
    const before = this.#values.length;
    pattern();
    if (this.#chance(0.7)) for (const value of this.#values.slice(before, -1)) this.#inner.add(value);
  }

  #emit(op: string, inputs: readonly string[], dims: Dims, scale: number, attributes: Attributes = {}): Value {
    const value = { name: `v${this.#values.length}`, dims, scale };
    for (const name of inputs) this.#read.add(name);
    this.#nodes.push({ op, inputs, outputs: [value.name], attributes });
    this.#values.push(value);
    return value;
  }

  /** A node of several outputs. */
  #emitAll(op: string, inputs: readonly string[], all: readonly Dims[], scale: number, attributes: Attributes): void {
    for (const name of inputs) this.#read.add(name);
    const first = this.#values.length;
    const values = all.map((dims, i) => ({ name: `v${first + i}`, dims, scale }));
    this.#nodes.push({ op, inputs, outputs: values.map(({ name }) => name), attributes });
    this.#values.push(...values);
  }

  #add(tensor: Tensor): string {
    const name = `c${Object.keys(this.#initializers).length}`;
    this.#initializers[name] = tensor;
    return name;
  }

  #floats(dims: Dims, lo: number, hi: number): string {
    return this.#add(floatTensor(dims, this.rng.floats(sizeOf(dims), lo, hi)));
  }

  #ints(values: readonly number[]): string {
    return this.#add(intTensor([values.length], values));
  }

  #chance(probability: number): boolean {
    return this.rng.uniform(0, 1) < probability;
  }

  #conv(x: Value, kind = 'dense', fixed?: { readonly out: number; readonly kernel: number }): Value {
    const { rng } = this;
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const divisors = [2, 3, 4].filter((d) => c % d === 0);
    let group = 1;
    if (kind === 'depthwise') group = c;
    else if (kind === 'grouped' && divisors.length > 0) group = rng.pick(divisors);
    let out = rng.int(1, 12);
    if (fixed) out = fixed.out;
    else if (kind === 'depthwise') out = c * rng.pick([1, 1, 2]);
    else if (group > 1) out = group * rng.int(1, 3);
    const side = () => fixed?.kernel ?? rng.int(1, 3);
    const kernel = [side(), side()] as const;
    const strides = fixed ? ([1, 1] as const) : ([rng.int(1, 2), rng.int(1, 2)] as const);
    const auto = fixed ? 'NOTSET' : rng.pick(['NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID']);
    const dilations = auto.startsWith('SAME') || fixed ? ([1, 1] as const) : ([rng.int(1, 2), rng.int(1, 2)] as const);
    const half = Math.floor((fixed?.kernel ?? 0) / 2);
    const pads = Array.from({ length: 4 }, () => (fixed ? half : auto === 'NOTSET' ? rng.int(0, 2) : 0));
    const extent = (size: number, axis: 0 | 1) => {
      if (auto.startsWith('SAME')) return Math.ceil(size / strides[axis]);
      const span = (kernel[axis] - 1) * dilations[axis] + 1;
      return Math.floor((size + pads[axis]! + pads[axis + 2]! - span) / strides[axis]) + 1;
    };
    const dims = [n, out, extent(h, 0), extent(w, 1)];
    if (dims.some((dim) => dim < 1) || sizeOf(dims) > MAX_ELEMENTS) return x;
    const fanIn = (c / group) * kernel[0] * kernel[1];
    const limit = Math.sqrt(3 / fanIn);
    const inputs = [x.name, this.#floats([out, c / group, ...kernel], -limit, limit)];
    if (this.#chance(0.7)) inputs.push(this.#floats([out], -0.5, 0.5));
    return this.#emit('Conv', inputs, dims, x.scale + 0.5, {
      ...(this.#chance(0.5) && { kernel_shape: ints(kernel) }),
      ...((strides[0] !== 1 || strides[1] !== 1) && { strides: ints(strides) }),
      ...((dilations[0] !== 1 || dilations[1] !== 1) && { dilations: ints(dilations) }),
      ...(group > 1 && { group: int(group) }),
      ...(auto === 'NOTSET' ? { pads: ints(pads) } : { auto_pad: text(auto) }),
    });
  }

  /** What exports are made of: a convolution, maybe its normalisation, scale and activation. */
  #convBlock(): void {
    let value = this.#conv(this.#image(), this.rng.pick(['dense', 'depthwise']));
    if (this.#chance(0.6)) value = this.#batchNorm(value);
    if (this.#chance(0.3)) value = this.#binaryConstant(value);
    if (this.#chance(0.7)) this.#unary(value);
  }

  #residual(): void {
    const x = this.#image((dims) => sizeOf(dims) * 2 < MAX_ELEMENTS);
    const branch = this.#conv(this.#unary(this.#conv(x, 'dense', { out: 5, kernel: 3 })), 'dense', {
      out: x.dims[1]!,
      kernel: this.rng.pick([1, 3]),
    });
    if (branch.dims.join() !== x.dims.join()) return;
    const other = this.#chance(0.5) ? x : this.#conv(x, 'dense', { out: x.dims[1]!, kernel: 1 });
    const inputs = this.#chance(0.5) ? [branch.name, other.name] : [other.name, branch.name];
    const sum = this.#emit('Add', inputs, x.dims, branch.scale + other.scale);
    if (this.#chance(0.7)) this.#unary(sum);
  }

  /** PAFPN's step: a coarse map, upsampled, is added to a fine one. */
  #topDown(): void {
    const x = this.#image((dims) => dims[2]! % 2 === 0 && dims[3]! % 2 === 0);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    if (x.dims.length !== 4 || h % 2 !== 0 || w % 2 !== 0) return;
    const coarse = this.#emit('MaxPool', [x.name], [n, c, h / 2, w / 2], x.scale, {
      kernel_shape: ints([2, 2]),
      strides: ints([2, 2]),
    });
    const lateral = this.#conv(x, 'dense', { out: c, kernel: 1 });
    const up = this.#resizeTo(coarse, 2, this.#chance(0.5));
    const inputs = this.#chance(0.5) ? [lateral.name, up.name] : [up.name, lateral.name];
    this.#emit('Add', inputs, x.dims, lateral.scale + up.scale);
  }

  #batchNorm(x: Value): Value {
    const c = x.dims[1]!;
    const inputs = [
      this.#floats([c], 0.5, 1.5),
      this.#floats([c], -0.5, 0.5),
      this.#floats([c], -0.5, 0.5),
      this.#floats([c], 0.5, 1.5),
    ];
    if (x.scale * 2 > MAX_SCALE) return x;
    return this.#emit('BatchNormalization', [x.name, ...inputs], x.dims, x.scale * 2, {
      ...(this.#chance(0.7) && { epsilon: float(1e-4) }),
      ...(this.#chance(0.5) && { momentum: float(0.8) }),
    });
  }

  #instanceNorm(x: Value): void {
    const c = x.dims[1]!;
    const inputs = [x.name, this.#floats([c], 0.5, 1.5), this.#floats([c], -0.5, 0.5)];
    this.#emit('InstanceNormalization', inputs, x.dims, 2, this.#chance(0.5) ? { epsilon: float(1e-3) } : {});
  }

  /** PyTorch's export of GroupNorm before opset 18. */
  #groupNormPattern(): void {
    const x = this.#image((dims) => sizeOf(dims.slice(1)) > 4);
    const [n, c] = x.dims as [number, number];
    const groups = this.rng.pick([1, 2, 3, 4].filter((g) => c % g === 0));
    const grouped = this.#emit(
      'Reshape',
      [x.name, this.#ints([0, groups, -1])],
      [n, groups, sizeOf(x.dims) / n / groups],
      x.scale,
    );
    const norm = this.#emit(
      'InstanceNormalization',
      [grouped.name, this.#floats([groups], 0.5, 1.5), this.#floats([groups], -0.5, 0.5)],
      grouped.dims,
      2,
      { epsilon: float(1e-4) },
    );
    const back = this.#emit('Reshape', [norm.name, this.#ints(x.dims)], x.dims, 2);
    const scaled = this.#emit('Mul', [back.name, this.#floats([c, 1, 1], 0.5, 1.5)], x.dims, 2);
    const shifted = this.#emit('Add', [scaled.name, this.#floats([c, 1, 1], -0.5, 0.5)], x.dims, 2.5);
    if (this.#chance(0.8)) this.#unary(shifted, ['Relu', 'LeakyRelu', 'Clip']);
  }

  #groupNorm(): void {
    if (this.#opset < 21 || this.#chance(0.1)) return this.#groupNormPattern();
    const x = this.#image((dims) => sizeOf(dims.slice(1)) > 4);
    const c = x.dims[1]!;
    const groups = this.rng.pick([1, 2, 3, 4].filter((g) => c % g === 0));
    const inputs = [x.name, this.#floats([c], 0.5, 1.5), this.#floats([c], -0.5, 0.5)];
    const value = this.#emit('GroupNormalization', inputs, x.dims, 2, {
      num_groups: int(groups),
      epsilon: float(1e-4),
    });
    if (this.#chance(0.8)) this.#unary(value, ['Relu', 'LeakyRelu', 'Clip']);
  }

  #unary(x: Value, ops: readonly string[] = ['Relu', 'LeakyRelu', 'Clip', 'Sigmoid', 'Tanh']): Value {
    switch (this.rng.pick(ops)) {
      case 'Relu':
        return this.#emit('Relu', [x.name], x.dims, x.scale);
      case 'LeakyRelu':
        return this.#emit('LeakyRelu', [x.name], x.dims, x.scale, this.#chance(0.7) ? { alpha: float(0.2) } : {});
      case 'Clip':
        return this.#clip(x, this.rng.pick([-0.5, undefined]), this.rng.pick([0.7, undefined]));
      case 'Tanh':
        return this.#emit('Tanh', [x.name], x.dims, 1);
      default:
        return this.#emit('Sigmoid', [x.name], x.dims, 1);
    }
  }

  #clip(x: Value, min: number | undefined, max: number | undefined): Value {
    if (this.#opset < 11) {
      const attributes = {
        ...(min !== undefined && { min: float(min) }),
        ...(max !== undefined && { max: float(max) }),
      };
      return this.#emit('Clip', [x.name], x.dims, x.scale, attributes);
    }
    const bound = (value: number | undefined) => (value === undefined ? '' : this.#add(floatTensor([], [value])));
    const inputs = [x.name, bound(min), bound(max)];
    while (inputs.at(-1) === '') inputs.pop();
    return this.#emit('Clip', inputs, x.dims, x.scale);
  }

  #prelu(): void {
    const x = this.#any();
    const c = x.dims.length === 4 ? x.dims[1]! : 1;
    const slope = this.rng.pick([[1], c > 1 ? [c, 1, 1] : [1], x.dims.slice(1), x.dims]);
    this.#emit('PRelu', [x.name, this.#floats(slope, -0.5, 0.5)], x.dims, x.scale);
  }

  #binaryConstant(given?: Value): Value {
    const x = given ?? this.#any();
    const { rng } = this;
    const op = rng.pick(['Add', 'Sub', 'Mul', 'Div']);
    // every broadcast of numpy that keeps x's shape, and some that enlarge it
    const kept = x.dims.map((dim) => (this.#chance(0.5) ? dim : 1));
    const perChannel = x.dims.length === 4 ? [x.dims[1]!, 1, 1] : [];
    const dims = rng.pick([
      [],
      [1],
      perChannel,
      perChannel,
      kept,
      kept.slice(rng.int(0, kept.length)),
      [2, ...kept.map(() => 1)],
    ]);
    const rank = Math.max(dims.length, x.dims.length);
    const at = (of: Dims, axis: number) => of[axis - rank + of.length] ?? 1;
    const out = Array.from({ length: rank }, (_, axis) => Math.max(at(x.dims, axis), at(dims, axis)));
    if (x.scale * 2 > MAX_SCALE || sizeOf(out) > MAX_ELEMENTS || rank > MAX_RANK) return x;
    const constant = op === 'Div' ? this.#floats(dims, 0.5, 2) : this.#floats(dims, -1.5, 1.5);
    const swapped = op !== 'Div' && this.#chance(0.4);
    return this.#emit(op, swapped ? [constant, x.name] : [x.name, constant], out, x.scale * 2);
  }

  #binary(): void {
    const a = this.#any();
    const broadcasts = (b: Dims) => b.length === a.dims.length && b.every((dim, i) => dim === a.dims[i] || dim === 1);
    const fitting = this.#values.filter((value) => broadcasts(value.dims));
    const narrow = fitting.filter(({ dims }) => dims.join() !== a.dims.join());
    const b = this.rng.pick(narrow.length > 0 && this.#chance(0.5) ? narrow : fitting);
    const op = this.rng.pick(['Add', 'Sub', 'Mul']);
    const scale = op === 'Mul' ? a.scale * b.scale : a.scale + b.scale;
    if (scale > MAX_SCALE) return;
    this.#emit(op, this.#chance(0.5) ? [a.name, b.name] : [b.name, a.name], a.dims, scale);
  }

  #division(): void {
    const a = this.#any(({ length }) => length === 4);
    const b = this.#clip(this.#chance(0.5) ? a : this.#conv(a, 'dense', { out: a.dims[1]!, kernel: 1 }), 0.5, 3);
    if (a.scale * 2 > MAX_SCALE || b.dims.join() !== a.dims.join()) return;
    this.#emit('Div', [a.name, b.name], a.dims, a.scale * 2);
  }

  #pool(op: 'MaxPool' | 'AveragePool'): void {
    const { rng } = this;
    const x = this.#image((dims) => dims[2]! >= 3 && dims[3]! >= 3);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const kernel = [rng.int(1, 3), rng.int(1, 3)] as const;
    const strides = [rng.int(1, 3), rng.int(1, 3)] as const;
    // onnxruntime refuses the negative pads that SAME stands for where windows leave gaps
    const same = kernel[0] >= strides[0] && kernel[1] >= strides[1] ? ['SAME_UPPER', 'SAME_LOWER'] : [];
    const auto = rng.pick(['NOTSET', 'NOTSET', 'NOTSET', 'VALID', ...same]);
    const ceil = this.#opset >= 10 && auto === 'NOTSET' && this.#chance(0.5);
    const dilates = op === 'MaxPool' && this.#opset >= 10 && auto === 'NOTSET' && this.#chance(0.3);
    const dilations = dilates ? ([rng.int(1, 2), rng.int(1, 2)] as const) : ([1, 1] as const);
    const limit = [kernel[0] - 1, kernel[1] - 1] as const;
    const pads = auto === 'NOTSET' ? [0, 1, 0, 1].map((axis) => rng.int(0, limit[axis as 0 | 1])) : [0, 0, 0, 0];
    const extent = (size: number, axis: 0 | 1) => {
      const stride = strides[axis];
      if (auto.startsWith('SAME')) return Math.ceil(size / stride);
      const span = size + pads[axis]! + pads[axis + 2]! - ((kernel[axis] - 1) * dilations[axis] + 1);
      const count = (ceil ? Math.ceil(span / stride) : Math.floor(span / stride)) + 1;
      if (!ceil || (count - 1) * stride < size + pads[axis]!) return count;
      // a window in the padding behind the input is dropped, but not by opset 10's own shape inference
      return this.#opset < 11 ? 0 : count - 1;
    };
    const dims = [n, c, extent(h, 0), extent(w, 1)];
    if (dims.some((dim) => dim < 1)) return;
    this.#emit(op, [x.name], dims, x.scale, {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      ...(dilates && { dilations: ints(dilations) }),
      ...(auto === 'NOTSET' ? { pads: ints(pads) } : { auto_pad: text(auto) }),
      ...(ceil && { ceil_mode: int(1) }),
      ...(op === 'AveragePool' && this.#chance(0.5) && { count_include_pad: int(1) }),
    });
  }

  #globalPool(): void {
    const x = this.#image();
    const dims = [...x.dims.slice(0, 2), 1, 1];
    const op = this.rng.pick(['GlobalAveragePool', 'GlobalMaxPool']);
    const value = this.#emit(op, [x.name], dims, x.scale);
    // squeeze-and-excitation
    if (this.#chance(0.4)) {
      const gate = this.#emit('Sigmoid', [value.name], dims, 1);
      this.#emit('Mul', [x.name, gate.name], x.dims, x.scale);
    }
  }

  /** Nearest ×factor as PyTorch exports it. */
  #resizeTo(x: Value, factor: number, sizes: boolean): Value {
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const dims = [n, c, h * factor, w * factor];
    return this.#resizeNode(x, dims, sizes, [1, 1, factor, factor], {
      mode: text('nearest'),
      ...(this.#opset >= 11 && {
        coordinate_transformation_mode: text('asymmetric'),
        nearest_mode: text('floor'),
      }),
    });
  }

  #resizeNode(x: Value, dims: Dims, sizes: boolean, scales: readonly number[], attributes: Attributes): Value {
    const scaleTensor = () => this.#add(floatTensor([4], scales));
    if (this.#opset < 11) {
      return this.#emit(this.#opset < 10 ? 'Upsample' : 'Resize', [x.name, scaleTensor()], dims, x.scale, attributes);
    }
    const empty = this.#opset < 13 ? this.#add(floatTensor([0], [])) : '';
    const inputs = sizes ? [x.name, empty, empty, this.#ints(dims)] : [x.name, empty, scaleTensor()];
    return this.#emit('Resize', inputs, dims, x.scale, attributes);
  }

  #resize(): void {
    const { rng } = this;
    const x = this.#image((dims) => sizeOf(dims) * 4 < MAX_ELEMENTS);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const sizes = this.#opset >= 11 && this.#chance(0.5);
    const factors = this.#opset < 10 ? [1, 2, 3, 1.5, 2.5] : [0.5, 1, 2, 3, 0.7, 1.5, 1.7, 2.5];
    const scales = [1, 1, Math.fround(rng.pick(factors)), Math.fround(rng.pick(factors))];
    const dims = sizes
      ? [n, c, rng.int(1, 2 * h), rng.int(1, 2 * w)]
      : [n, c, Math.floor(Math.fround(h * scales[2]!)), Math.floor(Math.fround(w * scales[3]!))];
    if (dims.some((dim) => dim < 1) || sizeOf(dims) > MAX_ELEMENTS) return;
    const mode = rng.pick(['nearest', 'linear']);
    const coordinates = rng.pick(['asymmetric', 'half_pixel', 'pytorch_half_pixel', 'align_corners']);
    this.#resizeNode(x, dims, sizes, scales, {
      mode: text(mode),
      ...(this.#opset >= 11 && {
        coordinate_transformation_mode: text(coordinates),
        ...(mode === 'nearest' && {
          nearest_mode: text(rng.pick(['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'])),
        }),
      }),
    });
  }

  #concat(): void {
    const { rng } = this;
    const x = this.#any(({ length }) => length > 0);
    const axis = x.dims.length === 4 && this.#chance(0.5) ? 1 : rng.int(0, x.dims.length - 1);
    const fits = (dims: Dims) =>
      dims.length === x.dims.length && dims.every((dim, i) => i === axis || dim === x.dims[i]);
    const parts = Array.from({ length: rng.int(1, 3) }, () => this.#any(fits));
    if (x.dims.length === 4 && axis === 1 && this.#chance(0.7)) {
      parts.push(this.#conv(x, 'dense', { out: rng.int(1, 7), kernel: 3 }));
    }
    const all = [x, ...parts].filter(({ dims }) => fits(dims));
    const dims = x.dims.map((dim, i) => (i === axis ? all.reduce((sum, part) => sum + part.dims[i]!, 0) : dim));
    if (sizeOf(dims) > MAX_ELEMENTS) return;
    const names = all.map(({ name }) => name);
    const scale = Math.max(...all.map((part) => part.scale));
    this.#emit('Concat', names, dims, scale, { axis: int(this.#chance(0.3) ? axis - x.dims.length : axis) });
  }

  #softmax(): void {
    const x = this.#any();
    const axis = this.rng.int(-x.dims.length, x.dims.length - 1);
    this.#emit('Softmax', [x.name], x.dims, 1, this.#chance(0.8) ? { axis: int(axis) } : {});
  }

  #transpose(): void {
    const x = this.#any(({ length }) => length > 1);
    const axes = x.dims.map((_, i) => i);
    const perm: number[] = [];
    while (axes.length > 0) perm.push(...axes.splice(this.rng.int(0, axes.length - 1), 1));
    const plain = this.#chance(0.2);
    if (plain) perm.splice(0, perm.length, ...x.dims.map((_, i) => x.dims.length - 1 - i));
    const dims = perm.map((axis) => x.dims[axis]!);
    this.#emit('Transpose', [x.name], dims, x.scale, plain ? {} : { perm: ints(perm) });
  }

  /** Pads and crops, as attributes or as inputs. */
  #pad(): void {
    const { rng } = this;
    const x = this.#any(({ length }) => length > 0);
    const modes = this.#opset < 19 ? ['constant', 'reflect', 'edge'] : ['constant', 'reflect', 'edge', 'wrap'];
    const mode = rng.pick(modes);
    const least = mode === 'constant' && this.#chance(0.3) ? -1 : 0;
    const amounts = x.dims.map((dim) => {
      const most = Math.min(3, mode === 'reflect' ? dim - 1 : 3);
      return dim + 2 * least > 0 && this.#chance(0.5) ? [rng.int(least, most), rng.int(least, most)] : [0, 0];
    });
    const pads = [...amounts.map(([before]) => before!), ...amounts.map(([, behind]) => behind!)];
    const dims = x.dims.map((dim, i) => dim + pads[i]! + pads[x.dims.length + i]!);
    if (sizeOf(dims) > MAX_ELEMENTS) return;
    if (this.#opset < 11) this.#emit('Pad', [x.name], dims, x.scale, { mode: text(mode), pads: ints(pads) });
    else {
      const value = mode === 'constant' ? [this.#add(floatTensor([], [rng.uniform(-1, 1)]))] : [];
      this.#emit('Pad', [x.name, this.#ints(pads), ...value], dims, x.scale, { mode: text(mode) });
    }
  }

  /** Of a shape that onnxruntime knows: its inference counts windows of pools that are dropped, and refuses what does not fit those. */
  #settled(x: Value): Value {
    const pooled = this.#nodes.some(({ attributes }) => attributes?.ceil_mode);
    return pooled ? this.#emit('Reshape', [x.name, this.#ints(x.dims)], x.dims, x.scale) : x;
  }

  #repeat(op: 'Expand' | 'Tile'): void {
    const x = this.#any(({ length }) => length > 0);
    const repeats = x.dims.map((dim) => (this.#chance(0.6) || (op === 'Expand' && dim > 1) ? 1 : this.rng.int(1, 3)));
    const dims = x.dims.map((dim, i) => dim * repeats[i]!);
    const more = op === 'Expand' && x.dims.length < MAX_RANK && this.#chance(0.4) ? [this.rng.int(1, 2)] : [];
    if (sizeOf([...more, ...dims]) > MAX_ELEMENTS) return;
    const shape = this.#ints(op === 'Tile' ? repeats : [...more, ...dims]);
    this.#emit(op, [this.#settled(x).name, shape], [...more, ...dims], x.scale);
  }

  /** Two parts of an axis. */
  #split(): void {
    const x = this.#any((dims) => dims.some((dim) => dim > 1));
    const axis = x.dims.findLastIndex((dim) => dim > 1);
    if (axis < 0) return;
    const first = this.rng.int(1, x.dims[axis]! - 1);
    const lengths = [first, x.dims[axis]! - first];
    const { name } = this.#settled(x);
    const inputs = this.#opset < 13 ? [name] : [name, this.#ints(lengths)];
    const attributes = { axis: int(axis), ...(this.#opset < 13 && { split: ints(lengths) }) };
    const parts = lengths.map((length) => x.dims.with(axis, length));
    this.#emitAll('Split', inputs, parts, x.scale, attributes);
  }

  #gather(): void {
    const { rng } = this;
    const x = this.#any(({ length }) => length > 0);
    const axis = rng.int(0, x.dims.length - 1);
    const indexDims = rng.pick([[], [1], [3], [2, 2]].filter(({ length }) => length + x.dims.length <= MAX_RANK));
    const dims = [...x.dims.slice(0, axis), ...indexDims, ...x.dims.slice(axis + 1)];
    if (sizeOf(dims) > MAX_ELEMENTS) return;
    const least = this.#opset < 11 ? 0 : -x.dims[axis]!;
    const indices = this.#indices(indexDims, () => rng.int(least, x.dims[axis]! - 1));
    this.#emit('Gather', [x.name, indices], dims, x.scale, { axis: int(axis) });
  }

  #indices(dims: Dims, index: (i: number) => number): string {
    return this.#add(
      intTensor(
        dims,
        Array.from({ length: sizeOf(dims) }, (_, i) => index(i)),
      ),
    );
  }

  #gatherSome(op: 'GatherElements' | 'GatherND'): void {
    if (this.#opset < 11) return;
    const { rng } = this;
    const x = this.#any(({ length }) => length > 0);
    if (op === 'GatherElements') {
      const axis = rng.int(0, x.dims.length - 1);
      const dims = x.dims.with(axis, rng.int(1, 3));
      const indices = this.#indices(dims, () => rng.int(-x.dims[axis]!, x.dims[axis]! - 1));
      this.#emit(op, [x.name, indices], dims, x.scale, { axis: int(axis) });
    } else {
      const depth = rng.int(1, x.dims.length);
      const count = rng.int(1, 4);
      if (count * sizeOf(x.dims.slice(depth)) > MAX_ELEMENTS) return;
      const indices = this.#indices([count, depth], (i) => rng.int(0, x.dims[i % depth]! - 1));
      this.#emit(op, [x.name, indices], [count, ...x.dims.slice(depth)], x.scale);
    }
  }

  #convTranspose(): void {
    const { rng } = this;
    const x = this.#image((dims) => sizeOf(dims) * 4 < MAX_ELEMENTS);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const group = rng.pick([1, 1, c, 2].filter((divisor) => c % divisor === 0));
    const perGroup = rng.int(1, 4);
    const kernel = [rng.int(1, 3), rng.int(1, 3)] as const;
    const strides = [rng.int(1, 2), rng.int(1, 2)] as const;
    const pads = [0, 1, 0, 1].map((axis) => rng.int(0, kernel[axis]! - 1));
    const extra = strides.map((stride) => rng.int(0, stride - 1));
    const extent = (size: number, axis: 0 | 1) =>
      (size - 1) * strides[axis] + kernel[axis] + extra[axis]! - pads[axis]! - pads[axis + 2]!;
    const dims = [n, perGroup * group, extent(h, 0), extent(w, 1)];
    if (dims.some((dim) => dim < 1) || sizeOf(dims) > MAX_ELEMENTS) return;
    const limit = Math.sqrt((3 * group) / c / 4);
    const inputs = [x.name, this.#floats([c, perGroup, ...kernel], -limit, limit)];
    if (this.#chance(0.5)) inputs.push(this.#floats([perGroup * group], -0.5, 0.5));
    this.#emit('ConvTranspose', inputs, dims, x.scale + 0.5, {
      strides: ints(strides),
      pads: ints(pads),
      output_padding: ints(extra),
      group: int(group),
    });
  }

  #depthToSpace(): void {
    const x = this.#image((dims) => dims[1]! % 4 === 0);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    if (x.dims.length !== 4 || c % 4 !== 0) return this.#spaceToDepth();
    const mode = this.#opset >= 11 && { mode: text(this.rng.pick(['DCR', 'CRD'])) };
    this.#emit('DepthToSpace', [x.name], [n, c / 4, h * 2, w * 2], x.scale, { blocksize: int(2), ...mode });
  }

  #spaceToDepth(): void {
    const x = this.#image((dims) => dims[2]! % 2 === 0 && dims[3]! % 2 === 0);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    if (x.dims.length !== 4 || h % 2 !== 0 || w % 2 !== 0) return;
    const deep = this.#emit('SpaceToDepth', [x.name], [n, c * 4, h / 2, w / 2], x.scale, { blocksize: int(2) });
    if (this.#chance(0.5)) this.#emit('DepthToSpace', [deep.name], x.dims, x.scale, { blocksize: int(2) });
  }

  #localNorm(): void {
    const x = this.#image();
    const size = int(this.rng.pick([1, 3, 5]));
    this.#emit('LRN', [x.name], x.dims, x.scale, { size, ...(this.#chance(0.5) && { alpha: float(0.3) }) });
  }

  /** Values alone: a difference in the last bit changes the order of neighbours. */
  #topK(): void {
    const x = this.#any(({ length }) => length > 0);
    const axis = this.rng.int(0, x.dims.length - 1);
    const k = this.rng.int(1, x.dims[axis]!);
    const least = this.#opset >= 11 && this.#chance(0.5) && { largest: int(0) };
    const attributes = { axis: int(axis), ...(this.#opset < 10 && { k: int(k) }), ...least };
    const inputs = this.#opset < 10 ? [x.name] : [x.name, this.#ints([k])];
    const value = this.#emit('TopK', inputs, x.dims.with(axis, k), x.scale, attributes);
    this.#nodes.push({ ...this.#nodes.pop()!, outputs: [value.name, `${value.name}_indices`] });
  }

  /** To another type and back, of the input: a difference in the last bit rounds to another number. */
  #castThere(): void {
    const x = this.#values[0]!;
    const to = this.rng.pick(this.#opset < 13 ? [10, 6, 9] : [10, 16, 6, 9]);
    const cast = `cast${this.#nodes.length}`;
    this.#nodes.push({ op: 'Cast', inputs: [x.name], outputs: [cast], attributes: { to: int(to) } });
    this.#emit('Cast', [cast], x.dims, 1, { to: int(1) });
  }

  /** One axis, from either end, with a step where the operator set has them. */
  #slice(): void {
    const { rng } = this;
    const x = this.#any(({ length }) => length > 0);
    const axis = rng.int(0, x.dims.length - 1);
    const size = x.dims[axis]!;
    const start = rng.int(0, size - 1);
    const end = rng.int(start + 1, size + 1);
    const step = this.#opset >= 10 ? rng.int(1, 3) : 1;
    const dims = x.dims.with(axis, Math.ceil((Math.min(end, size) - start) / step));
    const from = this.#chance(0.3) ? start - size : start;
    if (this.#opset < 10) {
      this.#emit('Slice', [x.name], dims, x.scale, { starts: ints([from]), ends: ints([end]), axes: ints([axis]) });
    } else {
      const ranges = [[from], [end], [axis], [step]].map((values) => this.#ints(values));
      this.#emit('Slice', [x.name, ...ranges], dims, x.scale);
    }
  }

  /** From the last element of an axis to the first. */
  #backwards(): void {
    if (this.#opset < 10) return;
    const x = this.#any(({ length }) => length > 0);
    const axis = this.rng.int(0, x.dims.length - 1);
    const step = this.rng.int(1, 3);
    const ranges = [[-1], [-9999], [axis], [-step]].map((values) => this.#ints(values));
    this.#emit('Slice', [x.name, ...ranges], x.dims.with(axis, Math.ceil(x.dims[axis]! / step)), x.scale);
  }

  #reshape(): void {
    const { rng } = this;
    const x = this.#any();
    const size = sizeOf(x.dims);
    const rank = rng.int(1, 4);
    const dims: number[] = [];
    let left = size;
    for (let i = 1; i < rank; i++) {
      const factor = rng.pick([1, 2, 3, 4, 6].filter((f) => left % f === 0));
      dims.push(factor);
      left /= factor;
    }
    dims.splice(rng.int(0, dims.length), 0, left);
    const target = dims.map((dim, i) => (dim === x.dims[i] && this.#chance(0.5) ? 0 : dim));
    if (this.#chance(0.5)) target[rng.int(0, target.length - 1)] = -1;
    this.#emit('Reshape', [x.name, this.#ints(target)], dims, x.scale);
  }

  #flatten(): void {
    const x = this.#any();
    const axis = this.rng.int(0, x.dims.length);
    const dims = [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))];
    this.#emit('Flatten', [x.name], dims, x.scale, axis === 1 && this.#chance(0.5) ? {} : { axis: int(axis) });
  }

  #axesNode(op: 'Squeeze' | 'Unsqueeze', x: Value, axes: readonly number[] | null, dims: Dims): Value {
    if (!axes) return this.#emit(op, [x.name], dims, x.scale);
    if (this.#opset < 13) return this.#emit(op, [x.name], dims, x.scale, { axes: ints(axes) });
    return this.#emit(op, [x.name, this.#ints(axes)], dims, x.scale);
  }

  /** An Unsqueeze, work at the higher rank, then a Squeeze. */
  #squeezes(): void {
    const x = this.#any(({ length }) => length < MAX_RANK);
    if (x.dims.length >= MAX_RANK) return;
    const at = this.rng.int(0, x.dims.length);
    const axis = this.#opset >= 11 && this.#chance(0.3) ? at - x.dims.length - 1 : at;
    const high = this.#axesNode('Unsqueeze', x, [axis], x.dims.toSpliced(at, 0, 1));
    const worked = this.#chance(0.5) ? this.#unary(high) : high;
    if (this.#chance(0.3))
      this.#axesNode(
        'Squeeze',
        worked,
        null,
        worked.dims.filter((dim) => dim !== 1),
      );
    else this.#axesNode('Squeeze', worked, [at], worked.dims.toSpliced(at, 1));
  }

  #passThrough(): void {
    const x = this.#any();
    const op = this.rng.pick(['Identity', 'Dropout', 'Cast']);
    let attributes: Attributes = {};
    if (op === 'Cast') attributes = { to: int(1) };
    else if (op === 'Dropout' && this.#opset < 12) attributes = { ratio: float(0.4) };
    this.#emit(op, [x.name], x.dims, x.scale, attributes);
  }
}

/** The nodes of a model, one a line, for a failure's message. */
export function describeNodes(nodes: readonly NodeSpec[]): string {
  const shown = ({ i, f, s, ints, floats }: NonNullable<NodeSpec['attributes']>[string]) =>
    String(s ? new TextDecoder().decode(s) : (i ?? f ?? ints ?? floats));
  return nodes
    .map(({ op, inputs, outputs, attributes = {} }) => {
      const settings = Object.entries(attributes).map(([name, value]) => `${name}=${shown(value)}`);
      return `${outputs.join(', ')} = ${op}(${inputs.join(', ')}) ${settings.join(' ')}`.trimEnd();
    })
    .join('\n');
}
