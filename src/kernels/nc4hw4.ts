import { blocksOf, type Dispatch, flatGrid, floatBytes, packedBytes, packParams } from './dispatch.ts';
import { shaders } from './shaders.gen.ts';

export interface LayoutSpec {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

const WORKGROUP = 64;

/** NCHW → NC4HW4. Bindings: input, output. */
export function pack(spec: LayoutSpec): Dispatch {
  const { batch, channels, height, width } = spec;
  const blocks = blocksOf(channels);
  const count = batch * blocks * height * width;
  return {
    kernel: 'pack',
    source: shaders.pack,
    constants: { WORKGROUP },
    params: packParams([channels, blocks, height * width, count]),
    bindingBytes: [floatBytes(batch * channels * height * width), packedBytes(batch, channels, height, width)],
    workgroups: flatGrid(count, WORKGROUP),
  };
}

/** The same rearrangement on the CPU, for constants. */
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
