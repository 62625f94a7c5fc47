import { ModelError } from '../../common/errors.ts';
import { formatDims, sizeOf } from '../../common/tensor.ts';
import { pool as kernel } from '../../kernels/tensor/pool.ts';
import type { ModelNode } from '../../loader/model.ts';
import { asDims4, checkExtents, type Pads, type Pair } from '../shapes.ts';
import { onlyOutput, readFlag, readPads, readPair } from './onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from './operator.ts';

/** What a GPU reads in seconds, and a software adapter in a minute: files of a few bytes may ask for years. */
const MAX_READS = 2 ** 35;

export interface PoolNode extends NodeBase {
  readonly op: 'Pool';
  readonly kind: 'max' | 'average';
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
}

function translate(node: ModelNode, context: TranslateContext): Draft<PoolNode> {
  const { attributes } = node;
  onlyOutput(node);
  if (!attributes.has('kernel_shape')) throw new ModelError(`${node.name}: expected kernel_shape, got none`);
  const kernel = readPair(node, 'kernel_shape', [1, 1]);
  const strides = readPair(node, 'strides', [1, 1]);
  const dilations = readPair(node, 'dilations', [1, 1]);
  // the order of MaxPool's indices, an output that is refused above
  attributes.int('storage_order', 0);
  return {
    op: 'Pool',
    kind: node.op === 'MaxPool' ? 'max' : 'average',
    kernel,
    strides,
    dilations,
    pads: readPads(node, context.dims(node.inputs[0]!), kernel, strides, dilations),
    ceilMode: readFlag(node, 'ceil_mode'),
    countIncludePad: readFlag(node, 'count_include_pad'),
  };
}

function pooledSize(size: number, axis: 0 | 1, node: PoolNode): number {
  const stride = node.strides[axis];
  const padded = size + node.pads[axis] + node.pads[axis + 2]!;
  const span = padded - ((node.kernel[axis] - 1) * node.dilations[axis] + 1);
  if (!node.ceilMode) return Math.floor(span / stride) + 1;
  const count = Math.ceil(span / stride) + 1;
  // a last window that starts in the padding behind the input does not exist
  return (count - 1) * stride >= size + node.pads[axis] ? count - 1 : count;
}

function lower(node: PoolNode, to: LowerContext): void {
  const [batch, channels, inHeight, inWidth] = asDims4(node.name, to.dims(node.inputs[0]!));
  const [, , outHeight, outWidth] = asDims4(node.name, to.dims(node.output));
  const launch = (workgroup?: number) =>
    kernel({ ...node, batch, channels, inHeight, inWidth, outHeight, outWidth }, workgroup);
  const operands = [to.read(node.inputs[0]!, 'packed'), to.define(node.output, 'packed')];
  to.emit(node.name, launch(), operands, launch);
}

export const pool: Operator<PoolNode> = {
  onnx: { MaxPool: translate, AveragePool: translate },
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    const [n, c, h, w] = asDims4(node.name, x);
    const dims = checkExtents(node.name, [n, c, pooledSize(h, 0, node), pooledSize(w, 1, node)], x);
    const reads = sizeOf(dims) * Math.min(node.kernel[0], h) * Math.min(node.kernel[1], w);
    if (reads > MAX_READS) {
      const window = `windows of ${node.kernel.join('×')} on ${formatDims(x)}`;
      throw new ModelError(`${node.name}: expected at most ${MAX_READS} reads, got ${reads} for ${window}`);
    }
    return dims;
  },
  describe: (node) => [
    node.kind,
    `${node.kernel.join('×')} /${node.strides} pad ${node.pads}${node.ceilMode ? ' ceil' : ''}`,
  ],
  images: 'apart',
  lower,
};
