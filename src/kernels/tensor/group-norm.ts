import { type Activation, activationParams } from '../activation.ts';
import { type AdapterTraits, type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { floatBytes, packedBytes } from '../nc4hw4.ts';

/** Group normalisation; instance normalisation is the case of as many groups as channels. */
export interface GroupNormSpec {
  readonly batch: number;
  readonly channels: number;
  /** Elements of one channel: height × width. */
  readonly planeSize: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly layout: 'packed' | 'plain';
  /** Any activation but sigmoid. */
  readonly activation: Activation;
}

/** Numbers that an invocation has of a part of a group. */
const VALUES = 8;
const WORKGROUP = 128;

/**
 * Numbers of a group from which on hardware takes two launches. One workgroup takes some 7 ns a number (NVIDIA H200: 19 µs for 2,400,
 * 189 for 38,400, of which 2 are the launch), so that a second launch and the joining of parts, 4 µs, pay from 600 on there; other
 * adapters' launches cost more.
 */
const SPLIT_FROM = 1024;

/** Whether a group normalisation is faster by `groupNormSplit`. On the CPU's few cores every group has a core as it is. */
export function splitsGroups({ channels, groups, planeSize }: GroupNormSpec, { software }: AdapterTraits): boolean {
  return !software && (channels / groups) * planeSize >= SPLIT_FROM;
}

/** Group normalisation with its activation. Bindings: input, affine (every channel's scale, then every channel's shift), output. */
export function groupNorm(spec: GroupNormSpec): Dispatch {
  const bytes = imageBytes(spec);
  return dispatch('group-norm', {
    params: params(spec),
    bindingBytes: [bytes, floatBytes(spec.channels * 2), bytes],
    workgroups: [spec.groups, spec.batch, 1],
  });
}

/**
 * The same in two launches, with many workgroups a group. Bindings of the first: input, sums; of the second: input, affine, sums,
 * output.
 */
export function groupNormSplit(spec: GroupNormSpec): readonly [sums: Dispatch, scale: Dispatch] {
  const parts = partsOf(spec);
  const bytes = imageBytes(spec);
  const sumBytes = spec.batch * spec.groups * parts * 16;
  const common = {
    params: params(spec),
    consts: { WORKGROUP, VALUES },
    workgroups: [parts, spec.groups, spec.batch],
  } as const;
  return [
    dispatch('group-norm-sums', { ...common, bindingBytes: [bytes, sumBytes] }),
    dispatch('group-norm-scale', { ...common, bindingBytes: [bytes, floatBytes(spec.channels * 2), sumBytes, bytes] }),
  ];
}

/** Parts of the group that has most of them. Every part is of one row: a plane of one channel, or of a block of four. */
function partsOf({ channels, groups, planeSize, layout }: GroupNormSpec): number {
  const lanes = layout === 'packed' ? 4 : 1;
  const size = channels / groups;
  const rowOf = (channel: number) => Math.floor(channel / lanes);
  const rows = Array.from({ length: groups }, (_, i) => rowOf((i + 1) * size - 1) - rowOf(i * size) + 1);
  return Math.max(...rows) * Math.ceil((planeSize * lanes) / (WORKGROUP * VALUES));
}

function imageBytes({ batch, channels, planeSize, layout }: GroupNormSpec): number {
  return layout === 'packed' ? packedBytes(batch, channels, 1, planeSize) : floatBytes(batch * channels * planeSize);
}

function params({ channels, groups, planeSize, layout, activation, epsilon }: GroupNormSpec): Dispatch['params'] {
  const [slope, low, high] = activationParams(activation).floats;
  const packed = layout === 'packed' ? 1 : 0;
  return packParams([channels, groups, planeSize, packed], [low, high, slope, epsilon]);
}
