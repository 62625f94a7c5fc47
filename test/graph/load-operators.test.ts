import { expect, it } from 'vitest';
import { isFoldable } from '../../src/graph/fold-constants.ts';
import { GENERAL_FOLDS } from '../../src/graph/general.ts';
import { loadOperators } from '../../src/graph/load-operators.ts';
import { mappedOperators, translatorOf } from '../../src/graph/operators/index.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { node, scrfdSpec } from './models.ts';

it('come when a model needs them, and detectors need none', async () => {
  const folds = Object.keys(GENERAL_FOLDS).filter(isFoldable);
  expect(folds).toEqual([]);
  await loadOperators(await loadModel(buildModel(scrfdSpec())));
  expect(translatorOf('Tanh')).toBeUndefined();
  const nodes = [node('y = Tanh(x)')];
  const spec = { inputs: [{ name: 'x', dims: [1] }], outputs: ['y'], nodes };
  await loadOperators(await loadModel(buildModel(spec)));
  expect(translatorOf('Tanh')).toBeDefined();
  expect(Object.keys(GENERAL_FOLDS).filter((op) => !isFoldable(op))).toEqual([]);
});

it('no ONNX operator has two mappings', () => {
  const mapped = mappedOperators();
  expect(mapped).toHaveLength(new Set(mapped).size);
});
