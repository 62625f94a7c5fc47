import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { floatTensor, intTensor } from '../../src/common/tensor.ts';
import type { Graph, Pass } from '../../src/graph/ir.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { dropDead } from '../../src/graph/passes/drop-dead.ts';
import { dropNoops } from '../../src/graph/passes/drop-noops.ts';
import { foldAffine } from '../../src/graph/passes/fold-affine.ts';
import { foldBatchNorm } from '../../src/graph/passes/fold-batchnorm.ts';
import { foldDense } from '../../src/graph/passes/fold-dense.ts';
import { fuseActivation } from '../../src/graph/passes/fuse-activation.ts';
import { fuseDenseActivation } from '../../src/graph/passes/fuse-dense-activation.ts';
import { fusePool } from '../../src/graph/passes/fuse-pool.ts';
import { fuseResidual } from '../../src/graph/passes/fuse-residual.ts';
import { fuseSeparable } from '../../src/graph/passes/fuse-separable.ts';
import { optimize } from '../../src/graph/passes/index.ts';
import { liftBatchNorm } from '../../src/graph/passes/lift-batchnorm.ts';
import { matchGroupNorm } from '../../src/graph/passes/match-groupnorm.ts';
import { matchHardSwish } from '../../src/graph/passes/match-hard-swish.ts';
import { mergeConvs } from '../../src/graph/passes/merge-convs.ts';
import { printGraph } from '../../src/graph/print.ts';
import { verify } from '../../src/graph/verify.ts';
import { expectClose } from '../support/compare.ts';
import { float, int, ints, type NodeSpec, text } from '../support/onnx-builder.ts';
import { graphOf, node, type SmallModel, weights } from './models.ts';

/** Every value, constant and node of a graph, as text. */
function snapshot(graph: Graph): string {
  const constants = [...graph.constants].map(([name, { dims, data }]) => `${name} ${dims}: ${data}`);
  return [printGraph(graph), JSON.stringify(graph.nodes), JSON.stringify([...graph.dims]), ...constants].join('\n');
}

/** Applies passes one by one; each result must be sound and each input stay as it was. */
function run(graph: Graph, ...passes: readonly Pass[]): Graph {
  return passes.reduce((current, pass) => {
    const before = snapshot(current);
    const next = verify(pass(current), pass.name);
    expect(snapshot(current), `${pass.name} changed its input`).toBe(before);
    return next;
  }, graph);
}

/** The nodes as printGraph prints them. */
function lines(graph: Graph): string[] {
  return printGraph(graph).split('\n').slice(1, -2);
}

async function rewrite(nodes: readonly NodeSpec[], spec: SmallModel, ...passes: readonly Pass[]): Promise<string[]> {
  return lines(run(await graphOf(nodes, spec), ...passes));
}

async function expectUntouched(nodes: readonly NodeSpec[], spec: SmallModel, pass: Pass): Promise<void> {
  const graph = await graphOf(nodes, spec);
  expect(lines(run(graph, pass))).toEqual(lines(graph));
}

function constant(graph: Graph, name: string): number[] {
  return [...graph.constants.get(name)!.data];
}

const w4 = { w: weights(4, 4, 1, 1) };
const vector = (...values: number[]) => floatTensor([values.length], values);

describe('foldBatchNorm', () => {
  const norm = { g: vector(2, 1), b: vector(10, 20), m: vector(1, 2), v: vector(3, 0) };
  const initializers = { w: floatTensor([2, 1, 1, 1], [5, 7]), bias: vector(1, 3), ...norm };
  const batchNorm = node('y = BatchNormalization(c, g, b, m, v)', { epsilon: float(1) });
  const dims = [1, 1, 2, 2];

  it('refuses a file that has taken the name of a derived constant', async () => {
    const taken = { ...initializers, 'y:weight': vector(1) };
    const graph = await graphOf([node('c = Conv(x, w)'), batchNorm, node('z = Add(y, y:weight)')], {
      dims,
      initializers: taken,
    });
    expect(() => foldBatchNorm(graph)).toThrow(
      new ModelError('value "y:weight": this name is kept for derived constants'),
    );
  });

  //     x → Conv → BatchNorm    becomes    x → Conv(w · s, bias · s + t)
  it('scales weights and bias', async () => {
    const graph = run(await graphOf([node('c = Conv(x, w, bias)'), batchNorm], { dims, initializers }), foldBatchNorm);
    expect(lines(graph)).toEqual(['y: 1×2×2×2 = Conv(x, y:weight, y:bias) 1×1 /1,1 pad 0,0,0,0']);
    // s = g / sqrt(v + 1) = [1, 1], t = b - m · s = [9, 18]
    expect(constant(graph, 'y:weight')).toEqual([5, 7]);
    expect(constant(graph, 'y:bias')).toEqual([10, 21]);
  });

  it('makes a bias where there is none', async () => {
    const graph = run(await graphOf([node('c = Conv(x, w)'), batchNorm], { dims, initializers }), foldBatchNorm);
    expect(constant(graph, 'y:bias')).toEqual([9, 18]);
  });

  it('leaves a convolution that something else reads', async () => {
    const nodes = [node('c = Conv(x, w)'), batchNorm];
    await expectUntouched(nodes, { dims, initializers, outputs: ['y', 'c'] }, foldBatchNorm);
    await expectUntouched([...nodes, node('z = Add(y, c)')], { dims, initializers }, foldBatchNorm);
  });

  it('leaves a normalisation behind an activation', async () => {
    const nodes = [node('a = Conv(x, w)'), node('c = Relu(a)'), batchNorm];
    const fused = run(await graphOf(nodes, { dims, initializers }), fuseActivation);
    expect(lines(run(fused, foldBatchNorm))).toEqual(lines(fused));
  });
});

