import { dimsOf, type Graph } from '../ir.ts';
import type { PadNode } from '../operators/general/pad.ts';
import type { PoolNode } from '../operators/pool.ts';
import type { Pads } from '../shapes.ts';
import { absorb } from './absorb.ts';

/** Zeros around the images themselves: top, left, bottom, right; null where it is anything else. */
function zerosAround(graph: Graph, { inputs, mode, value, pads }: PadNode): Pads | null {
  const [n, c, top, left, endN, endC, bottom, right] = pads as readonly number[];
  const four = pads.length === 8 && dimsOf(graph, inputs[0]!).length === 4;
  const around = [n, c, endN, endC].every((pad) => pad === 0) && pads.every((pad) => pad >= 0);
  return four && around && mode === 'constant' && value === 0 ? [top!, left!, bottom!, right!] : null;
}

/** Whether an average counts zeros beyond the image as it counts its own pads. */
function countsZeros({ kind, pads, ceilMode, countIncludePad }: PoolNode): boolean {
  return kind === 'average' && !ceilMode && (countIncludePad || pads.every((pad) => pad === 0));
}

function sumPads(a: Pads, b: Pads): Pads {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
}

/** Pad with zeros → Conv, or average pool: the zeros become pads of its own. */
export function fusePad(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer) => {
    if (node.op !== 'Conv' && (node.op !== 'Pool' || !countsZeros(node))) return null;
    const pad = soleProducer(node.inputs[0]!);
    const zeros = pad?.op === 'Pad' ? zerosAround(graph, pad) : null;
    if (!pad || !zeros) return null;
    const pads = sumPads(node.pads, zeros);
    const inputs = [pad.inputs[0]!, ...node.inputs.slice(1)];
    const merged = node.op === 'Pool' ? { ...node, pads, inputs, countIncludePad: true } : { ...node, pads, inputs };
    return { node: merged, replaces: [pad] };
  });
}
