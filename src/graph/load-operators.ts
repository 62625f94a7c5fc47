import { loadPart } from '../common/load-part.ts';
import type { Model } from '../loader/model.ts';
import { addFolds, isFoldable } from './fold-constants.ts';
import { addOperators, translatorOf } from './operators/index.ts';
import { addFusions } from './passes/index.ts';

/** Loads the operators that detectors have no use for, where a model has one that is not among theirs. */
export async function loadOperators(model: Model): Promise<void> {
  // a table that is read at build time
  const isKnown = (op: string) => op === 'Shape' || isFoldable(op) || translatorOf(op) !== undefined;
  if (model.nodes.every(({ op }) => isKnown(op))) return;
  await loadGeneralOperators();
}

/** Loads all of them. */
export async function loadGeneralOperators(): Promise<void> {
  const { GENERAL_OPERATORS, GENERAL_FOLDS, GENERAL_FUSIONS } = await loadPart(() => import('./general.ts'));
  addOperators(GENERAL_OPERATORS);
  addFolds(GENERAL_FOLDS);
  addFusions(GENERAL_FUSIONS);
}