describe('foldAffine', () => {
  const initializers = {
    w: floatTensor([2, 1, 1, 1], [5, 7]),
    half: floatTensor([], [0.5]),
    one: floatTensor([1], [1]),
    channel: floatTensor([2, 1, 1], [2, 4]),
    channel4: floatTensor([1, 2, 1, 1], [10, 20]),
    row: floatTensor([2], [3, 3]),
    images: floatTensor([2, 1, 1, 1], [1, 2]),
  };
  const dims = [1, 1, 2, 2];
  const conv = node('c = Conv(x, w)');
  const fold = async (...nodes: NodeSpec[]) => {
    const graph = run(await graphOf([conv, ...nodes], { dims, initializers }), foldAffine);
    expect(graph.nodes).toHaveLength(1);
    return [constant(graph, 'y:weight'), constant(graph, 'y:bias')];
  };

  //     x → Conv → Mul k → Add b    becomes    x → Conv(w · k, b)
  it('takes a scalar, from either side', async () => {
    expect(await fold(node('y = Mul(c, half)'))).toEqual([
      [2.5, 3.5],
      [0, 0],
    ]);
    expect(await fold(node('y = Mul(half, c)'))).toEqual([
      [2.5, 3.5],
      [0, 0],
    ]);
    expect(await fold(node('y = Add(one, c)'))).toEqual([
      [5, 7],
      [1, 1],
    ]);
    expect(await fold(node('y = Sub(c, one)'))).toEqual([
      [5, 7],
      [-1, -1],
    ]);
    expect(await fold(node('y = Div(c, half)'))).toEqual([
      [10, 14],
      [0, 0],
    ]);
  });

  it('takes a value for each channel, and chains', async () => {
    expect(await fold(node('y = Mul(c, channel)'))).toEqual([
      [10, 28],
      [0, 0],
    ]);
    expect(await fold(node('y = Add(channel4, c)'))).toEqual([
      [5, 7],
      [10, 20],
    ]);
    expect(await fold(node('a = Add(c, channel4)'), node('b = Div(a, channel)'), node('y = Sub(b, one)'))).toEqual([
      [2.5, 1.75],
      [4, 4],
    ]);
  });

  it.each([
    ['a row of values', 'y = Mul(c, row)'],
    ['a constant that enlarges', 'y = Add(c, images)'],
    ['constant - x', 'y = Sub(one, c)'],
    ['constant / x', 'y = Div(one, c)'],
    ['a slope', 'y = PRelu(c, channel)'],
    ['two computed values', 'y = Mul(c, c)'],
  ])('leaves %s', async (_, last) => {
    await expectUntouched([conv, node(last)], { dims, initializers }, foldAffine);
  });

  it('leaves a convolution that something else reads', async () => {
    await expectUntouched([conv, node('y = Mul(c, half)')], { dims, initializers, outputs: ['y', 'c'] }, foldAffine);
  });

  //     x → InstanceNorm → Mul k → Add b    becomes    x → GroupNorm(scale · k, shift · k + b)
  it('goes into a normalisation', async () => {
    const nodes = [
      node('c = InstanceNormalization(x, scale, shift)'),
      node('m = Mul(c, channel)'),
      node('y = Add(m, channel4)'),
    ];
    const more = { scale: vector(1, 3), shift: vector(5, 6), ...initializers };
    const graph = run(await graphOf(nodes, { dims: [1, 2, 2, 2], initializers: more }), foldAffine);
    expect(lines(graph)).toEqual(['y: 1×2×2×2 = GroupNorm(x, y:scale, y:shift) 2 groups']);
    expect(constant(graph, 'y:scale')).toEqual([2, 12]);
    expect(constant(graph, 'y:shift')).toEqual([20, 44]);
  });
});

