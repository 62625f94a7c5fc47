import { ModelError } from '../common/errors.ts';
import type { AttributeProto, FunctionProto, NodeProto } from './onnx-messages.ts';
import { MAX_VALUES } from './protobuf-reader.ts';

/** Calls in calls; exporters nest modules a few deep. */
const MAX_DEPTH = 64;
/** Letters of the names that calls give: a file's own may be long, and calls many. */
const MAX_NAME = 256;

type Call = Pick<NodeProto, 'domain' | 'opType' | 'overload'>;

function keyOf({ domain, opType, overload }: Call): string {
  return JSON.stringify([domain === 'ai.onnx' ? '' : domain, opType, overload]);
}

/** A body's attribute with the value that the call, or the function, gives it; none where neither does. */
function bind(attribute: AttributeProto, given: ReadonlyMap<string, AttributeProto>): AttributeProto[] {
  if (attribute.refAttrName === '') return [attribute];
  const value = given.get(attribute.refAttrName);
  return value ? [{ ...value, name: attribute.name }] : [];
}

/** Puts the nodes of a model's own functions in the place of their calls. */
class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  /** All names that values have. */
  readonly #taken: Set<string>;
  readonly #nodes: NodeProto[] = [];
  #values = 0;

  constructor(functions: readonly FunctionProto[], nodes: readonly NodeProto[], values: readonly string[]) {
    this.#functions = new Map(functions.map((each) => [keyOf({ ...each, opType: each.name }), each]));
    this.#taken = new Set([...values, ...nodes.flatMap(({ input, output }) => [...input, ...output])]);
  }

  inline(nodes: readonly NodeProto[]): NodeProto[] {
    for (const node of nodes) this.#add(node, []);
    return this.#nodes;
  }

  /** @param calls the functions whose bodies the node is in */
  #add(node: NodeProto, calls: readonly FunctionProto[]): void {
    // calls that do nothing count, too
    this.#values += 1 + node.input.length + node.output.length + node.attribute.length;
    if (this.#values > MAX_VALUES) {
      throw new ModelError(
        `model: expected at most ${MAX_VALUES} nodes, names and attributes of called functions, got more`,
      );
    }
    const called = this.#functions.get(keyOf(node));
    if (!called) {
      this.#nodes.push(node);
      return;
    }
    const who = node.name || node.opType;
    if (calls.includes(called) || calls.length >= MAX_DEPTH) {
      throw new ModelError(`${who}: function ${called.name} calls itself, or others too deep`);
    }
    const { input, output } = called;
    if (node.input.length > input.length || node.output.length > output.length) {
      const [expected, got] = [called, node].map(
        (each) => `${each.input.length} inputs and ${each.output.length} outputs`,
      );
      throw new ModelError(`${who}: function ${called.name} expects at most ${expected}, got ${got}`);
    }
    // what the call leaves out is nothing to the body; an output that nobody asked for gets a name
    const names = new Map<string, string>([['', '']]);
    input.forEach((name, i) => {
      names.set(name, node.input[i] ?? '');
    });
    output.forEach((name, i) => {
      if (node.output[i]) names.set(name, node.output[i]);
    });
    const rename = (name: string) => {
      const known = names.get(name) ?? this.#fresh(`${who}/${name}`);
      names.set(name, known);
      return known;
    };
    const given = new Map([...called.attributeProto, ...node.attribute].map((each) => [each.name, each]));
    for (const body of called.node) {
      const bound: NodeProto = {
        ...body,
        name: body.name && `${who}/${body.name}`.slice(-MAX_NAME),
        input: body.input.map(rename),
        output: body.output.map(rename),
        attribute: body.attribute.flatMap((attribute) => bind(attribute, given)),
      };
      this.#add(bound, [...calls, called]);
    }
  }

  #fresh(wanted: string): string {
    let name = wanted.slice(-MAX_NAME);
    while (this.#taken.has(name)) name += '_';
    this.#taken.add(name);
    return name;
  }
}

/**
 * A model's nodes with the bodies of its own functions in the place of their calls.
 * @param values names of the graph's inputs and initializers
 * @throws ModelError for a function of other rules than the model's, one that calls itself, or too much of them
 */
export function inlineFunctions(
  nodes: readonly NodeProto[],
  functions: readonly FunctionProto[],
  { opset, values }: { readonly opset: number; readonly values: readonly string[] },
): readonly NodeProto[] {
  for (const { name, opsetImport } of functions) {
    const other = opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
    if (other && other.version !== opset) {
      throw new ModelError(`function ${name}: expected operator set ${opset}, as the model has, got ${other.version}`);
    }
  }
  return new Inliner(functions, nodes, values).inline(nodes);
}
