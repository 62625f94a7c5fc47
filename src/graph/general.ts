// What detectors have no use for, which bundles keep in a chunk of its own: see load-operators.ts.
import type { Fold } from './fold-constants.ts';
import { ELEMENTWISE_FOLDS } from './fold-elementwise.ts';
import { MOVE_FOLDS } from './fold-moves.ts';
import { REDUCE_FOLDS } from './fold-reduce.ts';
import type { Pass } from './ir.ts';
import { foldDense } from './passes/fold-dense.ts';
import { fuseDenseActivation } from './passes/fuse-dense-activation.ts';
import { fusePad } from './passes/fuse-pad.ts';
import { liftBatchNorm } from './passes/lift-batchnorm.ts';
import { matchHardSwish } from './passes/match-hard-swish.ts';

export { GENERAL_OPERATORS } from './operators/general/index.ts';

/** What constants alone are computed by, by ONNX operator. */
export const GENERAL_FOLDS: Readonly<Record<string, Fold>> = {
  ...MOVE_FOLDS,
  ...ELEMENTWISE_FOLDS,
  ...REDUCE_FOLDS,
};

/** Rewrites of a graph before the others. */
export const GENERAL_FUSIONS: readonly Pass[] = [
  fusePad,
  liftBatchNorm,
  matchHardSwish,
  foldDense,
  fuseDenseActivation,
];
