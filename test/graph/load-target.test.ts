import { expect, it } from 'vitest';
import { loadEveryMethod, loadTarget } from '../../src/graph/load-target.ts';
import { chooseMethod, possibleMethods } from '../../src/kernels/conv/methods.ts';
import { convCase } from '../kernels/support/conv-cases.ts';

const { spec } = convCase([24, 24], [8, 8], { kernel: [3, 3], pads: 1 });

it('an adapter has the methods of its class, and with every method its own preferences', async () => {
  const [software, hardware] = [true, false].map((each) => ({ software: each, subgroupSize: 8 }));
  for (const [traits, own, usual] of [
    [software!, ['direct', 'lane', 'lane-uniform', 'winograd-lane'], 'winograd-lane'],
    [hardware!, ['split'], 'split'],
  ] as const) {
    const target = await loadTarget(traits);
    expect(possibleMethods(spec, target)).toEqual(own);
    expect(chooseMethod(spec, target)).toBe(usual);
    const every = await loadEveryMethod(traits);
    expect(possibleMethods(spec, every)).toEqual(['direct', 'lane', 'lane-uniform', 'winograd-lane', 'split']);
    expect(chooseMethod(spec, every)).toBe(usual);
  }
});
