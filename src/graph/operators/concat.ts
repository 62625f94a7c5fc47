import { ModelError } from '../../common/errors.ts';
import { type Dims, formatDims, sizeOf } from '../../common/tensor.ts';
import { concatChannels, concat as kernel } from '../../kernels/tensor/concat.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, checkAxis, normalizeAxis } from '../shapes.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from './operator.ts';

export interface ConcatNode extends NodeBase {
  readonly op: 'Concat';
  readonly axis: number;
}

function translate(node: ModelNode, context: TranslateContext): Draft<ConcatNode> {
  const rank = context.dims(node.inputs[0]!).length;
  const missing = node.inputs.indexOf('');
  if (missing >= 0) throw new ModelError(`${node.name}: Concat expects input ${missing}, got none`);
  return { op: 'Concat', inputs: node.inputs, axis: normalizeAxis(node.name, node.attributes.int('axis'), rank) };
}

/** @throws ModelError where the inputs do not fit together */
export function concatDims(who: string, axis: number, all: readonly Dims[]): Dims {
  const x = checkAxis(who, axis, all[0]!);
  for (const dims of all) {
    if (dims.length !== x.length || dims.some((dim, i) => i !== axis && dim !== x[i])) {
      throw new ModelError(`${who}: inputs ${formatDims(x)} and ${formatDims(dims)} differ off axis ${axis}`);
    }
  }
  return x.map((dim, i) => (i === axis ? all.reduce((sum, dims) => sum + dims[i]!, 0) : dim));
}

function lowerChannels(node: ConcatNode, to: LowerContext): void {
  const [batch, outChannels, height, width] = asDims4(node.name, to.dims(node.output));
  const target = to.define(node.output, 'packed');
  let firstChannel = 0;
  for (const input of node.inputs) {
    const inChannels = to.dims(input)[1]!;
    const dispatch = concatChannels({ batch, height, width, inChannels, outChannels, firstChannel });
    to.emit(node.name, dispatch, [to.read(input, 'packed'), target]);
    firstChannel += inChannels;
  }
}

function lowerPlain({ name, inputs, output, axis }: ConcatNode, to: LowerContext): void {
  const dims = to.dims(output);
  // conversions come before all copies
  const sources = inputs.map((input) => to.read(input, 'plain'));
  const target = to.define(output, 'plain');
  const outer = sizeOf(dims.slice(0, axis));
  const outputRun = sizeOf(dims.slice(axis));
  let offset = 0;
  inputs.forEach((input, i) => {
    const inputRun = sizeOf(to.dims(input).slice(axis));
    to.emit(name, kernel({ outer, inputRun, outputRun, offset }), [sources[i]!, target]);
    offset += inputRun;
  });
}

export const concat: Operator<ConcatNode> = {
  onnx: { Concat: translate },
  inferDims: (node, dimsOf) => concatDims(node.name, node.axis, node.inputs.map(dimsOf)),
  describe: (node) => [`axis ${node.axis}`],
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower(node, to) {
    const packed =
      node.axis === 1 && to.dims(node.output).length === 4 && node.inputs.every((name) => to.isPacked(name));
    (packed ? lowerChannels : lowerPlain)(node, to);
  },
};
