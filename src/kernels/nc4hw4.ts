// NC4HW4, the layout of images: `[n][ceil(c / 4)][h][w]` of vec4 over channels. The lanes beyond the last channel hold finite
// numbers.
import { type Dispatch, dispatch, flatGrid, packParams } from './dispatch.ts';

export interface LayoutSpec {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

const WORKGROUP = 64;

/** Vectors of four channels that hold `channels` channels. */
export function blocksOf(channels: number): number {
  return Math.ceil(channels / 4);
}

/** Bytes of an image batch, as float32. */
export function packedBytes(n: number, c: number, h: number, w: number): number {
  return n * blocksOf(c) * h * w * 16;
}

/** Bytes of `count` float32 values, rounded up to whole vec4: buffers are read and written as vec4. */
export function floatBytes(count: number): number {
  return Math.ceil(count / 4) * 16;
}

/** Values with zeros behind them, up to `length`. */
export function padWithZeros(values: ArrayLike<number>, length: number): Float32Array<ArrayBuffer> {
  const padded = new Float32Array(length);
  padded.set(values);
  return padded;
}

/** NCHW → NC4HW4, with zeros in the lanes beyond the last channel. Bindings: input, output. */
export function pack(spec: LayoutSpec): Dispatch {
  const { batch, channels, height, width } = spec;
  const blocks = blocksOf(channels);
  const count = batch * blocks * height * width;
  return dispatch('pack', {
    overrides: { WORKGROUP },
    params: packParams([channels, blocks, height * width, count]),
    bindingBytes: [floatBytes(batch * channels * height * width), packedBytes(batch, channels, height, width)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}

/** NC4HW4 → NCHW. Bindings: input, output. */
export function unpack(spec: LayoutSpec): Dispatch {
  const { batch, channels, height, width } = spec;
  const count = batch * channels * height * width;
  return dispatch('unpack', {
    overrides: { WORKGROUP },
    params: packParams([channels, blocksOf(channels), height * width, count]),
    bindingBytes: [packedBytes(batch, channels, height, width), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  });
}

/** What `pack` does, on the CPU, for constants. */
export function packOnCpu(values: ArrayLike<number>, spec: LayoutSpec): Float32Array<ArrayBuffer> {
  const planeSize = spec.height * spec.width;
  const blocks = blocksOf(spec.channels);
  const packed = new Float32Array(spec.batch * blocks * planeSize * 4);
  let source = 0;
  for (let n = 0; n < spec.batch; n++) {
    for (let channel = 0; channel < spec.channels; channel++) {
      const plane = (n * blocks + (channel >> 2)) * planeSize;
      for (let i = 0; i < planeSize; i++) packed[(plane + i) * 4 + (channel & 3)] = values[source++]!;
    }
  }
  return packed;
}
