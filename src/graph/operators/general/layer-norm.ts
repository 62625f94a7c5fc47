import { ModelError } from '../../../common/errors.ts';
import { formatDims, sizeOf } from '../../../common/tensor.ts';
import { layerNorm as kernel } from '../../../kernels/general/layer-norm.ts';
import { padWithZeros } from '../../../kernels/nc4hw4.ts';
import type { ModelNode } from '../../../loader/model.ts';
import { checkAxis, normalizeAxis } from '../../shapes.ts';
import { onlyOutput, unsupported, weightName } from '../onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from '../operator.ts';

export interface LayerNormNode extends NodeBase {
  readonly op: 'LayerNorm';
  /** The first of the dimensions that are normalised together. */
  readonly axis: number;
  /** Constants of as many elements as these dimensions have. */
  readonly scale: string;
  readonly shift: string | null;
  readonly epsilon: number;
}

function translate(node: ModelNode, context: TranslateContext): Draft<LayerNormNode> {
  const { attributes } = node;
  onlyOutput(node);
  const stash = attributes.int('stash_type', 1);
  if (stash !== 1) unsupported(node, `with stash_type ${stash} has no mapping`);
  return {
    op: 'LayerNorm',
    axis: normalizeAxis(node.name, attributes.int('axis', -1), context.dims(node.inputs[0]!).length),
    scale: weightName(node, context, 1, 'a scale'),
    shift: node.inputs[2] ? weightName(node, context, 2, 'a shift') : null,
    epsilon: attributes.float('epsilon', 1e-5),
  };
}

function constants({ scale, shift }: LayerNormNode): string[] {
  return shift === null ? [scale] : [scale, shift];
}

function lower(node: LayerNormNode, to: LowerContext): void {
  const dims = to.dims(node.output);
  const size = sizeOf(dims.slice(node.axis));
  const affine = to.constant(`${node.output}@affine`, () => {
    const both = padWithZeros(to.constantOf(node.scale).data, Math.ceil(size / 2) * 4);
    if (node.shift !== null) both.set(to.constantOf(node.shift).data, size);
    return both;
  });
  to.emitNode(node, kernel(sizeOf(dims) / size, size, node.epsilon), 'plain', [affine]);
}

export const layerNorm: Operator<LayerNormNode> = {
  onnx: { LayerNormalization: translate },
  constants,
  inferDims(node, dimsOf) {
    const x = checkAxis(node.name, node.axis, dimsOf(node.inputs[0]!));
    const size = sizeOf(x.slice(node.axis));
    const other = constants(node).find((name) => sizeOf(dimsOf(name)) !== size);
    if (other === undefined) return x;
    throw new ModelError(
      `${node.name}: expected scale and shift of ${formatDims(x.slice(node.axis))}, got ${formatDims(dimsOf(other))}`,
    );
  },
  describe: (node) => [`axis ${node.axis}`],
  images: {
    apart: ({ axis }) => axis > 0,
    deepen: (node) => ({ ...node, axis: node.axis + 1 }),
  },
  lower,
};
