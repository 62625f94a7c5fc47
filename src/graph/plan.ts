import type { Dims } from '../common/tensor.ts';
import type { ConvSpec } from '../kernels/conv/spec.ts';
import type { HeadSpec } from '../kernels/detection/decode.ts';
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
  /** One convolution of every shape: what can be tuned. */
  readonly convs: readonly ConvSpec[];
}

/** A plan of the whole ONNX graph: tensors in, tensors out, all row-major float32. */
export interface NetworkPlan extends ModelPlan {
  readonly input: { readonly name: string; readonly dims: Dims; readonly buffer: number };
  readonly outputs: readonly { readonly name: string; readonly dims: Dims; readonly buffer: number }[];
}

/**
 * A plan from pixels to faces. External buffers: `pixels` (bytes of all images), `resizeTable` and
 * `imageParams` (one `ImageParams` a canvas and image).
 */
export interface DetectorPlan extends ModelPlan {
  readonly batch: number;
  /** Width and height of what the images are fitted into; all of them are searched together. */
  readonly canvases: readonly (readonly [width: number, height: number])[];
  /** Of each canvas. */
  readonly heads: readonly HeadSpec[];
  /** Where the faces lie: see `nms.ts`. */
  readonly faces: number;
}

function describeOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'buffer':
      return `#${operand.index}`;
    case 'constant':
      return operand.range ? `${operand.key}+${operand.range.offset}` : operand.key;
    case 'external':
      return `<${operand.name}>`;
    default:
      return operand satisfies never;
  }
}

/** One line a step: `label [workgroups] inputs → output`. */
export function printPlan(plan: Plan): string {
  const lines = plan.steps.map((step) => {
    const operands = step.operands.map(describeOperand);
    const inputs = operands.slice(0, -1).join(', ');
    return `${step.label} [${step.dispatch.workgroups.join('×')}] ${inputs} → ${operands.at(-1)}`;
  });
  const buffers = plan.buffers.map((bytes, i) => `#${i} ${bytes} bytes`);
  return `${[...lines, ...buffers].join('\n')}\n`;
}

/** Bytes of all activations and of all constants. */
export function planMemory(plan: Plan): { activations: number; constants: number } {
  const constants = [...plan.constants.values()].reduce((sum, data) => sum + data.byteLength, 0);
  return { activations: plan.buffers.reduce((sum, bytes) => sum + bytes, 0), constants };
}
