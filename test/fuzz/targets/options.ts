import { AssertionError } from 'node:assert';
import assert from 'node:assert/strict';
import { assertInFlight } from '../../../src/common/check.ts';
import { type DetectOptions, mergeOptions, readSettings } from '../../../src/detector/options.ts';
import { loadModel } from '../../../src/loader/load-model.ts';
import type { Model } from '../../../src/loader/model.ts';
import { assertSessionOptions } from '../../../src/runtime/session.ts';
import type { Rng } from '../../support/rng.ts';
import { smallModel } from '../../support/small-model.ts';
import { Finding, refusal, type Target } from '../target.ts';

const NAMES = [
  ...['compat', 'scoreThreshold', 'iouThreshold', 'maxFaces', 'maxFacesMetric', 'inputSize', 'inputSizes', 'padding'],
  ...['interpolation', 'inFlight', 'precision', 'toString', '__proto__'],
];
/** JSON has no such numbers. */
const NUMBERS: Readonly<Record<string, number>> = { NaN, Infinity, '-Infinity': -Infinity, '-0': -0 };

let model: Promise<Model> | undefined;

/** Options of a call and of a detector, of any type, as JSON. */
export const options: Target = {
  make: (rng) => new TextEncoder().encode(JSON.stringify([record(rng), record(rng)])),

  async run(bytes) {
    const [base, call] = JSON.parse(new TextDecoder().decode(bytes), (_, value) =>
      typeof value === 'string' ? (NUMBERS[value] ?? value) : value,
    ) as DetectOptions[];
    model ??= loadModel(smallModel());
    const loaded = await model;
    const merged = mergeOptions(base!, call!);
    const { inFlight, precision } = merged as { inFlight?: number; precision?: 'f32' };
    try {
      if (inFlight !== undefined) assertInFlight(inFlight);
      assertSessionOptions({ precision });
      const settings = readSettings(merged, loaded);
      for (const value of [settings.scoreThreshold, settings.iouThreshold, settings.padding]) {
        assert.equal(typeof value, 'number');
        assert.ok(value >= -1 && value <= 1.001, String(value));
      }
      assert.ok(Number.isInteger(settings.maxFaces) && settings.maxFaces >= 0);
      if (settings.sizes !== 'image') {
        for (const side of settings.sizes.flat()) assert.ok(Number.isInteger(side) && side > 0 && side % 32 === 0);
      }
      return 'accepted';
    } catch (error) {
      if (error instanceof AssertionError) throw new Finding(error.message, { cause: error });
      return refusal(error, RangeError);
    }
  },
};

function record(rng: Rng): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: rng.int(0, 3) }, () => [rng.pick(NAMES), value(rng)]));
}

function value(rng: Rng, depth = 0): unknown {
  return rng.pick<() => unknown>([
    () => rng.pick([0, 1, -1, 0.5, 640, 641.5, 1e9, 1e300, 2 ** 31, ...Object.keys(NUMBERS)]),
    () =>
      rng.pick(['', '0.5', 'image', 'linear', 'nearest', 'mmdet', '2.0', 'black', 'mean', 'max', 'f16', 'constructor']),
    () => rng.pick([null, true, false]),
    () => rng.int(-2, 1000),
    () => [rng.int(1, 700), rng.int(1, 700)],
    () => (depth > 2 ? [] : Array.from({ length: rng.int(0, 3) }, () => value(rng, depth + 1))),
    () => (depth > 2 ? {} : { length: 2, 0: value(rng, depth + 1), valueOf: 1 }),
  ])();
}
