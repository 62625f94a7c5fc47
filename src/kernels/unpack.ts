import { blocksOf, type Dispatch, flatGrid, floatBytes, packedBytes, packParams } from './dispatch.ts';
import type { LayoutSpec } from './nc4hw4.ts';
import { shaders } from './shaders.gen.ts';

const WORKGROUP = 64;

/** NC4HW4 → NCHW. Bindings: input, output. */
export function unpack(spec: LayoutSpec): Dispatch {
  const { batch, channels, height, width } = spec;
  const count = batch * channels * height * width;
  return {
    kernel: 'unpack',
    source: shaders.unpack,
    constants: { WORKGROUP },
    params: packParams([channels, blocksOf(channels), height * width, count]),
    bindingBytes: [packedBytes(batch, channels, height, width), floatBytes(count)],
    workgroups: flatGrid(count, WORKGROUP),
  };
}
