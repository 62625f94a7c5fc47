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

/**
 * Group normalisation with its activation. Bindings of the first launch: input, parts; of the second: input, affine (every channel's scale,
 * then every channel's shift), parts, output.
 */
export function groupNorm(
  spec: GroupNormSpec,
  { software }: AdapterTraits,
): readonly [sums: Dispatch, scale: Dispatch] {
  const { batch, channels, planeSize, groups, epsilon } = spec;
  const packed = spec.layout === 'packed';
  const [slope, low, high] = activationParams(spec.activation).floats;
  const bytes = packed ? packedBytes(batch, channels, 1, planeSize) : floatBytes(batch * channels * planeSize);
  const size = channels / groups;
  // One workgroup takes 5 to 7 ns a number on hardware (NVIDIA H200: 189 µs for 38,400), so that parts have some 1,024 there, four an
  // invocation. On the CPU's few cores every group has a core as it is, and barriers cost the less the smaller a workgroup is.
  const overrides = {
    INVOCATIONS: software ? 16 : 256,
    LANES: size < 4 ? 1 : 4,
    PIXELS: software ? 2 ** 30 : 64 * Math.ceil(16 / size),
  };
  const parts = Math.ceil(planeSize / overrides.PIXELS);
  const partBytes = batch * groups * parts * 16;
  const common = {
    params: packParams([channels, groups, planeSize, packed ? 4 : 1], [low, high, slope, epsilon]),
    overrides,
    workgroups: [parts, groups, batch],
  } as const;
  return [
    dispatch('group-norm-sums', { ...common, bindingBytes: [bytes, partBytes] }),
    dispatch('group-norm-scale', { ...common, bindingBytes: [bytes, floatBytes(channels * 2), partBytes, bytes] }),
  ];
}
