import { buildGraph } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/ir.ts';
import type { Model } from '../../src/loader/model.ts';
import { loadModel } from '../../src/loader/onnx.ts';
import { type Dims, type FloatTensor, floatTensor, sizeOf, type Tensor } from '../../src/tensor.ts';
import { buildModel, type ModelSpec, type NodeSpec } from '../support/onnx-builder.ts';
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
export function modelOf(nodes: readonly NodeSpec[], spec: SmallModel = {}): Promise<Model> {
  const { dims: _, ...rest } = spec;
  return loadModel(
    buildModel({
      inputs: [{ name: 'x', dims: ['n', 'c', 'h', 'w'] }],
      outputs: [nodes.at(-1)!.outputs[0]!],
      ...rest,
      nodes,
    }),
  );
}

/** The graph of `modelOf` for one input of `dims`, by default 1×4×8×8. */
export async function graphOf(nodes: readonly NodeSpec[], spec: SmallModel = {}): Promise<Graph> {
  return buildGraph(await modelOf(nodes, spec), spec.dims ?? [1, 4, 8, 8]);
}

/** Random weights of this shape, the same each time. */
export function weights(...dims: number[]): FloatTensor {
  return floatTensor(dims, createRng(sizeOf(dims)).floats(sizeOf(dims)));
}
