import { describe, expect, it } from 'vitest';
import { floatTensor, formatDims, intTensor, sizeOf, type Tensor } from '../../../src/common/tensor.ts';
import { createNetwork } from '../../../src/index.node.ts';
import { expectClose } from '../../support/compare.ts';
import { openGpu, slowAdapter } from '../../support/gpu.ts';
import { buildModel, float, int, ints, type NodeSpec, text } from '../../support/onnx-builder.ts';
import { runOrt } from '../../support/ort.ts';
import { createRng } from '../../support/rng.ts';

type Attributes = NonNullable<NodeSpec['attributes']>;

/** One node, at every operator set of these bounds. */
interface Case {
  readonly op: string;
  /** Names of sources, constants, or '' for none. */
  readonly inputs: readonly (string | Tensor)[];
  readonly attributes?: Attributes;
  readonly opsets: readonly [first: number, last: number];
  /** Element type of every output; floats, one, unless given. */
  readonly outputs?: readonly ('float32' | 'int64')[];
}

const rng = createRng(19);
const integers = (...values: number[]) => intTensor([values.length], values);
const scalar = (value: number) => floatTensor([], [value]);
const weights = (...dims: number[]) => floatTensor(dims, rng.floats(sizeOf(dims)));
const ALL = [7, 21] as const;

/** What cases read of the input x, `[n, 8, 4, 6]`: `p` and `q` are stored as images, `q` of five channels, the others row-major. */
function sourceNodes(n: number, opset: number): { nodes: NodeSpec[]; constants: Record<string, Tensor> } {
  const copy = { kernel_shape: ints([1, 1]) };
  const scales = Array.from({ length: 6 }, (_, i) => [1, 3, 1e-4, 1e-6, 1e4, 7e4][i]!);
  const constants: Record<string, Tensor> = {
    odd: weights(5, 8, 1, 1),
    s1: integers(n * 192),
    s2: integers(n, 192),
    s3: integers(n, 8, 24),
    s5: integers(n, 2, 4, 4, 6),
    scales: floatTensor([6], scales),
    three: scalar(3),
  };
  const nodes: NodeSpec[] = [
    { op: 'MaxPool', inputs: ['x'], outputs: ['p'], attributes: copy },
    { op: 'Conv', inputs: ['x', 'odd'], outputs: ['q'] },
    { op: 'GlobalMaxPool', inputs: ['x'], outputs: ['g'] },
    ...[1, 2, 3, 5].map((rank) => ({ op: 'Reshape', inputs: ['x', `s${rank}`], outputs: [`r${rank}`] })),
    // of ranks that are never stored as half floats
    { op: 'Mul', inputs: ['r5', 'scales'], outputs: ['wide'] },
    { op: 'Mul', inputs: ['r3', 'three'], outputs: ['tripled'] },
    { op: 'Cast', inputs: ['tripled'], outputs: ['whole'], attributes: { to: int(6) } },
    { op: 'Cast', inputs: ['whole'], outputs: ['ties'], attributes: { to: int(1) } },
    { op: 'Cast', inputs: ['whole'], outputs: ['truth'], attributes: { to: int(9) } },
    { op: 'Cast', inputs: ['wide'], outputs: ['half'], attributes: { to: int(10) } },
    ...(opset < 13 ? [] : [{ op: 'Cast', inputs: ['wide'], outputs: ['brain'], attributes: { to: int(16) } }]),
    { op: 'Cast', inputs: ['p'], outputs: ['image'], attributes: { to: int(10) } },
  ];
  return { nodes, constants };
}

