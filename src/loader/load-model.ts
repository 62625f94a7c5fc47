import { ModelError } from '../common/errors.ts';
import { loadPart } from '../common/load-part.ts';
import type { Tensor } from '../common/tensor.ts';
import { Attributes, type AttributeValue } from './attributes.ts';
import { nameElementType } from './element-type.ts';
import { type ExternalFiles, type ReadExternal, readExternalFiles } from './external-data.ts';
import { recogniseFile } from './file-signatures.ts';
import type { Model, ModelNode, ModelValue } from './model.ts';
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  modelProto,
  type NodeProto,
  type ValueInfoProto,
} from './onnx-messages.ts';
import { EndsEarlyError, MAX_VALUES, TooManyValuesError } from './protobuf-reader.ts';
import { readTensor } from './read-tensor.ts';

/** Operator sets whose rules the graph compiler knows. */
const MIN_OPSET = 7;
const MAX_OPSET = 21;
/** A hundred times as many as the largest published detectors have. */
const MAX_NODES = 65_536;

/** What a file that is not ONNX looks like, as the end of a sentence. */
function guessContent(bytes: Uint8Array, cause?: unknown): string {
  const lookalike = recogniseFile(bytes);
  if (lookalike) return `it looks like ${lookalike}`;
  if (cause instanceof EndsEarlyError) return 'it ends too early: truncated or damaged';
  return 'it is damaged, truncated or of another format';
}

function decode(bytes: Uint8Array): { proto: ModelProto; graph: GraphProto } {
  if (bytes.byteLength === 0) throw new ModelError('model: expected an ONNX file, got an empty one');
  let proto: ModelProto;
  try {
    proto = modelProto.decode(bytes);
  } catch (cause) {
    if (cause instanceof TooManyValuesError) {
      throw new ModelError(
        `model: expected at most ${MAX_VALUES} nodes, attributes, names and numbers in all, got more`,
        { cause },
      );
    }
    const guess = guessContent(bytes, cause);
    throw new ModelError(`model: not a readable ONNX file of ${bytes.byteLength} bytes: ${guess}`, { cause });
  }
  // protobuf takes almost any bytes: without a graph nothing was understood
  if (!proto.graph || proto.graph.node.length === 0) {
    throw new ModelError(`model: no graph in ${bytes.byteLength} bytes: ${guessContent(bytes)}`);
  }
  return { proto, graph: proto.graph };
}

function readOpset(proto: ModelProto): number {
  const entry = proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  if (!entry) throw new ModelError('model: expected an operator set version, got none: the file is truncated');
  const { version: opset } = entry;
  if (opset < MIN_OPSET || opset > MAX_OPSET) {
    throw new ModelError(`model: expected operator set ${MIN_OPSET} to ${MAX_OPSET}, got ${opset}`);
  }
  return opset;
}

function readValue(proto: ValueInfoProto): ModelValue {
  const tensor = proto.type?.tensorType;
  const dims = tensor?.shape?.dim.map((dim) => {
    if (dim.dimParam) return dim.dimParam;
    // an unset dimension reads as 0, which no image has
    return dim.dimValue > 0 ? dim.dimValue : null;
  });
  return { name: proto.name, type: nameElementType(tensor?.elemType ?? 0), dims: dims ?? null };
}

const TEXT = new TextDecoder();

function readAttribute(node: string, proto: AttributeProto, files: ExternalFiles): AttributeValue {
  if (proto.refAttrName) return { kind: 'other', value: 'a reference to a function attribute' };
  switch (proto.type) {
    case 1:
      return { kind: 'float', value: proto.f };
    case 2:
      return { kind: 'int', value: proto.i };
    case 3:
      return { kind: 'string', value: TEXT.decode(proto.s) };
    case 4:
      if (!proto.t) throw new ModelError(`${node}: attribute ${proto.name} expects a tensor, got none`);
      return { kind: 'tensor', value: readTensor(`${node}: attribute ${proto.name}`, proto.t, files) };
    case 6:
      return { kind: 'floats', value: proto.floats };
    case 7:
      return { kind: 'ints', value: proto.ints };
    case 8:
      return { kind: 'strings', value: proto.strings.map((bytes) => TEXT.decode(bytes)) };
    case 5:
    case 10:
      return { kind: 'other', value: 'a subgraph' };
    default:
      return { kind: 'other', value: `a value of attribute type ${proto.type}` };
  }
}

