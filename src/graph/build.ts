import { ModelError } from '../common/errors.ts';
import { type Dims, type FloatTensor, formatDims, intTensor, sizeOf, type Tensor } from '../common/tensor.ts';
import type { Model, ModelNode } from '../loader/model.ts';
import { FoldingBudget, foldConstants } from './fold-constants.ts';
import type { Graph } from './ir.ts';
import { inferDims, type Node, translatorOf } from './operators/index.ts';
import { unsupported } from './operators/onnx.ts';
import type { Draft, TranslateContext } from './operators/operator.ts';
import { checkValue } from './shapes.ts';

/** The model's one image input, checked against the wanted shape. */
function readInput(model: Model, inputDims: Dims): string {
  const [input, ...more] = model.inputs;
  if (!input || more.length > 0) {
    const names = model.inputs.map((value) => `"${value.name}"`).join(', ') || 'none';
    throw new ModelError(`model: expected one input, got ${names}`);
  }
  if (!/^(float|double|bfloat)/.test(input.type)) {
    throw new ModelError(`input "${input.name}": expected floats, got ${input.type}`);
  }
  // the batch size may differ: files that bake 1 are compiled for any
  const fixed = input.dims?.some((dim, i) => i > 0 && typeof dim === 'number' && dim > 0 && dim !== inputDims[i]);
  if (fixed || (input.dims && input.dims.length !== inputDims.length)) {
    const declared = input.dims?.map((dim) => (dim === null || dim === 0 ? '?' : dim)).join('×');
    throw new ModelError(`input "${input.name}" is fixed at ${declared} in the file, got ${formatDims(inputDims)}`);
  }
  checkValue(`input "${input.name}"`, inputDims);
  return input.name;
}

function firstInput(node: ModelNode): string {
  const [input] = node.inputs;
  if (!input) throw new ModelError(`${node.name}: ${node.op} expects an input, got none`);
  return input;
}

/** Translates one run-time ONNX node. */
function translate(node: ModelNode, context: TranslateContext): Draft {
  const translator = translatorOf(node.op) ?? unsupported(node, 'has no mapping');
  return translator(node, context);
}

/**
 * ONNX model → graph for one input shape `[n, c, h, w]`: shape arithmetic folded, every shape concrete.
 * `extraOutputs` names further values to keep as outputs.
 * @throws ModelError, UnsupportedOpError naming the node
 */
export function buildGraph(model: Model, inputDims: Dims, extraOutputs: readonly string[] = []): Graph {
  const input = readInput(model, inputDims);
  const dims = new Map<string, Dims>([[input, inputDims]]);
  const known = new Map<string, Tensor>(model.initializers);
  let elements = 0;
  for (const [name, tensor] of known) {
    dims.set(name, tensor.dims);
    elements += sizeOf(tensor.dims);
  }
  const budget = new FoldingBudget(elements);
  const nodes: Node[] = [];
  let spreadBatch = false;

  const context: TranslateContext = {
    opset: model.opset,
    batch: model.inputs[0]!.dims?.[0] === inputDims[0] ? 1 : (inputDims[0] ?? 1),
    dims(value) {
      const found = dims.get(value);
      if (!found) throw new ModelError(`value "${value}" is read before any node defines it`);
      return found;
    },
    constant: (value) => known.get(value),
    spreadBatch() {
      spreadBatch = true;
    },
  };

  for (const node of model.nodes) {
    const output = node.outputs[0];
    if (!output) throw new ModelError(`${node.name}: expected an output, got none`);
    for (const name of node.inputs) if (name !== '') context.dims(name);
    const folded = foldNode(node, context, budget);
    if (folded) {
      known.set(output, folded);
      dims.set(output, checkValue(node.name, folded.dims));
    } else {
      const built = { inputs: [firstInput(node)], ...translate(node, context), name: node.name, output } as Node;
      for (const name of built.inputs) {
        if (known.get(name)?.type === 'int64') unsupported(node, `with integer input "${name}" has no mapping`);
      }
      if (built.inputs.every((name) => known.has(name))) unsupported(node, 'of constants alone has no mapping');
      dims.set(output, checkValue(node.name, inferDims(built, context.dims)));
      nodes.push(built);
    }
    node.attributes.assertAllRead();
  }

  const outputs = [...model.outputs.map((value) => value.name), ...extraOutputs];
  for (const name of outputs) {
    if (known.has(name)) throw new ModelError(`output "${name}" is constant: it does not depend on the image`);
    if (!dims.has(name)) throw new ModelError(`output "${name}" is not computed by any node`);
  }
  return { input, outputs: [...new Set(outputs)], nodes, dims, constants: floatConstants(known), spreadBatch };
}

function foldNode(node: ModelNode, context: TranslateContext, budget: FoldingBudget): Tensor | null {
  if (node.op === 'Shape') {
    const shape = context.dims(firstInput(node));
    const start = node.attributes.int('start', 0);
    const end = node.attributes.int('end', shape.length);
    const part = shape.slice(start, end);
    return intTensor([part.length], part);
  }
  const inputs = node.inputs.map((name) => (name === '' ? undefined : context.constant(name)));
  if (node.inputs.some((name, i) => name !== '' && !inputs[i])) return null;
  return foldConstants(node, inputs, budget);
}

function floatConstants(known: ReadonlyMap<string, Tensor>): Map<string, FloatTensor> {
  const constants = new Map<string, FloatTensor>();
  for (const [name, tensor] of known) {
    // shape arithmetic has done its work by now
    if (tensor.type === 'float32') constants.set(name, tensor);
  }
  return constants;
}