function padCases(): Case[] {
  const shapes: [source: string, pads: number[], modes?: string[]][] = [
    ['x', [0, 0, 1, 2, 0, 0, 0, 3], ['constant', 'reflect', 'edge']],
    ['p', [0, 0, 1, 2, 0, 0, 3, 0], ['constant', 'reflect', 'edge']],
    ['p', [0, 0, 0, 0, 0, 3, 0, 0], ['constant', 'reflect', 'edge']],
    ['q', [0, 3, 0, 1, 1, 2, 2, 0], ['constant', 'edge']],
    ['q', [0, -1, 0, 1, 0, -2, -1, 0], ['constant', 'edge']],
    ['x', [0, -1, -1, 2, 0, 2, 0, -2], ['constant']],
    ['r1', [3, 2], ['constant', 'reflect', 'edge']],
    ['r3', [0, 2, 1, 0, 1, 2], ['constant', 'reflect', 'edge']],
    ['r5', [0, 1, 0, 2, 1, 0, 0, 1, 0, 2], ['constant', 'edge']],
  ];
  const each = shapes.flatMap(([source, pads, modes = []]) => modes.map((mode) => ({ source, pads, mode })));
  return [
    ...each.map(
      ({ source, pads, mode }): Case => ({
        op: 'Pad',
        inputs: [source],
        attributes: { pads: ints(pads), mode: text(mode), ...(mode === 'constant' && { value: float(1.5) }) },
        opsets: [7, 10],
      }),
    ),
    ...each.map(
      ({ source, pads, mode }): Case => ({
        op: 'Pad',
        inputs: [source, integers(...pads), ...(mode === 'constant' ? [scalar(-0.75)] : [])],
        attributes: { mode: text(mode) },
        opsets: [11, 21],
      }),
    ),
    { op: 'Pad', inputs: ['x', integers(1, 0, 2, 1), '', integers(-1, 1)], opsets: [18, 21] },
    { op: 'Pad', inputs: ['q', integers(1, 3), scalar(2), integers(2)], opsets: [18, 21] },
    ...(['x', 'p', 'q'] as const).map(
      (source): Case => ({
        op: 'Pad',
        inputs: [source, integers(0, 2, 1, 3, 0, 1, 0, 2)],
        attributes: { mode: text('wrap') },
        opsets: [19, 21],
      }),
    ),
  ];
}

function repeatCases(n: number): Case[] {
  const expand = (source: string, ...shape: number[]): Case => ({
    op: 'Expand',
    inputs: [source, integers(...shape)],
    opsets: [8, 21],
  });
  const tile = (source: string, ...repeats: number[]): Case => ({
    op: 'Tile',
    inputs: [source, integers(...repeats)],
    opsets: ALL,
  });
  return [
    expand('g', n, 8, 4, 6),
    expand('g', 1, 1, 3, 1),
    expand('g', 2, n, 8, 2, 2),
    expand('x', 1, 1, 1, 1),
    expand('r3', 2, n, 8, 24),
    tile('x', 1, 2, 1, 3),
    tile('p', 1, 2, 3, 1),
    tile('q', 2, 3, 1, 2),
    tile('r1', 3),
    tile('r5', 1, 2, 1, 1, 2),
  ];
}

function splitCases(): Case[] {
  const outputs = (count: number) => new Array<'float32'>(count).fill('float32');
  const lengths: [source: string, axis: number, lengths: number[]][] = [
    ['x', 1, [3, 1, 4]],
    ['p', 1, [1, 4, 3]],
    ['q', -1, [2, 4]],
    ['r3', 2, [10, 14]],
  ];
  return [
    ...(['x', 'p'] as const).flatMap((source): Case[] => [
      { op: 'Split', inputs: [source], attributes: { axis: int(1) }, opsets: [7, 17], outputs: outputs(4) },
      {
        op: 'Split',
        inputs: [source],
        attributes: { axis: int(1), num_outputs: int(3) },
        opsets: [18, 21],
        outputs: outputs(3),
      },
    ]),
    ...lengths.flatMap(([source, axis, parts]): Case[] => [
      {
        op: 'Split',
        inputs: [source],
        attributes: { axis: int(axis), split: ints(parts) },
        opsets: [7, 12],
        outputs: outputs(parts.length),
      },
      {
        op: 'Split',
        inputs: [source, integers(...parts)],
        attributes: { axis: int(axis) },
        opsets: [13, 21],
        outputs: outputs(parts.length),
      },
    ]),
  ];
}

