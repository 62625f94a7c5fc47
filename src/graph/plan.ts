import type { Dims } from '../common/tensor.ts';
import type { ConvSpec } from '../kernels/conv/spec.ts';
import type { ByteRange, Dispatch } from '../kernels/dispatch.ts';

/** Numbers in a kernel's order; 16-bit ones are the bits of half floats. */
export type ConstantData = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** What a step binds: a planned buffer, a constant, or a buffer that the executor's owner brings. */
export type Operand =
  | { readonly kind: 'buffer'; readonly index: number }
  | { readonly kind: 'constant'; readonly key: string; readonly range?: ByteRange | undefined }
  | { readonly kind: 'external'; readonly name: string };

/** One kernel launch. */
export interface Step {
  /** `<node>/<kernel>`: the GPU label. */
  readonly label: string;
  /** What its GPU time counts for. */
  readonly stage: string;
  readonly dispatch: Dispatch;
  /** Bindings 1 and up: inputs first, output last. */
  readonly operands: readonly Operand[];
}

/** Compiled kernels, as plain data: what to allocate, what to upload, what to launch. */
export interface Plan {
  /** Bytes of each buffer. */
  readonly buffers: readonly number[];
  /** Kernel-ready constants by key: one key means one content, whatever the input size. */
  readonly constants: ReadonlyMap<string, ConstantData>;
  /** Buffers that must be zero before the first step. */
  readonly cleared: readonly number[];
  readonly steps: readonly Step[];
}

/** A plan of a model. */
export interface ModelPlan extends Plan {
  /** Every convolution that can be tuned, in the order of its launch. */
  readonly convs: readonly ConvSpec[];
}

/** A plan of the whole ONNX graph: tensors in, tensors out, all row-major float32. */
export interface NetworkPlan extends ModelPlan {
  readonly inputs: readonly { readonly name: string; readonly dims: Dims; readonly buffer: number }[];
  readonly outputs: readonly { readonly name: string; readonly dims: Dims; readonly buffer: number }[];
}
