import { loadPart } from '../common/load-part.ts';
import type { Model } from '../loader/model.ts';
import { addFolds, isFoldable } from './fold-constants.ts';
import { addOperators, translatorOf } from './operators/index.ts';
import { addFusions } from './passes/index.ts';

/** Loads the operators that detectors have no use for, where a model has one that is not among theirs. */
export async function loadOperators(model: Model): Promise<void> {
  if (!isComplete(model)) await loadGeneralOperators();
}

/** Whether every node is one that is there: one that computes constants from constants, or one of run time. */
function isComplete({ initializers, nodes }: Model): boolean {
  const constants = new Set(['', ...initializers.keys()]);
  return nodes.every(({ op, inputs, outputs }) => {
    const folds = op === 'Shape' || (isFoldable(op) && inputs.every((name) => constants.has(name)));
    if (folds) for (const name of outputs) constants.add(name);
    return folds || translatorOf(op) !== undefined;
  });
}

/** Loads all of them. */
export async function loadGeneralOperators(): Promise<void> {
  const { GENERAL_OPERATORS, GENERAL_FOLDS, GENERAL_FUSIONS } = await loadPart(() => import('./general.ts'));
  addOperators(GENERAL_OPERATORS);
  addFolds(GENERAL_FOLDS);
  addFusions(GENERAL_FUSIONS);
}
