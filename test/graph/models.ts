import { type Dims, type FloatTensor, floatTensor, intTensor, sizeOf, type Tensor } from '../../src/common/tensor.ts';
import { buildGraph } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/ir.ts';
import { loadOperators } from '../../src/graph/load-operators.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import type { Model } from '../../src/loader/model.ts';
import { publishedLayout } from '../kernels/support/heads.ts';
import { buildModel, ints, type ModelSpec, type NodeSpec, text } from '../support/onnx-builder.ts';
import type { ReferenceLayout } from '../support/reference-scrfd.ts';
import { createRng } from '../support/rng.ts';

/** A node as printGraph writes it: `y = Conv(x, w, b)`; an empty place is an omitted input. */
export function node(text: string, attributes: NodeSpec['attributes'] = {}): NodeSpec {
  const match = /^(.+) = ([\w.:]+)\((.*)\)$/.exec(text);
  if (!match) throw new Error(`expected "y = Op(x)", got "${text}"`);
  const list = (names: string) => (names === '' ? [] : names.split(',').map((name) => name.trim()));
  return { op: match[2]!, inputs: list(match[3]!), outputs: list(match[1]!), attributes };
}

export interface SmallModel extends Partial<Omit<ModelSpec, 'nodes' | 'initializers'>> {
  /** Shape that the graph is built for. */
  readonly dims?: Dims;
  readonly initializers?: Readonly<Record<string, Tensor>>;
}

/** A model of one float input `x` whose last node's value is the output, unless told otherwise. */
export async function modelOf(nodes: readonly NodeSpec[], spec: SmallModel = {}): Promise<Model> {
  const { dims: _, ...rest } = spec;
  const model = await loadModel(
    buildModel({
      inputs: [{ name: 'x', dims: ['n', 'c', 'h', 'w'] }],
      outputs: [nodes.at(-1)!.outputs[0]!],
      ...rest,
      nodes,
    }),
  );
  await loadOperators(model);
  return model;
}

/** The graph of `modelOf` for one input of `dims`, by default 1×4×8×8. */
export async function graphOf(nodes: readonly NodeSpec[], spec: SmallModel = {}): Promise<Graph> {
  return buildGraph(await modelOf(nodes, spec), spec.dims ?? [1, 4, 8, 8]);
}

/** Random weights of this shape, the same each time. */
export function weights(...dims: number[]): FloatTensor {
  return floatTensor(dims, createRng(sizeOf(dims)).floats(sizeOf(dims)));
}

export interface ScrfdOptions {
  /** Number of outputs: 3 levels of 2 anchors or 5 of 1; with or without keypoints. */
  readonly outputs?: 6 | 9 | 10 | 15;
  /** `rows`: [n,N,C]; `interleaved`: [N,C], the batch innermost; `maps`: [n,A·C,h,w]. */
  readonly layout?: 'rows' | 'interleaved' | 'maps';
  /** Other heads than those that the number of outputs says. Strides double, from 8 on. */
  readonly heads?: Partial<ReferenceLayout>;
}

/** A tiny network with SCRFD's ends: strides from 8 on, a top-down step, heads of scores, boxes and keypoints. */
export function scrfdSpec({ outputs = 9, layout = 'rows', heads }: ScrfdOptions = {}): ModelSpec {
  const levels = outputs % 3 === 0 && outputs !== 15 ? 3 : 5;
  const published = publishedLayout(levels, outputs / levels === 3 ? 5 : 0);
  const { strides, anchors, points } = { ...published, ...heads };
  const values = { score: 1, box: 4, kps: 2 * points } as const;
  const kinds = (['score', 'box', 'kps'] as const).slice(0, points > 0 ? 3 : 2);
  const nodes: NodeSpec[] = [];
  const initializers: Record<string, Tensor> = { one: weights(6, 6, 1, 1), zoom: floatTensor([4], [1, 1, 2, 2]) };
  strides.forEach((stride, i) => {
    initializers[`w${stride}`] = weights(6, i === 0 ? 3 : 6, 2, 2);
    const step = i === 0 ? 8 : 2;
    nodes.push(
      node(`c${stride} = Conv(${i === 0 ? 'x' : `r${stride / 2}`}, w${stride})`, { strides: ints([step, step]) }),
    );
    nodes.push(node(`r${stride} = Relu(c${stride})`));
  });
  nodes.push(
    node('lateral = Conv(r8, one)'),
    node('up = Resize(r16, , zoom)', {
      mode: text('nearest'),
      coordinate_transformation_mode: text('asymmetric'),
      nearest_mode: text('floor'),
    }),
    node('p8 = Add(lateral, up)'),
  );
  for (const stride of strides) {
    for (const kind of kinds) {
      const columns = values[kind];
      const name = `${kind}_${stride}`;
      initializers[`${name}_w`] = weights(anchors * columns, 6, 1, 1);
      initializers[`${name}_s`] = floatTensor([], [1 + stride / 100]);
      initializers[`${kind}_rows`] = intTensor(
        [layout === 'rows' ? 3 : 2],
        layout === 'rows' ? [0, -1, columns] : [-1, columns],
      );
      let value = '';
      const steps = [`Conv(${stride === 8 ? 'p8' : `r${stride}`}, ${name}_w)`];
      if (kind === 'box') steps.push(`Mul(#, ${name}_s)`);
      if (layout !== 'maps') steps.push('Transpose(#)', `Reshape(#, ${kind}_rows)`);
      if (kind === 'score') steps.push('Sigmoid(#)');
      steps.forEach((step, i) => {
        const output = i === steps.length - 1 ? name : `${name}_${i}`;
        const perm = ints(layout === 'rows' ? [0, 2, 3, 1] : [2, 3, 0, 1]);
        nodes.push(node(`${output} = ${step.replace('#', value)}`, step.startsWith('Transpose') ? { perm } : {}));
        value = output;
      });
    }
  }
  return {
    inputs: [{ name: 'x', dims: ['n', 3, null, null] }],
    outputs: kinds.flatMap((kind) => strides.map((stride) => `${kind}_${stride}`)),
    nodes,
    initializers,
  };
}

export function scrfdModel(options: ScrfdOptions = {}): Promise<Model> {
  return loadModel(buildModel(scrfdSpec(options)));
}
