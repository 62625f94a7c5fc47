import { type Activation, activationParams } from '../activation.ts';
import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
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

/** Group normalisation with its activation. Bindings: input, affine (every channel's scale, then every channel's shift), output. */
export function groupNorm(spec: GroupNormSpec): Dispatch {
  const packed = spec.layout === 'packed';
  const [slope, low, high] = activationParams(spec.activation).floats;
  const bytes = packed
    ? packedBytes(spec.batch, spec.channels, 1, spec.planeSize)
    : floatBytes(spec.batch * spec.channels * spec.planeSize);
  return dispatch('group-norm', {
    params: packParams([spec.channels, spec.groups, spec.planeSize, packed ? 1 : 0], [low, high, slope, spec.epsilon]),
    bindingBytes: [bytes, floatBytes(spec.channels * 2), bytes],
    workgroups: [spec.groups, spec.batch, 1],
  });
}
