import { type Dispatch, dispatch, flatGrid, packParams } from '../dispatch.ts';
import { blocksOf, floatBytes, packedBytes } from '../nc4hw4.ts';

const WORKGROUP = 64;

/** Places one row-major input in a row-major output. */
export interface ConcatSpec {
  /** Product of the dimensions before the axis. */
  readonly outer: number;
  /** Elements of one outer index in this input, in the output, and in the inputs before this one. */
  readonly inputRun: number;
  readonly outputRun: number;
  readonly offset: number;
}

/** Copies one row-major input to its place in the output. Bindings: input, output. */
export function concat(spec: ConcatSpec): Dispatch {
  const count = spec.outer * spec.inputRun;
  return dispatch('concat', {
    overrides: { WORKGROUP },
    params: packParams([count, spec.inputRun, spec.outputRun, spec.offset]),
    bindingBytes: [floatBytes(count), floatBytes(spec.outer * spec.outputRun)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}

/** Places one NC4HW4 input in an NC4HW4 output, along channels. */
export interface ConcatChannelsSpec {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly firstChannel: number;
}

/** Copies one NC4HW4 input to its channels of the output. Bindings: input, output. */
export function concatChannels(spec: ConcatChannelsSpec): Dispatch {
  const planeSize = spec.height * spec.width;
  const last = spec.firstChannel + spec.inChannels === spec.outChannels;
  const channels = last ? blocksOf(spec.outChannels) * 4 - spec.firstChannel : spec.inChannels;
  const count = spec.batch * blocksOf(channels) * 4 * planeSize;
  return dispatch('concat-channels', {
    overrides: { WORKGROUP },
    params: packParams([
      count,
      planeSize,
      blocksOf(spec.inChannels),
      channels,
      blocksOf(spec.outChannels),
      spec.firstChannel,
    ]),
    bindingBytes: [
      packedBytes(spec.batch, spec.inChannels, spec.height, spec.width),
      packedBytes(spec.batch, spec.outChannels, spec.height, spec.width),
    ],
    workgroups: flatGrid(count, WORKGROUP),
  });
}
