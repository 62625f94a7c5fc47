import { type Dims, formatDims, sizeOf } from '../../common/tensor.ts';
import { dimsOf, type Graph } from '../ir.ts';
import type { BinaryNode } from '../operators/binary.ts';
import { absorb } from './absorb.ts';
import { type ChannelAffine, isBareConv, scaleConv, scaleNorm } from './scale-channels.ts';

/** Whether a constant holds one value, or one a channel, when broadcast to NCHW. */
function isPerChannel(dims: Dims, channels: number): boolean {
  const aligned = [1, 1, 1, 1, ...dims].slice(-4);
  return dims.length <= 4 && (sizeOf(dims) === 1 || formatDims(aligned) === formatDims([1, channels, 1, 1]));
}

/** What an operation by constants does to each channel; null for one that is no scale and shift. */
export function affineOf(operation: BinaryNode['operation'], value: (channel: number) => number): ChannelAffine | null {
  switch (operation) {
    case 'add':
      return { scale: () => 1, shift: value };
    case 'sub':
      return { scale: () => 1, shift: (c) => -value(c) };
    case 'mul':
      return { scale: value, shift: () => 0 };
    case 'div':
      return { scale: (c) => 1 / value(c), shift: () => 0 };
    case 'prelu':
      return null;
    default:
      return operation satisfies never;
  }
}

/**
 * Conv or GroupNorm → Add, Sub, Mul or Div by a constant scalar or channel vector becomes one node: SCRFD's learned
 * box scale, GroupNorm's own scale and shift as PyTorch exports them.
 */
export function foldAffine(graph: Graph): Graph {
  return absorb(graph, (node, soleProducer, current) => {
    if (node.op !== 'Binary') return null;
    const out = dimsOf(current, node.output);
    const [first, second] = node.inputs as [string, string];
    const commutes = node.operation === 'add' || node.operation === 'mul';
    const [input, other] = current.constants.has(first) && commutes ? [second, first] : [first, second];
    const constant = current.constants.get(other);
    const producer = soleProducer(input);
    if (!constant || !producer || out.length !== 4 || !isPerChannel(constant.dims, out[1]!)) return null;
    if (formatDims(dimsOf(current, input)) !== formatDims(out)) return null;
    const { data } = constant;
    const affine = affineOf(node.operation, (c) => (data.length === 1 ? data[0]! : data[c]!));
    if (!affine) return null;
    if (producer.op === 'Conv' && isBareConv(producer)) return scaleConv(current, producer, affine, node.output);
    if (producer.op === 'GroupNorm' && producer.activation.kind === 'none') {
      return scaleNorm(current, producer, affine, node.output);
    }
    return null;
  });
}
