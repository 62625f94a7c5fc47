import { ModelError } from '../../../common/errors.ts';
import { type Dims, formatDims } from '../../../common/tensor.ts';
import { transpose as kernel } from '../../../kernels/tensor/strided-copy.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { asDims4 } from '../../shapes.ts';
import { unsupported } from '../onnx.ts';
import type { Draft, NodeBase, Operator } from '../operator.ts';

/** Blocks of pixels from channels, or the other way round. */
export interface DepthToSpaceNode extends NodeBase {
  readonly op: 'DepthToSpace';
  /** `space` makes channels of blocks; `DCR` and `CRD` blocks of channels, the block outermost in them or innermost. */
  readonly order: 'DCR' | 'CRD' | 'space';
  /** Side of a block, in pixels. */
  readonly block: number;
}

function toSpace(node: ModelNode): Draft<DepthToSpaceNode> {
  const mode = node.attributes.string('mode', 'DCR');
  if (mode !== 'DCR' && mode !== 'CRD') unsupported(node, `with mode ${mode} has no mapping`);
  return { op: 'DepthToSpace', order: mode, block: node.attributes.int('blocksize') };
}

function toDepth(node: ModelNode): Draft<DepthToSpaceNode> {
  return { op: 'DepthToSpace', order: 'space', block: node.attributes.int('blocksize') };
}

/** The input with blocks as dimensions of their own, and the output's order of those. */
function viewOf({ order, block: b }: DepthToSpaceNode, x: Dims): { view: Dims; perm: readonly number[] } {
  const [n, c, h, w] = asDims4('DepthToSpace', x);
  switch (order) {
    case 'DCR':
      return { view: [n, b, b, c / b / b, h, w], perm: [0, 3, 4, 1, 5, 2] };
    case 'CRD':
      return { view: [n, c / b / b, b, b, h, w], perm: [0, 1, 4, 2, 5, 3] };
    case 'space':
      return { view: [n, c, h / b, b, w / b, b], perm: [0, 3, 5, 1, 2, 4] };
    default:
      return order satisfies never;
  }
}

export const depthToSpace: Operator<DepthToSpaceNode> = {
  onnx: { DepthToSpace: toSpace, SpaceToDepth: toDepth },
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    const [n, c, h, w] = asDims4(node.name, x);
    const { block } = node;
    const scale = node.order === 'space' ? 1 / block : block;
    if (block < 1 || viewOf(node, x).view.some((dim) => !Number.isInteger(dim))) {
      throw new ModelError(`${node.name}: ${formatDims(x)} has no whole blocks of ${block}×${block}`);
    }
    return [n, c / scale / scale, h * scale, w * scale].map(Math.round);
  },
  describe: ({ order, block }) => [order, `${block}×${block}`],
  images: 'apart',
  lower(node, to) {
    const { view, perm } = viewOf(node, to.dims(node.inputs[0]!));
    to.emitNode(node, kernel(view, perm), 'plain');
  },
};