/** The file's name, made unique where it is missing or given twice; `given` names are kept for their own nodes. */
function nameNode(proto: NodeProto, index: number, taken: Set<string>, given: ReadonlySet<string>): string {
  let name = proto.name;
  if (name === '' || taken.has(name)) {
    name = `${proto.opType}_${index}`;
    while (taken.has(name) || given.has(name)) name += '_';
  }
  taken.add(name);
  return name;
}

function readNodes(nodes: readonly NodeProto[], files: ExternalFiles): ModelNode[] {
  const taken = new Set<string>();
  const given = new Set(nodes.map(({ name }) => name));
  return nodes.map((proto, index) => {
    const name = nameNode(proto, index, taken, given);
    const standard = proto.domain === '' || proto.domain === 'ai.onnx';
    const op = standard ? proto.opType : `${proto.domain}::${proto.opType}`;
    const values = new Map<string, AttributeValue>();
    for (const entry of proto.attribute) {
      if (values.has(entry.name)) throw new ModelError(`${name}: attribute ${entry.name} is given twice`);
      values.set(entry.name, readAttribute(name, entry, files));
    }
    return { name, op, inputs: proto.input, outputs: proto.output, attributes: new Attributes(name, op, values) };
  });
}

/** Every value is defined once, before it is read; what breaks this is a damaged file. */
function checkValues(model: Model): void {
  const defined = new Set<string>();
  const define = (who: string, name: string) => {
    if (name === '') return;
    if (defined.has(name)) throw new ModelError(`${who}: value "${name}" is defined twice`);
    defined.add(name);
  };
  for (const name of model.initializers.keys()) define('initializers', name);
  for (const input of model.inputs) define('inputs', input.name);
  for (const node of model.nodes) {
    const missing = node.inputs.find((name) => name !== '' && !defined.has(name));
    if (missing !== undefined) {
      throw new ModelError(`${node.name}: ${node.op} reads "${missing}", which nothing before it defines`);
    }
    for (const name of node.outputs) define(node.name, name);
  }
  if (model.outputs.length === 0) throw new ModelError('model: expected outputs, got none: the file is truncated');
  for (const output of model.outputs) {
    if (!defined.has(output.name)) throw new ModelError(`output "${output.name}" is not computed by any node`);
  }
}

/** The graph's nodes, with those of the file's own functions in the place of their calls. */
async function nodesOf({ functions }: ModelProto, graph: GraphProto, opset: number): Promise<readonly NodeProto[]> {
  if (functions.length === 0) return graph.node;
  // pages load what few files need when it is needed
  const { inlineFunctions } = await loadPart(() => import('./inline-functions.ts'));
  const values = [...graph.initializer, ...graph.input].map(({ name }) => name);
  return inlineFunctions(graph.node, functions, { opset, values });
}

export interface LoadOptions {
  /** Reads a file beside the model: needed when its weights are stored outside of it. */
  readonly readExternal?: ReadExternal;
}

/**
 * ONNX bytes → model. Weights are copied; `bytes` may be reused afterwards.
 * @throws ModelError when the bytes are not a sound ONNX model of operator set 7 to 21
 */
export async function loadModel(bytes: Uint8Array | ArrayBuffer, options: LoadOptions = {}): Promise<Model> {
  const { proto, graph } = decode(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  const opset = readOpset(proto);
  const sparse = graph.sparseInitializer[0];
  if (sparse) throw new ModelError(`initializer "${sparse.values?.name ?? ''}" is sparse, which has no mapping`);
  const nodes = await nodesOf(proto, graph, opset);
  if (nodes.length > MAX_NODES) throw new ModelError(`model: expected at most ${MAX_NODES} nodes, got ${nodes.length}`);
  const attributeTensors = nodes.flatMap(({ attribute }) => attribute.flatMap(({ t }) => (t ? [t] : [])));
  const files = await readExternalFiles([...graph.initializer, ...attributeTensors], options.readExternal);

  const initializers = new Map<string, Tensor>();
  for (const entry of graph.initializer) {
    if (entry.name === '') throw new ModelError('model: expected every initializer to have a name, got one without');
    if (initializers.has(entry.name)) throw new ModelError(`initializer "${entry.name}" is defined twice`);
    initializers.set(entry.name, readTensor(`initializer "${entry.name}"`, entry, files));
  }
  const model: Model = {
    producer: [proto.producerName, proto.producerVersion].filter((part) => part !== '').join(' '),
    irVersion: proto.irVersion,
    opset,
    inputs: graph.input.filter((input) => !initializers.has(input.name)).map(readValue),
    outputs: graph.output.map(readValue),
    nodes: readNodes(nodes, files),
    initializers,
  };
  checkValues(model);
  return model;
}
