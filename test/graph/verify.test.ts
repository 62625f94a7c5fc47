import { describe, expect, it } from 'vitest';
import { type Dims, floatTensor } from '../../src/common/tensor.ts';
import type { Graph } from '../../src/graph/ir.ts';
import type { ConvNode } from '../../src/graph/operators/conv.ts';
import type { Node } from '../../src/graph/operators/index.ts';
import { verify } from '../../src/graph/verify.ts';
import { weights } from './models.ts';

const relu = (input: string, output: string): Node => ({
  op: 'Unary',
  name: `relu ${output}`,
  inputs: [input],
  output,
  activation: { kind: 'relu' },
});

const conv: ConvNode = {
  op: 'Conv',
  name: 'conv',
  inputs: ['x'],
  output: 'c',
  weight: 'w',
  bias: null,
  kernel: [1, 1],
  strides: [1, 1],
  dilations: [1, 1],
  pads: [0, 0, 0, 0],
  group: 1,
  residualUpsample: 0,
  activation: { kind: 'none' },
};

/** x → Conv → c → Relu → y, with changes. */
function graph(changes: Partial<Graph> & { readonly shapes?: Readonly<Record<string, Dims>> } = {}): Graph {
  const { shapes, ...rest } = changes;
  const image = [1, 2, 4, 4];
  const dims = { x: image, w: [2, 2, 1, 1], c: image, y: image, ...shapes };
  return {
    input: 'x',
    outputs: ['y'],
    nodes: [conv, relu('c', 'y')],
    dims: new Map(Object.entries(dims)),
    constants: new Map([['w', weights(2, 2, 1, 1)]]),
    ...rest,
  };
}

describe('verify', () => {
  it('returns a sound graph', () => {
    const sound = graph();
    expect(verify(sound, 'a pass')).toBe(sound);
    const residual = { ...conv, inputs: ['c', 'x'], output: 'y', residualUpsample: 1 };
    expect(() => verify(graph({ nodes: [conv, residual] }), 'a pass')).not.toThrow();
  });

  const residual = (inputs: readonly string[], residualUpsample: number, shapes: Readonly<Record<string, Dims>> = {}) =>
    graph({ nodes: [relu('x', 'c'), { ...conv, inputs, output: 'y', residualUpsample }], shapes });

  it.each<[string, Graph, string]>([
    [
      'a value used before its definition',
      graph({ nodes: [relu('c', 'y'), conv] }),
      'relu y reads "c" before it is defined',
    ],
    ['a value without a definition', graph({ nodes: [relu('c', 'y')] }), 'relu y reads "c" before it is defined'],
    ['a value defined twice', graph({ nodes: [conv, relu('x', 'c'), relu('c', 'y')] }), 'relu c defines "c" again'],
    ['a node that defines the input', graph({ nodes: [relu('x', 'x')] }), 'relu x defines "x" again'],
    ['a node that defines a constant', graph({ nodes: [relu('x', 'w')] }), 'relu w defines "w" again'],
    ['a wrong shape', graph({ shapes: { c: [1, 2, 4, 5] } }), 'conv: "c" is recorded as 1×2×4×5, implied 1×2×4×4'],
    [
      'a shape of another rank',
      graph({ shapes: { y: [1, 2, 16] } }),
      'relu y: "y" is recorded as 1×2×16, implied 1×2×4×4',
    ],
    ['a constant of two shapes', graph({ shapes: { w: [2, 2] } }), 'constant "w" has two shapes'],
    [
      'a constant input',
      graph({
        constants: new Map([
          ['x', floatTensor([1, 2, 4, 4], [])],
          ['w', weights(2, 2, 1, 1)],
        ]),
      }),
      'input "x" is a constant',
    ],
    [
      'weights that are no constant',
      graph({ nodes: [relu('x', 'c'), { ...conv, weight: 'c', output: 'y' }] }),
      'conv: "c" is not a constant',
    ],
    ['a missing weight', graph({ constants: new Map() }), 'conv reads "w" before it is defined'],
    ['a missing output', graph({ outputs: ['y', 'z'] }), 'output "z" is not computed'],
    ['a residual of another shape', residual(['x', 'c'], 2), 'conv: residual expects 1×2×2×2, got 1×2×4×4'],
    ['a missing residual', residual(['x'], 1), 'conv: residual expects 1×2×4×4, got nothing'],
    [
      'a residual that does not divide',
      residual(['x', 'c'], 3),
      'conv: residual expects 1×2×1.3333333333333333×1.3333333333333333, got 1×2×4×4',
    ],
  ])('catches %s', (_, broken, message) => {
    expect(() => verify(broken, 'a pass')).toThrow(new Error(`graph is broken after a pass: ${message}`));
  });

  it('catches a node whose inputs do not fit it, and a value without a shape', () => {
    expect(() =>
      verify(graph({ shapes: { w: [2, 3, 1, 1] }, constants: new Map([['w', weights(2, 3, 1, 1)]]) }), 'a pass'),
    ).toThrow('conv: weight expects 3 input channels, got 2');
    const sound = graph();
    const dims = new Map([...sound.dims].filter(([name]) => name !== 'y'));
    expect(() => verify({ ...sound, dims }, 'a pass')).toThrow('value "y" has no shape');
  });
});