function gatherCases(n: number): Case[] {
  const take = (source: string, indices: Tensor, axis?: number): Case => ({
    op: 'Gather',
    inputs: [source, indices],
    ...(axis !== undefined && { attributes: { axis: int(axis) } }),
    opsets: ALL,
  });
  const slice = (source: string, ...ranges: [start: number, end: number, axis: number, step: number][]): Case => ({
    op: 'Slice',
    inputs: [source, ...[0, 1, 2, 3].map((i) => integers(...ranges.map((range) => range[i]!)))],
    opsets: [10, 21],
  });
  return [
    take('x', integers(2, 0, 2), 1),
    take('p', intTensor([], [3]), 1),
    take('x', intTensor([2, 2], [3, 0, 1, 1]), -1),
    take('r1', integers(7, 3)),
    take('r5', intTensor([], [0])),
    { ...take('x', integers(-1, -8), 1), opsets: [11, 21] },
    {
      op: 'GatherElements',
      inputs: [
        'x',
        intTensor(
          [n, 8, 2, 6],
          Array.from({ length: n * 96 }, () => rng.int(-4, 3)),
        ),
      ],
      attributes: { axis: int(2) },
      opsets: [11, 21],
    },
    { op: 'GatherND', inputs: ['x', intTensor([3, 2], [0, 7, 0, 1, 0, -2])], opsets: [11, 21] },
    {
      op: 'GatherND',
      inputs: [
        'x',
        intTensor(
          [n, 2, 3],
          Array.from({ length: n * 6 }, (_, i) => [3, 2, -1][i % 3]!),
        ),
      ],
      attributes: { batch_dims: int(1) },
      opsets: [12, 21],
    },
    slice('x', [-1, -9999, 3, -1]),
    slice('p', [3, 0, 2, -2], [0, 6, 3, 4]),
    slice('r5', [9999, -(2 ** 53), -1, -4], [1, -3, 1, -1]),
  ];
}

function convTransposeCases(): Case[] {
  const conv = (source: string, weight: Tensor, attributes: Attributes = {}, bias?: Tensor): Case => ({
    op: 'ConvTranspose',
    inputs: [source, weight, ...(bias ? [bias] : [])],
    attributes,
    opsets: ALL,
  });
  return [
    conv('x', weights(8, 5, 2, 2), { strides: ints([2, 2]) }, weights(5)),
    conv('q', weights(5, 3, 3, 3), { pads: ints([1, 0, 1, 2]) }),
    conv('p', weights(8, 2, 3, 2), { group: int(2), strides: ints([3, 2]), kernel_shape: ints([3, 2]) }),
    conv('p', weights(8, 4, 3, 3), { group: int(2), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) }, weights(8)),
    conv('p', weights(8, 1, 4, 4), { group: int(8), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) }),
    conv('q', weights(5, 1, 3, 3), { group: int(5), dilations: ints([2, 1]), output_padding: ints([0, 0]) }),
    conv('q', weights(5, 6, 3, 3), { strides: ints([2, 3]), output_padding: ints([1, 2]), pads: ints([1, 1, 1, 1]) }),
    conv('q', weights(5, 6, 3, 3), { strides: ints([2, 2]), output_shape: ints([8, 11]) }),
    conv('q', weights(5, 6, 3, 3), {
      strides: ints([2, 2]),
      output_shape: ints([10, 12]),
      auto_pad: text('SAME_UPPER'),
    }),
    conv('q', weights(5, 2, 4, 3), { strides: ints([2, 2]), auto_pad: text('SAME_UPPER') }),
    conv('q', weights(5, 2, 4, 3), { strides: ints([2, 2]), auto_pad: text('SAME_LOWER') }),
    conv('q', weights(5, 2, 1, 2), { strides: ints([2, 3]), auto_pad: text('SAME_LOWER') }),
    conv('q', weights(5, 2, 3, 3), { auto_pad: text('VALID') }),
  ];
}

function blockCases(): Case[] {
  return [
    ...(['x', 'p'] as const).flatMap((source): Case[] => [
      { op: 'DepthToSpace', inputs: [source], attributes: { blocksize: int(2) }, opsets: ALL },
      ...['DCR', 'CRD'].map(
        (mode): Case => ({
          op: 'DepthToSpace',
          inputs: [source],
          attributes: { blocksize: int(2), mode: text(mode) },
          opsets: [11, 21],
        }),
      ),
      { op: 'SpaceToDepth', inputs: [source], attributes: { blocksize: int(2) }, opsets: ALL },
    ]),
    { op: 'LRN', inputs: ['x'], attributes: { size: int(3) }, opsets: ALL },
    {
      op: 'LRN',
      inputs: ['q'],
      attributes: { size: int(5), alpha: float(0.5), beta: float(0.6), bias: float(2) },
      opsets: ALL,
    },
  ];
}

