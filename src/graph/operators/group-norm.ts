import { ModelError } from '../../common/errors.ts';
import { formatDims, sizeOf } from '../../common/tensor.ts';
import { type Activation, describeActivation, NO_ACTIVATION } from '../../kernels/activation.ts';
import { floatBytes } from '../../kernels/nc4hw4.ts';
import { groupNorm as kernels } from '../../kernels/tensor/group-norm.ts';
import type { ModelNode } from '../../loader/model.ts';
import { checkChannels } from '../shapes.ts';
import { unsupported, weightName } from './onnx.ts';
import type { Draft, LowerContext, NodeBase, Operator, TranslateContext } from './operator.ts';

export interface GroupNormNode extends NodeBase {
  /** Instance normalisation is the case of as many groups as channels. */
  readonly op: 'GroupNorm';
  readonly groups: number;
  /** Constants `[channels]`. */
  readonly scale: string;
  readonly shift: string;
  readonly epsilon: number;
  readonly activation: Activation;
}

function translate(node: ModelNode, context: TranslateContext): Draft<GroupNormNode> {
  const scale = weightName(node, context, 1, 'a scale');
  const shift = weightName(node, context, 2, 'a shift');
  const channels = context.dims(node.inputs[0]!)[1] ?? 0;
  const instance = node.op === 'InstanceNormalization';
  if (!instance && sizeOf(context.dims(scale)) !== channels) {
    unsupported(node, 'with a scale per group has no mapping, only per channel (opset 21)');
  }
  if (!instance) node.attributes.int('stash_type', 1);
  return {
    op: 'GroupNorm',
    groups: instance ? channels : node.attributes.int('num_groups'),
    scale,
    shift,
    epsilon: node.attributes.float('epsilon', 1e-5),
    activation: NO_ACTIVATION,
  };
}

function lower(node: GroupNormNode, to: LowerContext): void {
  const dims = to.dims(node.output);
  const layout = to.isPacked(node.inputs[0]!) ? 'packed' : 'plain';
  const affine = to.constant(`${node.output}@affine`, () => {
    const [scale, shift] = [node.scale, node.shift].map((name) => to.constantOf(name).data);
    const both = new Float32Array(floatBytes(scale!.length * 2) / 4);
    both.set(scale!);
    both.set(shift!, scale!.length);
    return both;
  });
  const spec = {
    batch: dims[0]!,
    channels: dims[1]!,
    planeSize: sizeOf(dims.slice(2)),
    groups: node.groups,
    epsilon: node.epsilon,
    layout,
    activation: node.activation,
  } as const;
  const [sums, scale] = kernels(spec, to.traits);
  const parts = to.scratch(sums.bindingBytes[1]!);
  to.emit(node.name, sums, [to.read(node.inputs[0]!, layout), parts]);
  to.emitNode(node, scale, layout, [affine, parts]);
}

export const groupNorm: Operator<GroupNormNode> = {
  onnx: { InstanceNormalization: translate, GroupNormalization: translate },
  constants: (node) => [node.scale, node.shift],
  inferDims(node, dimsOf) {
    const x = dimsOf(node.inputs[0]!);
    if (x.length < 3 || node.groups < 1 || x[1]! % node.groups !== 0) {
      throw new ModelError(
        `${node.name}: expected 3 or more dimensions with channels in ${node.groups} groups, got ${formatDims(x)}`,
      );
    }
    return checkChannels(node.name, x, [node.scale, node.shift].map(dimsOf));
  },
  describe: (node) => [
    `${node.groups} groups`,
    ...(node.activation.kind === 'none' ? [] : [describeActivation(node.activation)]),
  ],
  images: 'apart',
  lower,
};
