import { sizeOf } from '../common/tensor.ts';
import type { Model } from '../loader/model.ts';
import { buildGraph, type InputDims } from './build.ts';
import { dimsOf } from './ir.ts';
import { optimize } from './passes/index.ts';
import type { Plan } from './plan.ts';

/** Multiply-accumulates of all convolutions and products of matrices, and learned parameters of a model, at one input size. */
export function countWork(model: Model, inputDims: InputDims): { readonly macs: number; readonly parameters: number } {
  const graph = optimize(buildGraph(model, inputDims), true);
  const macs = graph.nodes.reduce((sum, node) => {
    if (node.op === 'MatMul') {
      const a = dimsOf(graph, node.inputs[0]!);
      return sum + sizeOf(dimsOf(graph, node.output)) * a.at(node.transA ? -2 : -1)!;
    }
    if (node.op !== 'Conv') return sum;
    const [, perGroup, kh, kw] = dimsOf(graph, node.weight) as [number, number, number, number];
    return sum + sizeOf(dimsOf(graph, node.output)) * perGroup * kh * kw;
  }, 0);
  const parameters = [...graph.constants.values()].reduce((sum, constant) => sum + constant.data.length, 0);
  return { macs, parameters };
}

/** Bytes of all activations and of all constants. */
export function planMemory(plan: Plan): { readonly activations: number; readonly constants: number } {
  const constants = [...plan.constants.values()].reduce((sum, data) => sum + data.byteLength, 0);
  return { activations: plan.buffers.reduce((sum, bytes) => sum + bytes, 0), constants };
}