describe('matchGroupNorm', () => {
  const initializers = {
    split: intTensor([3], [0, 2, -1]),
    whole: intTensor([4], [1, 4, 8, 8]),
    other: intTensor([4], [1, 8, 4, 8]),
    mixed: intTensor([3], [2, 2, -1]),
    three: intTensor([4], [1, 2, 8, 16]),
    scale: vector(1, 2),
    shift: vector(3, 4),
  };
  const pattern = (split = 'split', whole = 'whole') => [
    node(`r = Reshape(x, ${split})`),
    node('i = InstanceNormalization(r, scale, shift)', { epsilon: float(0.5) }),
    node(`y = Reshape(i, ${whole})`),
  ];

  //     x → Reshape [0,2,-1] → InstanceNorm → Reshape [n,c,h,w]    becomes    x → GroupNorm, 2 groups
  it('finds the export of PyTorch', async () => {
    const graph = run(await graphOf(pattern(), { initializers }), matchGroupNorm);
    expect(lines(graph)).toEqual(['y: 1×4×8×8 = GroupNorm(x, y:scale, y:shift) 2 groups']);
    expect(constant(graph, 'y:scale')).toEqual([1, 1, 2, 2]);
    expect(constant(graph, 'y:shift')).toEqual([3, 3, 4, 4]);
    expect(graph.nodes[0]).toMatchObject({ epsilon: 0.5 });
  });

  it('with the shape computed from x', async () => {
    const nodes = [node('s = Shape(x)'), ...pattern('split', 's')];
    expect(await rewrite(nodes, { initializers, dims: [3, 4, 8, 8] }, matchGroupNorm)).toHaveLength(1);
  });

  it('and the scale, shift and activation that follow', async () => {
    const more = { ...initializers, k: weights(4, 1, 1), b: floatTensor([4, 1, 1], [1, 2, 3, 4]) };
    const nodes = [...pattern(), node('m = Mul(y, k)'), node('a = Add(m, b)'), node('z = Relu(a)')];
    expect(lines(optimize(await graphOf(nodes, { initializers: more }), true))).toEqual([
      'z: 1×4×8×8 = GroupNorm(x, a:scale, a:shift) 2 groups, relu',
    ]);
  });

  it.each<[string, NodeSpec[], SmallModel]>([
    ['another shape behind', pattern('split', 'other'), {}],
    ['two more dims behind', pattern('split', 'three'), {}],
    ['groups that cross images', pattern('mixed', 'whole'), { dims: [1, 4, 8, 8] }],
    ['grouped values that are read elsewhere', pattern(), { outputs: ['y', 'r'] }],
    ['normalised values that are read elsewhere', [...pattern(), node('z = Relu(i)')], { outputs: ['y', 'z'] }],
    [
      'no grouping before',
      pattern()
        .slice(1)
        .map((spec) => ({ ...spec, inputs: spec.inputs.map((n) => (n === 'r' ? 'x' : n)) })),
      { dims: [1, 2, 8, 16] },
    ],
    ['no normalisation', [node('r = Reshape(x, split)'), node('y = Reshape(r, whole)')], {}],
  ])('leaves %s', async (_, nodes, spec) => {
    await expectUntouched(nodes, { initializers, ...spec }, matchGroupNorm);
  });
});

