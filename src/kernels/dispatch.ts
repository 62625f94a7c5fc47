import type { ShaderName as AlignmentShaderName } from './alignment/shaders.gen.ts';
import type { ShaderName as GeneralShaderName } from './general/shaders.gen.ts';
import type { ShaderName as HardwareShaderName } from './hardware/shaders.gen.ts';
import { type ShaderName, shaders } from './shaders.gen.ts';
import type { ShaderName as SoftwareShaderName } from './software/shaders.gen.ts';
import type { ShaderName as VideoShaderName } from './video/shaders.gen.ts';
import { halveStorage, specialize } from './wgsl.ts';

/** A part of a buffer. */
export interface ByteRange {
  readonly offset: number;
  readonly bytes: number;
}

/** The stems of all shaders, and what several launches in one are called: see hardware/side-by-side.ts. */
type KernelName =
  | ShaderName
  | AlignmentShaderName
  | GeneralShaderName
  | HardwareShaderName
  | SoftwareShaderName
  | VideoShaderName
  | 'side-by-side';

/** Everything a GPU needs to know of one kernel launch, as plain data: no device is involved in making it. */
export interface Dispatch {
  readonly kernel: KernelName;
  /** Complete WGSL source. */
  readonly source: string;
  /** Values of the source's `override` declarations. */
  readonly overrides: Readonly<Record<string, number>>;
  /** Contents of the uniform buffer at binding 0. */
  readonly params: Uint8Array<ArrayBuffer>;
  /** Bytes that each storage binding must hold at least, from binding 1 on: inputs first, output last. */
  readonly bindingBytes: readonly number[];
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations, a multiply-add being two, of kernels whose arithmetic is what takes time. */
  readonly flops?: number;
  /** How long it takes by the cost model, on an adapter of the class that it was made for. */
  readonly microseconds?: number;
}

/** A dispatch without what follows from its kernel's name. */
export interface Launch extends Omit<Dispatch, 'kernel' | 'source' | 'overrides'> {
  readonly overrides?: Dispatch['overrides'];
  /** Values for lines `const NAME = …;` of the shader, see `specialize`. */
  readonly consts?: Readonly<Record<string, number>>;
}

/**
 * A launch of the kernel whose shader has this name.
 * @throws Error where the shader has no line for one of `consts`
 */
export function dispatch(kernel: ShaderName, launch: Launch): Dispatch {
  return dispatchOf(kernel, shaders[kernel], launch);
}

/** A launch of a kernel by its shader's text. @throws what `dispatch` does */
export function dispatchOf(
  kernel: Dispatch['kernel'],
  shader: string,
  { consts, overrides = {}, ...launch }: Launch,
): Dispatch {
  return { kernel, source: specialize(kernel, shader, consts), overrides, ...launch };
}

/** How images are stored between kernels, and constants that are added to or multiplied with them; sums are float32. */
export type Precision = 'f32' | 'f16';

export const PRECISIONS: readonly Precision[] = ['f32', 'f16'];

/** Which images of a launch are stored as half floats. */
interface HalfImages {
  readonly inputs: boolean;
  readonly output: boolean;
}

/**
 * A launch whose images, the bindings declared as arrays of `In` and of `Out`, are half floats.
 * @throws Error for a kernel without such images
 */
export function withHalfImages(launch: Dispatch, { inputs, output }: HalfImages): Dispatch {
  const aliases = [...(inputs ? ['In'] : []), ...(output ? ['Out'] : [])];
  if (aliases.length === 0) return launch;
  const { source, bindings } = halveStorage(launch.kernel, launch.source, aliases);
  const bindingBytes = launch.bindingBytes.map((bytes, i) => (bindings.has(i + 1) ? bytes / 2 : bytes));
  return { ...launch, source, bindingBytes };
}

/** What an adapter is like, as far as it tells; see hardware/rates.ts. */
export type AdapterClass = 'server' | 'desktop' | 'integrated' | 'phone';

/** What decides between variants of a kernel; see `gpu-context.ts` for how it is read off an adapter. */
export interface AdapterTraits {
  /** Whether it is a software rasteriser: loads and barriers cost more than arithmetic there. */
  readonly software: boolean;
  /** Lanes of a subgroup where subgroups are to be had and of one fixed size, else 0. */
  readonly subgroupSize: number;
  /** Of hardware; `integrated` unless given, the class between. */
  readonly class?: AdapterClass;
  /** Storage buffers that a launch may bind; as many as WebGPU guarantees unless given. */
  readonly storageBuffers?: number;
}

/** WebGPU's guaranteed alignment of uniform buffer offsets, in bytes. */
export const UNIFORM_ALIGNMENT = 256;

/** What every WebGPU device can bind, in bytes. */
export const MAX_BINDING_BYTES = 2 ** 27;

/** WebGPU's guaranteed maximum of workgroups along one dimension. */
export const MAX_WORKGROUPS = 65535;

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

/** Workgroups for `count` invocations when one dimension may not suffice; `flat-index.wgsl` restores the index. */
export function flatGrid(count: number, workgroup: number, most = MAX_WORKGROUPS): [number, number, number] {
  const groups = Math.max(1, Math.ceil(count / workgroup));
  const rows = Math.ceil(groups / most);
  return [Math.ceil(groups / rows), rows, 1];
}

/**
 * Dimensions or strides as the two ivec4 that strided shaders read, with `fill` behind them.
 * @throws RangeError for more than 8
 */
export function eight(values: readonly number[], fill: number): number[] {
  if (values.length > 8) throw new RangeError(`expected at most 8 dimensions, got ${values.length}`);
  return [...values, ...new Array<number>(8 - values.length).fill(fill)];
}
