// What detectors have no use for, which bundles keep in a chunk of its own: see load-operators.ts.
import type { Fold } from './fold-constants.ts';
import type { Pass } from './ir.ts';

export { GENERAL_OPERATORS } from './operators/general/index.ts';

/** What constants alone are computed by, by ONNX operator. */
export const GENERAL_FOLDS: Readonly<Record<string, Fold>> = {};

/** Rewrites of a graph before the others. */
export const GENERAL_FUSIONS: readonly Pass[] = [];
