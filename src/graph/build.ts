import { ModelError } from '../common/errors.ts';
import { type Dims, type FloatTensor, formatDims, intTensor, sizeOf, type Tensor } from '../common/tensor.ts';
import type { Model, ModelNode, ModelValue } from '../loader/model.ts';
import { FoldingBudget, foldConstants } from './fold-constants.ts';
import type { Graph } from './ir.ts';
import { givesIntegers, inferDims, type Node, translatorOf } from './operators/index.ts';
import { unsupported } from './operators/onnx.ts';
import type { Draft, TranslateContext } from './operators/operator.ts';
import { checkValue } from './shapes.ts';

/** A shape of the model's one input, or of each by its name. */
export type InputDims = Dims | Readonly<Record<string, Dims>>;

export function isOneShape(dims: InputDims): dims is Dims {
  return Array.isArray(dims);
}

/** Shapes of the model's inputs, in the file's order. @throws ModelError */
function readInputs(model: Model, given: InputDims): ReadonlyMap<string, Dims> {
  const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ') || 'none';
  const names = model.inputs.map(({ name }) => name);
  if (names.length === 0 || (isOneShape(given) && names.length > 1)) {
    throw new ModelError(`model: expected one input, got ${quoted(names)}`);
  }
  const named = isOneShape(given) ? { [names[0]!]: given } : given;
  if (Object.keys(named).sort().join() !== [...names].sort().join()) {
    throw new ModelError(`model: expected shapes of ${quoted(names)}, got ${quoted(Object.keys(named))}`);
  }
  // the batch size of a single input may differ: files that bake 1 are compiled for any
  const first = names.length === 1 ? 1 : 0;
  return new Map(model.inputs.map((input) => [input.name, checkInput(input, named[input.name]!, first)]));
}

/** @returns `dims`, which are as the file fixes them from the `first` one on */
function checkInput({ name, type, dims: declared }: ModelValue, dims: Dims, first: number): Dims {
  if (!/^(float|bfloat)\d+$/.test(type)) throw new ModelError(`input "${name}": expected floats, got ${type}`);
  const fixed = declared?.some((dim, i) => i >= first && typeof dim === 'number' && dim > 0 && dim !== dims[i]);
  if (fixed || (declared && declared.length !== dims.length)) {
    const shown = declared?.map((dim) => (dim === null || dim === 0 ? '?' : dim)).join('×') || formatDims([]);
    throw new ModelError(`input "${name}" is fixed at ${shown} in the file, got ${formatDims(dims)}`);
  }
  return checkValue(`input "${name}"`, dims);
}

function firstInput(node: ModelNode): string {
  const [input] = node.inputs;
  if (!input) throw new ModelError(`${node.name}: ${node.op} expects an input, got none`);
  return input;
}

/** Translates one run-time ONNX node, output by output. */
function translate(node: ModelNode, context: TranslateContext): readonly Draft[] {
  const translator = translatorOf(node.op) ?? unsupported(node, 'has no mapping');
  const drafts = translator(node, context);
  return 'op' in drafts ? [drafts] : drafts;
}

/** Nodes that give the numbers that they get, integers or not. */
const MOVING: readonly Node['op'][] = ['Cast', 'Concat', 'Gather', 'Pad', 'Reshape', 'Slice', 'Transpose'];

/** Whether a node's output holds integers, as floats. @throws UnsupportedOpError where ONNX's arithmetic of them would be another */
function isIntegral(node: ModelNode, built: Node, integers: ReadonlySet<string>): boolean {
  const gets = built.inputs.some((name) => integers.has(name));
  if (gets && !MOVING.includes(built.op)) unsupported(node, 'of integers computed at run time has no mapping');
  return givesIntegers(built) || (gets && node.op !== 'Cast');
}

/**
 * ONNX model → graph for one shape of its input, or of each: shape arithmetic folded, every shape concrete.
 * `extraOutputs` names further values to keep as outputs.
 * @throws ModelError, UnsupportedOpError naming the node
 */
export function buildGraph(model: Model, inputDims: InputDims, extraOutputs: readonly string[] = []): Graph {
  const inputs = readInputs(model, inputDims);
  const [input, ...moreInputs] = [...inputs.keys()] as [string, ...string[]];
  const dims = new Map<string, Dims>(inputs);
  const known = new Map<string, Tensor>(model.initializers);
  let elements = 0;
  for (const [name, tensor] of known) {
    dims.set(name, tensor.dims);
    elements += sizeOf(tensor.dims);
  }
  const budget = new FoldingBudget(elements);
  const nodes: Node[] = [];
  const integers = new Set<string>();
  let spreadBatch = false;

  const context: TranslateContext = {
    opset: model.opset,
    batch: batchToSpread(model, inputs),
    dims(value) {
      const found = dims.get(value);
      if (!found) throw new ModelError(`value "${value}" is read before any node defines it`);
      return found;
    },
    constant: (value) => known.get(value),
    spreadBatch() {
      spreadBatch = true;
    },
    spend: (node, made) => budget.take(node, made),
  };

  for (const node of model.nodes) {
    if (node.outputs.every((name) => name === '')) throw new ModelError(`${node.name}: expected an output, got none`);
    for (const name of node.inputs) if (name !== '') context.dims(name);
    const folded = foldNode(node, context, budget);
    const drafts = folded ? [] : translate(node, context);
    node.outputs.forEach((output, i) => {
      const [tensor, draft] = [folded?.[i], drafts[i]];
      if (output === '') return;
      if (tensor) {
        known.set(output, tensor);
        dims.set(output, checkValue(node.name, tensor.dims));
      } else if (draft) {
        const built = { inputs: [firstInput(node)], ...draft, name: node.name, output } as Node;
        for (const name of built.inputs) {
          if (known.get(name)?.type === 'int64') unsupported(node, `with integer input "${name}" has no mapping`);
        }
        if (built.inputs.every((name) => known.has(name))) unsupported(node, 'of constants alone has no mapping');
        if (isIntegral(node, built, integers)) integers.add(output);
        dims.set(output, checkValue(node.name, inferDims(built, context.dims)));
        nodes.push(built);
      }
    });
    node.attributes.assertAllRead();
  }

  const outputs = [...model.outputs.map((value) => value.name), ...extraOutputs];
  for (const name of outputs) {
    if (known.has(name)) throw new ModelError(`output "${name}" is constant: it does not depend on the image`);
    if (!dims.has(name)) throw new ModelError(`output "${name}" is not computed by any node`);
  }
  const constants = floatConstants(known);
  return { input, moreInputs, outputs: [...new Set(outputs)], nodes, dims, constants, spreadBatch };
}

/** Images that shapes baked for one image are spread over: of files of one image input. */
function batchToSpread(model: Model, inputs: ReadonlyMap<string, Dims>): number {
  const [{ name, dims: declared }, ...more] = model.inputs as [ModelValue, ...ModelValue[]];
  const [batch = 1] = inputs.get(name)!;
  return more.length > 0 || declared?.[0] === batch ? 1 : batch;
}

function foldNode(node: ModelNode, context: TranslateContext, budget: FoldingBudget): readonly Tensor[] | null {
  if (node.op === 'Shape') {
    const shape = context.dims(firstInput(node));
    const start = node.attributes.int('start', 0);
    const end = node.attributes.int('end', shape.length);
    const part = shape.slice(start, end);
    return [intTensor([part.length], part)];
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