function topKCases(): Case[] {
  const outputs = ['float32', 'int64'] as const;
  return [
    { op: 'TopK', inputs: ['r2'], attributes: { k: int(5) }, opsets: [7, 9], outputs },
    { op: 'TopK', inputs: ['ties'], attributes: { k: int(3), axis: int(1) }, opsets: [7, 9], outputs },
    { op: 'TopK', inputs: ['r2', integers(192)], opsets: [10, 21], outputs },
    { op: 'TopK', inputs: ['ties', integers(7)], attributes: { axis: int(1) }, opsets: [10, 10], outputs },
    ...[0, 1].map(
      (largest): Case => ({
        op: 'TopK',
        inputs: ['ties', integers(5)],
        attributes: { axis: int(1), largest: int(largest), sorted: int(1) },
        opsets: [11, 21],
        outputs,
      }),
    ),
  ];
}

function resizeCases(n: number): Case[] {
  const modes = { mode: text('linear'), coordinate_transformation_mode: text('half_pixel') };
  const policy = (name: string, axes?: readonly number[]) => ({
    ...modes,
    keep_aspect_ratio_policy: text(name),
    ...(axes && { axes: ints(axes) }),
  });
  return [
    {
      op: 'Resize',
      inputs: ['x', '', floatTensor([2], [2, 1.5])],
      attributes: { ...modes, axes: ints([2, 3]) },
      opsets: [18, 21],
    },
    {
      op: 'Resize',
      inputs: ['q', '', '', integers(9, 7)],
      attributes: { ...modes, axes: ints([-1, 2]) },
      opsets: [18, 21],
    },
    { op: 'Resize', inputs: ['p', '', '', integers(11)], attributes: { ...modes, axes: ints([3]) }, opsets: [18, 21] },
    ...['not_larger', 'not_smaller'].flatMap((name): Case[] => [
      { op: 'Resize', inputs: ['x', '', '', integers(9, 10)], attributes: policy(name, [2, 3]), opsets: [18, 21] },
      { op: 'Resize', inputs: ['x', '', '', integers(3, 7)], attributes: policy(name, [3, 2]), opsets: [18, 21] },
    ]),
    { op: 'Resize', inputs: ['x', '', '', integers(n, 8, 7, 9)], attributes: policy('stretch'), opsets: [18, 21] },
  ];
}

function castCases(): Case[] {
  const back = (source: string, first = 7): Case => ({
    op: 'Cast',
    inputs: [source],
    attributes: { to: int(1) },
    opsets: [first, 21],
  });
  return [back('half'), back('image'), back('brain', 13), back('truth'), back('whole')];
}

const FAMILIES = {
  Pad: padCases,
  'Expand and Tile': repeatCases,
  Split: splitCases,
  'Gather and Slice': gatherCases,
  ConvTranspose: convTransposeCases,
  'DepthToSpace, SpaceToDepth and LRN': blockCases,
  TopK: topKCases,
  Cast: castCases,
  Resize: resizeCases,
};

/** A model with a node of every case as an output. */
function modelOf(cases: readonly Case[], opset: number, n: number) {
  const { nodes, constants } = sourceNodes(n, opset);
  const outputs: { name: string; type: 'float32' | 'int64' }[] = [];
  cases.forEach(({ op, inputs, attributes = {}, outputs: types = ['float32'] }, i) => {
    const names = inputs.map((each, k) => {
      if (typeof each === 'string') return each;
      constants[`c${i}_${k}`] = each;
      return `c${i}_${k}`;
    });
    const own = types.map((type, k) => ({ name: `${op}_${i}_${k}`, type }));
    nodes.push({
      op,
      name: cases.length === 1 ? 'n' : '',
      inputs: names,
      outputs: own.map(({ name }) => name),
      attributes,
    });
    outputs.push(...own);
  });
  const inputs = [{ name: 'x', dims: [n, 8, 4, 6] }];
  return buildModel({ opset, irVersion: opset > 17 ? 10 : 8, inputs, outputs, nodes, initializers: constants });
}

/** Operator sets with rules of their own. */
const OPSETS = [7, 10, 11, 13, 18, 21];

/** All operator sets by one image, and batches and half floats at some. */
const SETTINGS = [
  ...(slowAdapter ? [18] : OPSETS).map((opset) => ({ opset, n: 1, precision: 'f32' as const })),
  ...(slowAdapter ? [10] : [10, 21]).map((opset) => ({ opset, n: 3, precision: 'f32' as const })),
  ...[10, 21].map((opset) => ({ opset, n: 2, precision: 'f16' as const })),
];