describe('fuseResidual', () => {
  const floor = { coordinate_transformation_mode: text('asymmetric'), nearest_mode: text('floor') };
  const conv = node('c = Conv(x, w)');
  const fused = (inputs: string, factor: number) =>
    `y: 1×4×8×8 = Conv(${inputs}, w) 1×1 /1,1 pad 0,0,0,0, residual ×${factor}`;

  //     x → Conv ┐
  //     z ───────┴ Add    becomes    x, z → Conv + residual
  it('takes either operand, and the input itself', async () => {
    for (const add of ['y = Add(c, x)', 'y = Add(x, c)']) {
      expect(await rewrite([conv, node(add)], { initializers: w4 }, fuseResidual)).toEqual([fused('x, x', 1)]);
    }
  });

  it('takes the later one of two convolutions', async () => {
    const nodes = [node('a = Conv(x, w)'), conv];
    for (const add of ['y = Add(a, c)', 'y = Add(c, a)']) {
      const result = await rewrite([...nodes, node(add)], { initializers: w4 }, fuseResidual);
      expect(result).toHaveLength(2);
      expect(result[1]).toContain('residual ×1');
    }
  });

  //     x → Conv ─────────┐
  //     z → Resize ×2 ────┴ Add    becomes    x, z → Conv + residual ×2
  it.each([
    ['sizes', 'u = Resize(p, roi, none, sizes)', 11],
    ['scales', 'u = Resize(p, roi, twice)', 11],
    ['scales, without roi', 'u = Resize(p, , twice)', 13],
    ['scales of opset 10', 'u = Resize(p, twice)', 10],
    ['Upsample', 'u = Upsample(p, twice)', 9],
  ])('reads the coarse map of a resize by %s', async (_, resize, opset) => {
    const initializers = {
      ...w4,
      roi: floatTensor([0], []),
      none: floatTensor([0], []),
      sizes: intTensor([4], [1, 4, 8, 8]),
      twice: floatTensor([4], [1, 1, 2, 2]),
    };
    const pool = node('p = MaxPool(x)', { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    const mode = { mode: text('nearest'), ...(opset > 10 && floor) };
    for (const add of ['y = Add(c, u)', 'y = Add(u, c)']) {
      const nodes = [pool, node(resize, mode), conv, node(add)];
      const result = await rewrite(nodes, { initializers, opset }, fuseResidual);
      expect(result.slice(1)).toEqual([fused('x, p', 2)]);
    }
  });

  const resized = (mode: NodeSpec['attributes'], sizes: readonly number[]) => ({
    initializers: { ...w4, sizes: intTensor([4], sizes) },
    opset: 13,
    nodes: [
      node('p = MaxPool(x)', { kernel_shape: ints([2, 4]), strides: ints([2, 4]) }),
      node('u = Resize(p, , , sizes)', mode),
      conv,
      node('y = Add(c, u)'),
    ],
  });

  it.each<[string, NodeSpec['attributes']]>([
    ['linear', { mode: text('linear') }],
    ['uneven factors', { mode: text('nearest'), ...floor }],
  ])('keeps a resize that does not repeat pixels: %s', async (_, mode) => {
    const { nodes, ...spec } = resized(mode, [1, 4, 8, 8]);
    expect((await rewrite(nodes, spec, fuseResidual)).slice(2)).toEqual([fused('x, u', 1)]);
  });

  it('keeps a resize of rows alone, even of a single column', async () => {
    const nodes = [
      node('p = MaxPool(x)', { kernel_shape: ints([2, 1]), strides: ints([2, 1]) }),
      node('u = Resize(p, , , sizes)', { mode: text('nearest'), ...floor }),
      conv,
      node('y = Add(c, u)'),
    ];
    const initializers = { ...w4, sizes: intTensor([4], [1, 4, 8, 1]) };
    const result = await rewrite(nodes, { initializers, opset: 13, dims: [1, 4, 8, 1] }, fuseResidual);
    expect(result[2]).toContain('Conv(x, u, w)');
  });

  it('keeps a resize that shifts pixels, and one that is read elsewhere', async () => {
    const initializers = { ...w4, twice: floatTensor([4], [1, 1, 2, 2]) };
    const pool = node('p = MaxPool(x)', { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    const nodes = (mode: NodeSpec['attributes']) => [
      pool,
      node('u = Resize(p, , twice)', mode),
      conv,
      node('y = Add(c, u)'),
    ];
    const ceil = { ...floor, nearest_mode: text('ceil') };
    const shifted = await rewrite(nodes(ceil), { initializers, opset: 13 }, fuseResidual);
    expect(shifted.slice(2)).toEqual([fused('x, u', 1)]);
    const shared = await rewrite(nodes(floor), { initializers, opset: 13, outputs: ['y', 'u'] }, fuseResidual);
    expect(shared.slice(2)).toEqual([fused('x, u', 1)]);
    // half_pixel with ties to the floor repeats pixels as well
    const half = { nearest_mode: text('round_prefer_floor') };
    expect((await rewrite(nodes(half), { initializers, opset: 13 }, fuseResidual)).slice(1)).toEqual([
      fused('x, p', 2),
    ]);
  });

  it.each([
    ['a convolution that is read twice', [conv, node('y = Add(c, c)')]],
    ['shapes that broadcast', [conv, node('g = GlobalMaxPool(x)'), node('y = Add(c, g)')]],
    ['a convolution that is broadcast', [node('g = GlobalMaxPool(x)'), node('c = Conv(g, w)'), node('y = Add(x, c)')]],
    ['a constant', [conv, node('y = Add(c, k)')]],
    ['another operation', [conv, node('y = Mul(c, x)')]],
    ['no convolution', [node('r = Relu(x)'), node('y = Add(r, x)')]],
  ])('leaves %s', async (_, nodes) => {
    await expectUntouched(nodes, { initializers: { ...w4, k: weights(1, 4, 8, 8) } }, fuseResidual);
  });

  it('leaves a convolution that has a residual or an activation', async () => {
    const nodes = [conv, node('a = Relu(c)'), node('y = Add(a, x)')];
    const [first, second] = await rewrite(nodes, { initializers: w4 }, fuseActivation, fuseResidual);
    expect([first, second]).toEqual([
      expect.stringMatching(/Conv.*relu$/),
      expect.stringContaining('Binary(a, x) add'),
    ]);
    const twice = [conv, node('a = Add(c, x)'), node('y = Add(a, x)')];
    expect((await rewrite(twice, { initializers: w4 }, fuseResidual))[1]).toContain('Binary(a, x) add');
  });
});

describe('fuseActivation', () => {
  const conv = node('c = Conv(x, w)');

  //     x → Conv → Relu    becomes    x → Conv, relu
  it.each<[string, NodeSpec, string]>([
    ['Relu', node('y = Relu(c)'), 'relu'],
    ['LeakyRelu', node('y = LeakyRelu(c)', { alpha: float(0.5) }), 'leakyRelu(0.5)'],
    ['Clip', node('y = Clip(c, low, high)'), 'clip(0, 6)'],
    ['Sigmoid', node('y = Sigmoid(c)'), 'sigmoid'],
  ])('takes %s into a convolution', async (_, activation, printed) => {
    const initializers = { ...w4, low: floatTensor([], [0]), high: floatTensor([], [6]) };
    expect(await rewrite([conv, activation], { initializers }, fuseActivation)).toEqual([
      `y: 1×4×8×8 = Conv(x, w) 1×1 /1,1 pad 0,0,0,0, ${printed}`,
    ]);
  });

  it('takes it after a residual', async () => {
    const nodes = [conv, node('a = Add(c, x)'), node('y = Relu(a)')];
    expect(await rewrite(nodes, { initializers: w4 }, fuseResidual, fuseActivation)).toEqual([
      'y: 1×4×8×8 = Conv(x, x, w) 1×1 /1,1 pad 0,0,0,0, residual ×1, relu',
    ]);
  });

  it('takes one, not a second', async () => {
    const nodes = [conv, node('a = Relu(c)'), node('y = Sigmoid(a)')];
    expect((await rewrite(nodes, { initializers: w4 }, fuseActivation))[1]).toBe('y: 1×4×8×8 = Unary(a) sigmoid');
  });

  it('goes into a normalisation, but for a Sigmoid', async () => {
    const initializers = { s: weights(4), t: weights(4) };
    const norm = node('c = InstanceNormalization(x, s, t)');
    expect(await rewrite([norm, node('y = Relu(c)')], { initializers }, fuseActivation)).toEqual([
      'y: 1×4×8×8 = GroupNorm(x, s, t) 4 groups, relu',
    ]);
    await expectUntouched([norm, node('y = Sigmoid(c)')], { initializers }, fuseActivation);
  });

  it('leaves a convolution that something else reads, and other producers', async () => {
    const nodes = [conv, node('y = Relu(c)')];
    await expectUntouched(nodes, { initializers: w4, outputs: ['y', 'c'] }, fuseActivation);
    await expectUntouched([node('c = GlobalMaxPool(x)'), node('y = Relu(c)')], {}, fuseActivation);
  });
});

describe('mergeConvs', () => {
  const initializers = {
    a: weights(2, 4, 3, 3),
    b: weights(3, 4, 3, 3),
    bias: vector(1, 2, 3),
    k: weights(2, 4, 1, 1),
    grouped: weights(2, 2, 3, 3),
  };
  const pads = ints([1, 1, 1, 1]);
  const concat = (inputs = 'p, q', axis = 1) => node(`y = Concat(${inputs})`, { axis: int(axis) });

  //     x → Conv a ┐
  //     x → Conv b ┴ Concat    becomes    x → Conv ab
  it('stacks weights and biases', async () => {
    const nodes = [node('p = Conv(x, a)', { pads }), node('q = Conv(x, b, bias)', { pads }), concat()];
    const graph = run(await graphOf(nodes, { initializers }), mergeConvs);
    expect(lines(graph)).toEqual(['y: 1×5×8×8 = Conv(x, y:weight, y:bias) 3×3 /1,1 pad 1,1,1,1']);
    expect(constant(graph, 'y:weight')).toEqual([...initializers.a.data, ...initializers.b.data]);
    expect(constant(graph, 'y:bias')).toEqual([0, 0, 1, 2, 3]);
  });

  const p = node('p = Conv(x, a)', { pads });
  it.each<[string, NodeSpec[], readonly string[]]>([
    ['another input', [p, node('r = Relu(x)'), node('q = Conv(r, a)', { pads }), concat()], ['y']],
    ['another kernel', [p, node('q = Conv(x, k)'), concat()], ['y']],
    ['other pads', [p, node('q = Conv(x, a)', { pads: ints([0, 0, 2, 2]) }), concat()], ['y']],
    ['groups', ['p', 'q'].map((n) => node(`${n} = Conv(x, grouped)`, { pads, group: int(2) })).concat(concat()), ['y']],
    ['another axis', [p, node('q = Conv(x, a)', { pads }), concat('p, q', 2)], ['y']],
    ['something that is no convolution', [p, concat('p, x')], ['y']],
    ['a part that is read elsewhere', [p, node('q = Conv(x, a)', { pads }), concat()], ['y', 'q']],
    ['one part twice', [p, concat('p, p')], ['y']],
  ])('leaves %s', async (_, nodes, outputs) => {
    await expectUntouched(nodes, { initializers, outputs }, mergeConvs);
  });

  it('leaves an activated part', async () => {
    const nodes = [p, node('c = Conv(x, a)', { pads }), node('q = Relu(c)'), concat()];
    const graph = run(await graphOf(nodes, { initializers }), fuseActivation);
    expect(lines(run(graph, mergeConvs))).toEqual(lines(graph));
  });
});

describe('dropDead', () => {
  //     x → Conv → y
  //     x → Relu → z (unread)    becomes    x → Conv → y
  it('drops nodes, constants and shapes that no output needs', async () => {
    const nodes = [node('z = Relu(x)'), node('u = Add(z, k)'), node('y = Conv(x, w, b)')];
    const initializers = { ...w4, b: weights(4), k: weights(1) };
    const graph = run(await graphOf(nodes, { initializers }), dropDead);
    expect(lines(graph)).toEqual(['y: 1×4×8×8 = Conv(x, w, b) 1×1 /1,1 pad 0,0,0,0']);
    expect([...graph.constants.keys()].sort()).toEqual(['b', 'w']);
    expect([...graph.dims.keys()].sort()).toEqual(['b', 'w', 'x', 'y']);
  });

  it('keeps all that is needed', async () => {
    const nodes = [node('z = Relu(x)'), node('y = Add(z, x)')];
    await expectUntouched(nodes, { outputs: ['z', 'y'] }, dropDead);
  });
});

describe('dropNoops', () => {
  //     x → Conv → Identity → Relu → y    becomes    x → Conv → Relu → y
  it('lets readers read past what changes nothing', async () => {
    const nodes = [node('a = Conv(x, w)'), node('b = Identity(a)'), node('c = Dropout(b)'), node('y = Relu(c)')];
    expect(await rewrite(nodes, { initializers: w4 }, dropNoops, fuseActivation)).toEqual([
      'y: 1×4×8×8 = Conv(x, w) 1×1 /1,1 pad 0,0,0,0, relu',
    ]);
  });

  it('keeps an output under its own name, and a Reshape that reshapes', async () => {
    const nodes = [node('y = Identity(x)'), node('z = Flatten(x)')];
    await expectUntouched(nodes, { outputs: ['y', 'z'] }, dropNoops);
  });
});

describe('optimize', () => {
  const initializers = {
    ...w4,
    s: vector(1, 2, 3, 4),
    t: vector(0, 1, 0, 1),
    m: vector(1, 1, 0, 0),
    v: vector(1, 2, 1, 2),
    k: floatTensor([4, 1, 1], [1, 2, 1, 2]),
  };
  const nodes = [
    node('c = Conv(x, w)'),
    node('n = BatchNormalization(c, s, t, m, v)'),
    node('a = Mul(n, k)'),
    node('r = Add(x, a)'),
    node('y = Clip(r)'),
  ];

  it('brings a block down to one node', async () => {
    const graph = await graphOf(nodes, { initializers });
    const fused = optimize(graph, true);
    expect(lines(fused)).toEqual([
      'y: 1×4×8×8 = Conv(x, x, a:weight, a:bias) 1×1 /1,1 pad 0,0,0,0, residual ×1, clip(-Infinity, Infinity)',
    ]);
    expect([...fused.constants.keys()].sort()).toEqual(['a:bias', 'a:weight']);
    const scale = [1, 2 / Math.sqrt(2 + 1e-5), 3, 4 / Math.sqrt(2 + 1e-5)].map(
      (value, c) => value * (c % 2 === 1 ? 2 : 1),
    );
    const expected = Array.from(initializers.w.data, (value, i) => value * scale[Math.floor(i / 4)]!);
    expectClose(constant(fused, 'a:weight'), expected, {
      rel: 1e-4,
      reason: 'epsilon is left out where variance is 1',
    });
    expect(lines(optimize(graph, false))).toEqual(lines(graph));
  });

  it('keeps a tapped value', async () => {
    const graph = await graphOf(nodes, { initializers, outputs: ['y', 'n'] });
    expect(lines(optimize(graph, true)).map((line) => line.split(':')[0])).toEqual(['n', 'a', 'r', 'y']);
  });
});

const server = await loadTarget({ software: false, subgroupSize: 32, class: 'server' });

describe('fusePool', () => {
  const pool = node('p = AveragePool(x)', { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  const conv = node('y = Conv(p, w)');
  const spec = { initializers: w4, dims: [1, 4, 8, 8], outputs: ['y'] } as const;
  const pass: Pass = (graph) => fusePool(graph, server);

  it('makes a pool and a pointwise Conv one Conv of the windows', async () => {
    const graph = await graphOf([pool, node('y = Conv(p, w)', { dilations: ints([3, 3]) })], spec);
    const fused = run(graph, pass);
    expect(lines(fused).length).toBe(1);
    expect(lines(fused)[0]).toContain('Conv');
    expect(fused.nodes[0]).toMatchObject({ kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] });
    const quarters = constant(graph, 'w').flatMap((value) => new Array<number>(4).fill(value / 4));
    expect(constant(fused, 'y:pooled weight')).toEqual(quarters);
  });

  it.each([
    ['a maximum', [node('p = MaxPool(x)', { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }), conv]],
    ['windows that overlap', [node('p = AveragePool(x)', { kernel_shape: ints([2, 2]) }), conv]],
    ['a pool that others read', [pool, conv, node('z = Relu(p)')]],
  ] as const)('leaves %s', async (_, nodes) => {
    const outputs = nodes.length === 3 ? ['y', 'z'] : ['y'];
    await expectUntouched(nodes, { ...spec, outputs }, pass);
  });

  it('leaves windows that do not divide the image', async () => {
    await expectUntouched([pool, conv], { ...spec, dims: [1, 4, 7, 8] }, pass);
  });
});

describe('fuseSeparable', () => {
  const initializers = { f: weights(4, 1, 3, 3), w: weights(8, 4, 1, 1) };
  const filters = node('d = Conv(x, f)', { group: int(4), pads: ints([1, 1, 1, 1]) });
  const pointwise = node('y = Conv(r, w)');
  const spec = { initializers, dims: [1, 4, 16, 16], outputs: ['y'] } as const;
  const pass: Pass = (graph) => fuseSeparable(graph, server);

  it('makes a depthwise and a pointwise Conv one node, activation and all', async () => {
    const [only, ...more] = await rewrite([filters, node('r = Relu(d)'), pointwise], spec, fuseActivation, pass);
    expect(more).toEqual([]);
    expect(only).toContain('Separable');
    expect(only).toContain('group 4, relu, →');
  });

  it.each([
    ['a sigmoid between', [filters, node('r = Sigmoid(d)'), pointwise]],
    ['what is no depthwise Conv', [node('r = Conv(x, v)'), pointwise]],
    ['a pointwise Conv of stride 2', [filters, node('r = Relu(d)'), node('y = Conv(r, w)', { strides: ints([2, 2]) })]],
  ] as const)('leaves %s', async (_, nodes) => {
    const all = { ...spec, initializers: { ...initializers, v: weights(4, 4, 1, 1) } };
    const activated = run(await graphOf(nodes, all), fuseActivation);
    expect(lines(run(activated, pass))).toEqual(lines(activated));
  });
});

describe('liftBatchNorm', () => {
  const norm = { g: vector(2, 1), b: vector(10, 20), m: vector(1, 2), v: vector(3, 0) };
  const norms = { ...norm, w: weights(2, 4, 8, 8) };
  const epsilon = { epsilon: float(1) };

  it('lets a convolution of the whole image take the normalisation of its numbers', async () => {
    const nodes = [
      node('c = Conv(x, w)'),
      node('f = Flatten(c)'),
      node('y = BatchNormalization(f, g, b, m, v)', epsilon),
    ];
    expect(await rewrite(nodes, { initializers: norms }, liftBatchNorm, foldBatchNorm)).toEqual([
      'y:image: 1×2×1×1 = Conv(x, y:image:weight, y:image:bias) 8×8 /1,1 pad 0,0,0,0',
      'y: 1×2 = Reshape(y:image)',
    ]);
  });

  it('leaves one of other channels, and a Reshape that something else reads', async () => {
    const swapped = [
      node('t = Transpose(x)', { perm: ints([0, 2, 3, 1]) }),
      node('r = Reshape(t, s)'),
      node('y = BatchNormalization(r, g, b, m, v)', epsilon),
    ];
    await expectUntouched(swapped, { initializers: { ...norm, s: intTensor([3], [1, 2, 128]) } }, liftBatchNorm);
    const twice = [
      node('c = Conv(x, w)'),
      node('f = Flatten(c)'),
      node('n = BatchNormalization(f, g, b, m, v)', epsilon),
      node('y = Add(f, n)'),
    ];
    await expectUntouched(twice, { initializers: norms }, liftBatchNorm);
  });
});

describe('foldDense', () => {
  const matrix = floatTensor([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]);
  const flat = node('f = Flatten(x)');
  const spec = (initializers: NonNullable<SmallModel['initializers']>) => ({ dims: [1, 4, 1, 1], initializers });
  const gemm = node('d = Gemm(f, w, c)', { transB: int(1) });

  it('scales columns and bias by a normalisation', async () => {
    const norm = { g: vector(4, 1), b: vector(10, 20), m: vector(1, 2), v: vector(3, 0) };
    const nodes = [flat, gemm, node('y = BatchNormalization(d, g, b, m, v)', { epsilon: float(1) })];
    const graph = run(await graphOf(nodes, spec({ ...norm, w: matrix, c: vector(5, 7) })), foldDense);
    expect(lines(graph).at(-1)).toBe('y: 1×2 = MatMul(f, y:weight, y:bias) transB');
    // factors 4 / sqrt(3 + 1) and 1 / sqrt(0 + 1)
    expect(constant(graph, 'y:weight')).toEqual([2, 4, 6, 8, 5, 6, 7, 8]);
    expect(constant(graph, 'y:bias')).toEqual([18, 25]);
  });

  it('takes a scale and a shift of rows that are not transposed', async () => {
    const w = floatTensor([4, 2], [1, 5, 2, 6, 3, 7, 4, 8]);
    const nodes = [flat, node('d = MatMul(f, w)'), node('m = Mul(d, s)'), node('y = Add(b, m)')];
    const graph = run(await graphOf(nodes, spec({ w, s: vector(2, 3), b: vector(10, 20) })), foldDense);
    expect(lines(graph).at(-1)).toBe('y: 1×2 = MatMul(f, m:weight, y:bias)');
    expect(constant(graph, 'm:weight')).toEqual([2, 15, 4, 18, 6, 21, 8, 24]);
    expect(constant(graph, 'y:bias')).toEqual([10, 20]);
  });

  it('leaves a product that something else reads, computed weights, and constants of rows', async () => {
    const own = { w: matrix, c: vector(5, 7), s: vector(2, 3), rows: floatTensor([3, 1], [1, 2, 3]) };
    await expectUntouched([flat, gemm, node('m = Mul(d, s)'), node('y = Add(d, m)')], spec(own), foldDense);
    await expectUntouched(
      [flat, node('p = Mul(w, f)'), node('d = Gemm(f, p, c)', { transB: int(1) }), node('y = Mul(d, s)')],
      spec(own),
      foldDense,
    );
    await expectUntouched([flat, gemm, node('y = Mul(d, rows)')], spec(own), foldDense);
  });

  it('then takes an activation', async () => {
    const nodes = [flat, gemm, node('r = Relu(d)'), node('y = Mul(r, s)')];
    const own = spec({ w: matrix, c: vector(5, 7), s: vector(2, 3) });
    expect((await rewrite(nodes, own, foldDense, fuseDenseActivation)).slice(1)).toEqual([
      'r: 1×2 = MatMul(f, w, c) transB, relu',
      'y: 1×2 = Binary(r, s) mul',
    ]);
  });
});

describe('matchHardSwish', () => {
  const scalar = (value: number) => floatTensor([], [value]);
  const numbers = { three: scalar(3), zero: scalar(0), six: scalar(6), sixth: scalar(1 / 6) };
  const gate = [node('a = Add(x, three)'), node('g = Clip(a, zero, six)')];
  const swish = ['y: 1×4×8×8 = Elementwise(x) hardSwish'];

  it.each<[string, NodeSpec[]]>([
    ['divided in the end', [...gate, node('p = Mul(x, g)'), node('y = Div(p, six)')]],
    ['scaled in the end, the other way round', [...gate, node('p = Mul(g, x)'), node('y = Mul(sixth, p)')]],
    ['divided first', [...gate, node('h = Div(g, six)'), node('y = Mul(x, h)')]],
    ['with a HardSigmoid', [node('h = HardSigmoid(x)', { alpha: float(1 / 6) }), node('y = Mul(h, x)')]],
  ])('%s', async (_, nodes) => {
    expect(await rewrite(nodes, { initializers: numbers }, matchHardSwish)).toEqual(swish);
  });

  it('finds the gate alone', async () => {
    const nodes = [node('z = Relu(x)'), ...gate, node('h = Div(g, six)'), node('y = Mul(z, h)')];
    expect((await rewrite(nodes, { initializers: numbers }, matchHardSwish))[1]).toBe(
      'h: 1×4×8×8 = Elementwise(x) hardSigmoid, 0.1666666716337204, 0.5',
    );
  });

  it('leaves other numbers, another factor, and a gate that something else reads', async () => {
    const initializers = { ...numbers, two: scalar(2) };
    const pass = matchHardSwish;
    await expectUntouched(
      [node('a = Add(x, two)'), gate[1]!, node('p = Mul(x, g)'), node('y = Div(p, six)')],
      { initializers },
      pass,
    );
    await expectUntouched([...gate, node('p = Mul(x, g)'), node('y = Div(p, two)')], { initializers }, pass);
    await expectUntouched([...gate, node('p = Mul(a, g)'), node('y = Div(p, six)')], { initializers }, pass);
    await expectUntouched(
      [...gate, node('p = Mul(x, g)'), node('q = Div(p, six)'), node('y = Add(q, g)')],
      { initializers },
      pass,
    );
  });
});
