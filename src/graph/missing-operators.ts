import type { Model } from '../loader/model.ts';
import { isFoldable } from './fold-constants.ts';
import { translatorOf } from './operators/index.ts';

/**
 * The ONNX operators of a model that have no mapping here, and how many nodes each has: all of them, also of a model that cannot be
 * built. Those that compute shapes and constants are folded, others run.
 */
export function missingOperators(model: Model): Record<string, number> {
  const computed = new Set(model.inputs.map(({ name }) => name));
  const missing: Record<string, number> = {};
  for (const { op, inputs, outputs } of model.nodes) {
    const runs = op !== 'Shape' && inputs.some((name) => computed.has(name));
    if (runs) for (const name of outputs) computed.add(name);
    const isKnown = runs ? translatorOf(op) !== undefined : op === 'Shape' || isFoldable(op);
    if (!isKnown) missing[op] = (missing[op] ?? 0) + 1;
  }
  return missing;
}
