import type { Dims } from '../../common/tensor.ts';
import type { Dispatch } from '../dispatch.ts';
import { pairs, stridedPairs } from '../tensor/binary.ts';
import { dispatch } from './dispatch.ts';

/** As combination.wgsl numbers them. */
const COMBINATIONS = [
  'power',
  'remainder',
  'min',
  'max',
  'sum',
  'mean',
  'equal',
  'less',
  'lessOrEqual',
  'greater',
  'greaterOrEqual',
  'and',
  'or',
  'xor',
] as const;

/** What becomes of two numbers. Truth is 1, and what is not 0 is true; `mean` divides their sum by a number of its own. */
export type Combination = (typeof COMBINATIONS)[number];

type Dims4 = readonly [number, number, number, number];

function overridesOf(combination: Combination, values: number): Dispatch['overrides'] {
  return { OPERATION: COMBINATIONS.indexOf(combination), VALUES: values };
}

/** On NC4HW4, each operand's dims equal to the output's or 1; `values` is what a mean divides by. Bindings: a, b, output. */
export function combine(combination: Combination, values: number, a: Dims4, b: Dims4, output: Dims4): Dispatch {
  return dispatch('combine', { overrides: overridesOf(combination, values), ...pairs(a, b, output) });
}

/** On row-major tensors of up to 8 dimensions with numpy broadcasting. Bindings: a, b, output. */
export function combineStrided(combination: Combination, values: number, a: Dims, b: Dims, output: Dims): Dispatch {
  return dispatch('combine-strided', { overrides: overridesOf(combination, values), ...stridedPairs(a, b, output) });
}
