import { type ShaderName, shaders } from './shaders.gen.ts';

/** A part of a buffer. */
export interface ByteRange {
  readonly offset: number;
  readonly bytes: number;
}

/** Everything a GPU needs to know of one kernel launch, as plain data: no device is involved in making it. */
export interface Dispatch {
  /** Name of the kernel, the stem of its shader. */
  readonly kernel: ShaderName;
  /** Complete WGSL source. */
  readonly source: string;
  /** Values of the source's `override` declarations. */
  readonly constants: Readonly<Record<string, number>>;
  /** Contents of the uniform buffer at binding 0. */
  readonly params: Uint8Array<ArrayBuffer>;
  /** Bytes that each storage binding must hold at least, from binding 1 on: inputs first, output last. */
  readonly bindingBytes: readonly number[];
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations, a multiply-add being two, of kernels whose arithmetic is what takes time. */
  readonly flops?: number;
}

/** What decides between variants of a kernel; see `device.ts` for how it is read off an adapter. */
export interface AdapterTraits {
  /** A software rasteriser: loads and barriers cost more than arithmetic there. */
  readonly software: boolean;
  /** Lanes of a subgroup where subgroups are to be had and of one fixed size, else 0. */
  readonly subgroupSize: number;
}

/** WebGPU's guaranteed alignment of uniform buffer offsets, in bytes. */
export const UNIFORM_ALIGNMENT = 256;

/** WebGPU's guaranteed maximum of workgroups along one dimension. */
export const MAX_WORKGROUPS = 65535;

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

/** Vectors of four channels that hold `channels` channels. */
export function blocksOf(channels: number): number {
  return Math.ceil(channels / 4);
}

/** Bytes of an image batch in the NC4HW4 layout: `[n][ceil(c / 4)][h][w]` of vec4 over channels. */
export function packedBytes(n: number, c: number, h: number, w: number): number {
  return n * blocksOf(c) * h * w * 16;
}

/** A uniform buffer: 32-bit integers, then floats, as the shaders' `Params` declare them. */
export function packParams(integers: readonly number[], floats: readonly number[] = []): Uint8Array<ArrayBuffer> {
  const size = Math.ceil((integers.length + floats.length) / 4) * 16;
  const view = new DataView(new ArrayBuffer(size));
  integers.forEach((value, i) => {
    view.setInt32(i * 4, value, true);
  });
  floats.forEach((value, i) => {
    view.setFloat32((integers.length + i) * 4, value, true);
  });
  return new Uint8Array(view.buffer);
}

/** Workgroups for `count` invocations when one dimension may not suffice; shaders restore the flat index. */
export function flatGrid(count: number, workgroup: number): [number, number, number] {
  const groups = Math.max(1, Math.ceil(count / workgroup));
  const rows = Math.ceil(groups / MAX_WORKGROUPS);
  return [Math.ceil(groups / rows), rows, 1];
}

/**
 * A shader's source for what `override` cannot express: its lines `const NAME = …;` for the names given are replaced,
 * then the lines between `#for i < NAME` and `#end` are written out once for every value of
 * `{i}`, `{i*2}`, `{i+1}`, `{i*2+1}`.
 */
export function specialize(kernel: ShaderName, constants: Readonly<Record<string, number>> = {}): string {
  const key = `${kernel} ${JSON.stringify(constants)}`;
  const known = specialized.get(key) ?? writeOut(kernel, constants);
  specialized.set(key, known);
  return known;
}

/** Networks ask for the same few again and again. */
const specialized = new Map<string, string>();

function writeOut(kernel: ShaderName, constants: Readonly<Record<string, number>>): string {
  let source: string = shaders[kernel];
  for (const [name, value] of Object.entries(constants)) {
    const pattern = new RegExp(`^const ${name} = .*;$`, 'm');
    if (!pattern.test(source)) throw new Error(`${kernel}.wgsl has no line "const ${name} = …;"`);
    source = source.replace(pattern, `const ${name} = ${value};`);
  }
  return unroll(source);
}

/** Writes out `#for` blocks, the innermost first. */
function unroll(source: string): string {
  const innermost = /^ *#for (\w) < (\w+)\n((?:(?! *#).*\n)*) *#end\n/gm;
  const unrolled = source.replace(innermost, (_, variable: string, limit: string, body: string) => {
    const count = Number(source.match(new RegExp(`^const ${limit} = (\\d+);$`, 'm'))?.[1]);
    if (!count) throw new Error(`#for: no line "const ${limit} = …;"`);
    const index = new RegExp(`\\{${variable}(?:\\*(\\d+))?(?:\\+(\\d+))?\\}`, 'g');
    const place =
      (i: number) =>
      (_: string, times = '1', plus = '0') =>
        `${i * Number(times) + Number(plus)}`;
    return Array.from({ length: count }, (_, i) => body.replaceAll(index, place(i))).join('');
  });
  return unrolled === source ? source : unroll(unrolled);
}

/** Copies dimensions or strides into the two ivec4 that strided shaders read, with `fill` behind them. */
export function eight(values: readonly number[], fill: number): number[] {
  if (values.length > 8) throw new RangeError(`expected at most 8 dimensions, got ${values.length}`);
  return [...values, ...new Array<number>(8 - values.length).fill(fill)];
}
