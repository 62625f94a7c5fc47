import type { Model } from '../loader/model.ts';
import { assertBatch, isForeignBatch } from './assert-batch.ts';
import { buildGraph, type InputDims } from './build.ts';
import { dimsOf, inputsOf } from './ir.ts';
import { Lowering, type LoweringOptions } from './lower.ts';
import { optimize } from './passes/index.ts';
import type { NetworkPlan } from './plan.ts';
import type { Target } from './target.ts';

export interface CompileOptions extends LoweringOptions {
  /** Merge nodes into fewer kernels; on unless a test or a debugger asks otherwise. */
  readonly fuse?: boolean;
  /** Let values share buffers; on unless a test or a debugger asks otherwise. */
  readonly reuse?: boolean;
  /** Further values to keep as outputs. */
  readonly tap?: readonly string[];
}

/**
 * Whole ONNX graph, row-major inputs in, its own outputs out.
 * @throws ModelError, ShapeError where a file that bakes another batch would mix the images of this one
 */
export function compileNetwork(
  model: Model,
  inputDims: InputDims,
  target: Target,
  { fuse = true, reuse = true, tap = [], ...options }: CompileOptions = {},
): NetworkPlan {
  const built = buildGraph(model, inputDims, tap);
  if (isForeignBatch(model, built)) assertBatch(model, built);
  const optimized = optimize(built, fuse);
  const graph = fuse ? target.fuseLaunches(optimized, target) : optimized;
  const lowering = new Lowering(graph, target, options);
  const inputs = inputsOf(graph).map((name) => ({ name, value: lowering.define(name, 'plain') }));
  lowering.lowerNodes();
  const outputs = graph.outputs.map((name) => ({ name, value: lowering.readValue(name, 'plain') }));
  const valuesOf = (all: typeof inputs) => all.map(({ value }) => value);
  const { bufferOf, ...lowered } = lowering.finish(reuse, valuesOf(inputs), valuesOf(outputs));
  const place = ({ name, value }: (typeof inputs)[number]) => ({
    name,
    dims: dimsOf(graph, name),
    buffer: bufferOf(value),
  });
  return {
    ...lowered,
    cleared: [],
    inputs: inputs.map(place),
    outputs: outputs.map(place),
  };
}