describe.each(Object.entries(FAMILIES))('%s', (_, casesOf) => {
  it.each(SETTINGS)('is what onnxruntime gives, opset $opset, batch $n, $precision', async (setting) => {
    const { opset, n, precision } = setting;
    const { device } = await openGpu();
    const cases = casesOf(n).filter(({ opsets: [first, last] }) => first <= opset && opset <= last);
    if (cases.length === 0 || (precision === 'f16' && !device.features.has('shader-f16'))) return;
    const dims = [n, 8, 4, 6];
    const data = createRng(n).floats(sizeOf(dims), -2, 2);
    const bytes = modelOf(cases, opset, n);
    const expected = await runOrt(bytes, { x: { dims, data } });
    await using network = await createNetwork(bytes, { inputShape: dims, device, precision });
    const actual = await network.run(data);
    for (const [name, tensor] of Object.entries(expected)) {
      const which = `${name} ${JSON.stringify(cases[Number(name.split('_')[1])]!.attributes)}`;
      expect(formatDims(actual[name]!.dims), which).toBe(formatDims(tensor.dims));
      expectClose(actual[name]!.data, tensor.data, {
        abs: precision === 'f32' ? 1e-5 : 2e-2,
        rel: 1e-6,
        reason: `${which}: numbers are moved, sums are of few; half floats have 11 bits`,
      });
    }
  });
});

/** Nodes of constants alone: their values, and of what operator sets. */
const FOLDED: readonly Case[] = [
  ...['constant', 'reflect', 'edge', 'wrap'].map(
    (mode): Case => ({
      op: 'Pad',
      inputs: [weights(3, 4), integers(1, 3, 2, 0)],
      attributes: { mode: text(mode) },
      opsets: [19, 21],
    }),
  ),
  { op: 'Pad', inputs: [weights(3, 4), integers(-1, 2, 1, -3), scalar(0.5)], opsets: [11, 21] },
  {
    op: 'Pad',
    inputs: [intTensor([3], [5, 6, 7]), integers(1, 2), intTensor([], [9])],
    opsets: [11, 21],
    outputs: ['int64'],
  },
  { op: 'Pad', inputs: [weights(3, 4), integers(2, 1), '', integers(-1)], opsets: [18, 21] },
  { op: 'Pad', inputs: [weights(3, 4)], attributes: { pads: ints([0, 2, 1, 0]) }, opsets: [7, 10] },
  { op: 'Tile', inputs: [weights(2, 3), integers(2, 3)], opsets: [7, 21] },
  { op: 'Expand', inputs: [weights(3, 1), integers(2, 1, 4)], opsets: [8, 21] },
  {
    op: 'Split',
    inputs: [weights(2, 6)],
    attributes: { axis: int(1) },
    opsets: [7, 17],
    outputs: ['float32', 'float32'],
  },
  {
    op: 'Split',
    inputs: [integers(4, 5, 6, 7, 8), integers(2, 3)],
    opsets: [13, 21],
    outputs: ['int64', 'int64'],
  },
  { op: 'Range', inputs: [scalar(1.5), scalar(-2), scalar(-0.75)], opsets: [11, 21] },
  {
    op: 'Range',
    inputs: [intTensor([], [3]), intTensor([], [12]), intTensor([], [2])],
    opsets: [11, 21],
    outputs: ['int64'],
  },
];

describe('constants', () => {
  it.each([7, 11, 13, 19, 21])('are moved as onnxruntime moves them, opset %i', async (opset) => {
    const { device } = await openGpu();
    const nodes: NodeSpec[] = [];
    const initializers: Record<string, Tensor> = {};
    const outputs: string[] = [];
    FOLDED.forEach(({ op, inputs, attributes = {}, opsets: [first, last], outputs: types = ['float32'] }, i) => {
      if (opset < first || opset > last) return;
      const names = inputs.map((each, k) => {
        if (typeof each === 'string') return each;
        initializers[`c${i}_${k}`] = each;
        return `c${i}_${k}`;
      });
      const own = types.map((_, k) => `${op}_${i}_${k}`);
      nodes.push({ op, inputs: names, outputs: own, attributes });
      for (const name of own) {
        nodes.push({ op: 'Cast', inputs: [name], outputs: [`${name}_float`], attributes: { to: int(1) } });
        nodes.push({ op: 'Add', inputs: ['zero', `${name}_float`], outputs: [`${name}_sum`] });
        outputs.push(`${name}_sum`);
      }
    });
    const inputs = [{ name: 'zero', dims: [] }];
    const bytes = buildModel({ opset, irVersion: opset > 17 ? 10 : 8, inputs, outputs, nodes, initializers });
    await using network = await createNetwork(bytes, { inputShape: [], device });
    const actual = await network.run(Float32Array.of(0));
    const expected = await runOrt(bytes, { zero: { dims: [], data: Float32Array.of(0) } });
    for (const [name, tensor] of Object.entries(expected)) {
      expect(formatDims(actual[name]!.dims), name).toBe(formatDims(tensor.dims));
      expect(actual[name]!.data, name).toEqual(tensor.data);
    }
  });
});

