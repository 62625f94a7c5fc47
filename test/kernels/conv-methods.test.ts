import { describe, expect, it } from 'vitest';
import {
  type ConvMethodName,
  type ConvOperand,
  chooseMethod,
  convKey,
  packWeights,
  planConv,
  possibleMethods,
} from '../../src/kernels/conv-methods.ts';
import type { AdapterTraits } from '../../src/kernels/kernel.ts';
import { openGpu } from '../support/gpu.ts';
import { checkConvSteps } from './check-conv.ts';
import { convCase, convCases, named } from './conv-cases.ts';

const software: AdapterTraits = { software: true, subgroupSize: 8 };
const hardware: AdapterTraits = { software: false, subgroupSize: 32 };
const plain: AdapterTraits = { software: false, subgroupSize: 0 };

const wide = convCase([24, 24], [8, 8], { kernel: [3, 3], pads: 1 }).spec;
const narrow = convCase([12, 24], [8, 8], { kernel: [3, 3], pads: 1 }).spec;
const pointwise = convCase([24, 40], [8, 8]).spec;
const depthwise = convCase([8, 8], [8, 8], { kernel: [3, 3], pads: 1, group: 8 }).spec;
const depthwise5 = convCase([8, 8], [8, 8], { kernel: [5, 5], pads: 2, group: 8 }).spec;
const grouped = convCase([8, 8], [8, 8], { group: 2 }).spec;

describe('chooseMethod', () => {
  it.each([
    [software, wide, 'winograd-lane'],
    [software, narrow, 'lane'],
    [software, pointwise, 'lane'],
    [software, depthwise, 'depthwise-rows'],
    [software, depthwise5, 'depthwise'],
    [software, grouped, 'grouped'],
    [{ software: true, subgroupSize: 0 }, wide, 'direct'],
    [hardware, wide, 'direct'],
    [hardware, depthwise, 'depthwise'],
    [plain, grouped, 'grouped'],
  ] as const)('by class: %o', (traits, spec, expected) => {
    expect(chooseMethod(spec, traits)).toBe(expected);
  });

  it('follows a choice that is possible', () => {
    const choices = new Map<string, ConvMethodName>([[convKey(wide), 'lane']]);
    expect(chooseMethod(wide, hardware, choices)).toBe('lane');
    // a batch is computed as a single picture is
    expect(chooseMethod({ ...wide, batch: 8 }, hardware, choices)).toBe('lane');
    expect(chooseMethod(narrow, hardware, choices)).toBe('direct');
  });

  it('goes by class where a choice is not possible', () => {
    const choices = new Map<string, ConvMethodName>([[convKey(wide), 'lane']]);
    expect(chooseMethod(wide, plain, choices)).toBe('direct');
    const unknown = new Map([[convKey(wide), 'of another version' as ConvMethodName]]);
    expect(chooseMethod(wide, software, unknown)).toBe('winograd-lane');
  });

  it('does not let Winograd pass what any device binds', () => {
    const large = convCase([64, 64], [1024, 1024], { kernel: [3, 3], pads: 1 }).spec;
    expect(possibleMethods(large, software)).toEqual(['direct', 'tiled', 'lane']);
  });
});

describe('every possible method gives the same result, within its rounding', async () => {
  const { traits } = await openGpu();
  const cases = convCases.filter((_, i) => i % 5 === 0);
  for (const [name, conv] of named(cases)) {
    it.each(possibleMethods(conv.spec, traits))(`${name}: %s`, async (method) => {
      const { launches, weightOrder } = planConv(method, conv.spec, traits);
      const steps = launches.map(({ dispatch, operands }) => {
        // only some kernels read a second `zeros`; its content is given once
        return { dispatch, buffers: operands satisfies readonly ConvOperand[] };
      });
      const amplification = method.startsWith('winograd') ? 3 : 1;
      await checkConvSteps(conv, steps, (weights, spec) => packWeights(weightOrder, weights, spec), amplification);
    });
  }
});
