import { type Dispatch, flatGrid, packParams } from '../dispatch.ts';
import { blocksOf, floatBytes, type LayoutSpec, packedBytes } from '../nc4hw4.ts';
import { dispatch } from './dispatch.ts';

/** As elementwise.wgsl numbers them. */
const FUNCTIONS = [
  'exp',
  'log',
  'sqrt',
  'abs',
  'neg',
  'reciprocal',
  'floor',
  'ceil',
  'round',
  'sign',
  'erf',
  'gelu',
  'geluTanh',
  'hardSwish',
  'hardSigmoid',
  'elu',
  'softplus',
  'softsign',
  'mish',
  'sin',
  'cos',
  'not',
  'power',
] as const;

/**
 * A function of one number. Those with numbers of their own: `hardSigmoid` limits alpha · x + beta, `elu` is beta times x or
 * alpha · (eˣ - 1), `power` raises to the alpha-th.
 */
export type ElementwiseFunction = (typeof FUNCTIONS)[number];

export interface ElementwiseSpec {
  readonly function: ElementwiseFunction;
  readonly alpha: number;
  readonly beta: number;
}

const WORKGROUP = 64;
/** Channels of what is no image: lanes behind the end of a row-major tensor are never read. */
const ANY_LANE = 4;

function launch(spec: ElementwiseSpec, count: number, bytes: number, channels: number, plane: number): Dispatch {
  return dispatch('elementwise', {
    overrides: { WORKGROUP, FUNCTION: FUNCTIONS.indexOf(spec.function) },
    params: packParams([count, channels, blocksOf(channels), plane], [spec.alpha, spec.beta, Infinity, NaN]),
    bindingBytes: [bytes, bytes],
    workgroups: flatGrid(count, WORKGROUP),
  });
}

/** On NC4HW4. Bindings: input, output. */
export function elementwise(spec: ElementwiseSpec, { batch, channels, height, width }: LayoutSpec): Dispatch {
  const bytes = packedBytes(batch, channels, height, width);
  return launch(spec, bytes / 16, bytes, channels, height * width);
}

/** On a row-major tensor of so many elements. Bindings: input, output. */
export function elementwisePlain(spec: ElementwiseSpec, elements: number): Dispatch {
  const bytes = floatBytes(elements);
  return launch(spec, bytes / 16, bytes, ANY_LANE, 1);
}
