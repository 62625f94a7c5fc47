import { separable } from './separable.ts';

/** Operators that are launched on hardware alone, by the `op` of their nodes. */
export const HARDWARE_OPERATORS = {
  Separable: separable,
};