describe('refused by name', () => {
  const pads = integers(0, 0, 0, 0, 0, 0, 4, 0);
  it.each<[string, string, Case]>([
    [
      'a mode of pads',
      'n: Pad with mode symmetric has no mapping',
      { op: 'Pad', inputs: ['x', pads], attributes: { mode: text('symmetric') }, opsets: ALL },
    ],
    [
      'mirrors larger than the image',
      'axis 2 of 1×8×4×6 is too short for reflect pads 0, 4',
      { op: 'Pad', inputs: ['x', pads], attributes: { mode: text('reflect') }, opsets: ALL },
    ],
    [
      'crops of everything',
      'axis 2 of 1×8×4×6 is too short for constant pads -4, 0',
      { op: 'Pad', inputs: ['x', integers(0, 0, -4, 0, 0, 0, 0, 0)], opsets: ALL },
    ],
    ['too few pads', 'n: expected 8 pads for 4 axes, got 2', { op: 'Pad', inputs: ['x', integers(1, 1)], opsets: ALL }],
    [
      'indices computed at run time',
      'n: Gather with indices computed at run time has no mapping',
      { op: 'Gather', inputs: ['x', 'whole'], opsets: ALL },
    ],
    [
      'indices beyond the end',
      'n: axis 8 is outside 8 dimensions',
      { op: 'Gather', inputs: ['x', integers(8)], attributes: { axis: int(1) }, opsets: ALL },
    ],
    [
      'a split of other lengths',
      'n: cannot split axis 1 of 1×8×4×6 into 2 of 3,4',
      {
        op: 'Split',
        inputs: ['x', integers(3, 4)],
        attributes: { axis: int(1) },
        opsets: ALL,
        outputs: ['float32', 'float32'],
      },
    ],
    [
      'steps of nothing',
      'n: expected steps other than 0, got 0',
      { op: 'Slice', inputs: ['x', integers(0), integers(9), integers(1), integers(0)], opsets: ALL },
    ],
    [
      'transposed convolutions of rows',
      'n: ConvTranspose of 1×8×24 with weights 8×2×3 has no mapping',
      { op: 'ConvTranspose', inputs: ['r3', weights(8, 2, 3)], opsets: ALL },
    ],
    [
      'transposed weights of other channels',
      'n: weight expects 5 input channels, got 8',
      { op: 'ConvTranspose', inputs: ['x', weights(5, 2, 3, 3)], opsets: ALL },
    ],
    [
      'parts of blocks',
      'n: 1×8×4×6 has no whole blocks of 3×3',
      { op: 'SpaceToDepth', inputs: ['x'], attributes: { blocksize: int(3) }, opsets: ALL },
    ],
    [
      'more than there is',
      'n: expected k from 1 to 6, got 7',
      { op: 'TopK', inputs: ['x', integers(7)], opsets: ALL, outputs: ['float32', 'int64'] },
    ],
    [
      'arithmetic of integers',
      'n: Mul of integers computed at run time has no mapping',
      { op: 'Mul', inputs: ['whole', 'whole'], opsets: ALL },
    ],
    [
      'smooth shrinking',
      'n: Resize with antialias has no mapping',
      {
        op: 'Resize',
        inputs: ['x', '', '', integers(1, 8, 2, 3)],
        attributes: { mode: text('linear'), antialias: int(1) },
        opsets: ALL,
      },
    ],
    [
      'what gives as many as there are',
      'n: NonMaxSuppression has no mapping',
      { op: 'NonMaxSuppression', inputs: ['r3', 'r3'], opsets: ALL },
    ],
  ])('%s', async (_, message, one) => {
    const { device } = await openGpu();
    const bytes = modelOf([one], 13, 1);
    await expect(createNetwork(bytes, { inputShape: [1, 8, 4, 6], device })).rejects.toThrow(message);
  });
});
