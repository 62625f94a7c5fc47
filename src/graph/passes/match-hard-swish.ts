import type { Graph } from '../ir.ts';
import type { BinaryNode } from '../operators/binary.ts';
import type { Node } from '../operators/index.ts';
import { type Absorbed, absorb, type SoleProducer } from './absorb.ts';

const SIXTH = Math.fround(1 / 6);

/** What a node computes from this constant and another value, which it leaves in shape; undefined for other nodes. */
function operandOf(graph: Graph, node: Node | undefined, operation: BinaryNode['operation'], constant: number) {
  if (node?.op !== 'Binary' || node.operation !== operation) return undefined;
  const isConstant = (name: string) => {
    const found = graph.constants.get(name);
    return (
      found?.data.length === 1 && found.dims.length <= graph.dims.get(node.output)!.length && found.data[0] === constant
    );
  };
  const [a, b] = node.inputs as [string, string];
  if (isConstant(b)) return a;
  return isConstant(a) && operation !== 'div' ? b : undefined;
}

/** What is divided by six. */
function sixfold(graph: Graph, node: Node | undefined): string | undefined {
  return operandOf(graph, node, 'div', 6) ?? operandOf(graph, node, 'mul', SIXTH);
}

/** x + 3 between 0 and 6: x, and the nodes that compute it. */
function gateOf(graph: Graph, value: string, soleProducer: SoleProducer) {
  const clip = soleProducer(value);
  if (clip?.op !== 'Unary' || clip.activation.kind !== 'clip') return undefined;
  const add = soleProducer(clip.inputs[0]!);
  const x = operandOf(graph, add, 'add', 3);
  return x !== undefined && clip.activation.low === 0 && clip.activation.high === 6
    ? { x, nodes: [clip, add!] }
    : undefined;
}

/** The two orders of a node's inputs. */
function ordersOf({ inputs: [a, b] }: Node): [string, string][] {
  return [
    [a!, b!],
    [b!, a!],
  ];
}

function hardSwish({ name, output }: Node, x: string, replaces: readonly Node[]): Absorbed {
  return { node: { op: 'Elementwise', name, output, inputs: [x], function: 'hardSwish', alpha: 0, beta: 0 }, replaces };
}

/** x · hardSigmoid(x). */
function ofHardSigmoid(node: Node, soleProducer: SoleProducer): Absorbed | null {
  if (node.op !== 'Binary' || node.operation !== 'mul') return null;
  for (const [x, gate] of ordersOf(node)) {
    const own = soleProducer(gate);
    if (own?.op !== 'Elementwise' || own.function !== 'hardSigmoid' || own.inputs[0] !== x) continue;
    if (Math.fround(own.alpha) === SIXTH && own.beta === 0.5) return hardSwish(node, x, [own]);
  }
  return null;
}

/**
 * Hard sigmoid and hard swish as exporters write them before opset 14:
 *
 *     clip(x + 3, 0, 6) / 6,   x · clip(x + 3, 0, 6) / 6,   x · hardSigmoid(x)
 */
export function matchHardSwish(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer) => {
    const whole = sixfold(graph, node);
    if (whole === undefined) return ofHardSigmoid(node, soleProducer);
    const gate = gateOf(graph, whole, soleProducer);
    if (gate) {
      const { name, output } = node;
      const sigmoid = {
        op: 'Elementwise',
        name,
        output,
        inputs: [gate.x],
        function: 'hardSigmoid',
        alpha: SIXTH,
        beta: 0.5,
      } as const;
      return { node: sigmoid, replaces: gate.nodes };
    }
    const product = soleProducer(whole);
    if (product?.op !== 'Binary' || product.operation !== 'mul') return null;
    for (const [x, other] of ordersOf(product)) {
      const inner = gateOf(graph, other, soleProducer);
      if (inner?.x === x) return hardSwish(node, x, [product, ...inner.nodes]);
    }
    return null;
  });
}
