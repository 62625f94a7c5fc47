import { describe, expect, it } from 'vitest';
import { loadEveryMethod } from '../../../src/graph/load-target.ts';
import type { ConvMethodName } from '../../../src/kernels/conv/method.ts';
import { type ConvWay, chooseMethod, convKey, planConv, possibleMethods } from '../../../src/kernels/conv/methods.ts';
import { otherWays } from '../../../src/kernels/conv/worth-timing.ts';
import { openGpu } from '../../support/gpu.ts';
import { checkConvSteps } from '../support/check-conv.ts';
import { convCase, convCases } from '../support/conv-cases.ts';

const software = await loadEveryMethod({ software: true, subgroupSize: 8 });
const hardware = await loadEveryMethod({ software: false, subgroupSize: 32 });
const plain = await loadEveryMethod({ software: false, subgroupSize: 0 });

const wide = convCase([24, 24], [8, 8], { kernel: [3, 3], pads: 1 }).spec;
const narrow = convCase([12, 24], [8, 8], { kernel: [3, 3], pads: 1 }).spec;
const pointwise = convCase([24, 40], [8, 8]).spec;
// weights for two launches, for six, for thirteen, for six narrower ones, and of one tile for more than one
const many = convCase([152, 152], [8, 8]).spec;
const most = convCase([288, 288], [8, 8]).spec;
const tooMany = convCase([400, 400], [8, 8]).spec;
const tooNarrow = convCase([88, 88], [8, 8], { kernel: [3, 3], strides: [2, 2], pads: 1 }).spec;
const tooLarge = convCase([512, 16], [8, 8], { kernel: [3, 3], strides: [2, 2], pads: 1 }).spec;
const depthwise = convCase([8, 8], [8, 8], { kernel: [3, 3], pads: 1, group: 8 }).spec;
const depthwise5 = convCase([8, 8], [8, 8], { kernel: [5, 5], pads: 2, group: 8 }).spec;
const grouped = convCase([8, 8], [8, 8], { group: 2 }).spec;

describe('chooseMethod', () => {
  it.each([
    [software, wide, 'winograd-lane'],
    [software, narrow, 'lane-uniform'],
    [software, pointwise, 'lane-uniform'],
    [{ ...software, subgroupSize: 4 }, pointwise, 'lane'],
    [software, many, 'lane-uniform'],
    [software, most, 'lane-uniform'],
    [software, tooMany, 'lane'],
    [software, tooNarrow, 'lane'],
    [software, tooLarge, 'lane'],
    [software, depthwise, 'depthwise-rows'],
    [software, depthwise5, 'depthwise'],
    [software, grouped, 'grouped'],
    [{ ...software, subgroupSize: 0 }, wide, 'direct'],
    [hardware, wide, 'split'],
    [hardware, depthwise, 'depthwise-columns'],
    [hardware, grouped, 'grouped'],
    [plain, grouped, 'grouped'],
  ] as const)('by class: %o', (target, spec, expected) => {
    expect(chooseMethod(spec, target)).toBe(expected);
  });

  it('follows a choice that is possible', () => {
    const choices = new Map<string, ConvMethodName>([[convKey(wide), 'lane']]);
    expect(chooseMethod(wide, hardware, choices)).toBe('lane');
    // a batch is computed as a single picture is
    expect(chooseMethod({ ...wide, batch: 8 }, hardware, choices)).toBe('lane');
    expect(chooseMethod(narrow, hardware, choices)).toBe('split');
  });

  it('goes by class where a choice is not possible', () => {
    const choices = new Map<string, ConvMethodName>([[convKey(wide), 'lane']]);
    expect(chooseMethod(wide, plain, choices)).toBe('split');
    const unknown = new Map([[convKey(wide), 'of another version' as ConvMethodName]]);
    expect(chooseMethod(wide, software, unknown)).toBe('winograd-lane');
  });

  it('does not let Winograd pass what any device binds', () => {
    const large = convCase([64, 64], [1024, 1024], { kernel: [3, 3], pads: 1 }).spec;
    expect(possibleMethods(large, software)).toEqual(['direct', 'lane', 'lane-uniform', 'split']);
  });
});

describe('tiles', () => {
  const server = { ...hardware, class: 'server' } as const;

  it('are offered for timing besides the one that the model chooses', () => {
    const [first, ...others] = otherWays(wide, server);
    expect(first).toMatch(/^split \d+,\d+,\d+,\d+,\d+,\d+$/);
    const launched = (way: ConvWay) => JSON.stringify(planConv(way, wide, server).launches[0]!.dispatch.overrides);
    const all = ['split' as const, first!, ...others].map(launched);
    expect(new Set(all).size).toBe(all.length);
    expect(otherWays(depthwise, server)[0]).toMatch(/^depthwise-columns \d+,\d+$/);
    expect(otherWays(grouped, server)).toEqual([]);
  });

  it('follow a choice, and the model where there is no such tile', () => {
    const [way] = otherWays(wide, server) as [ConvWay];
    const dispatchOf = (each: ConvWay) => planConv(each, wide, server).launches[0]!.dispatch;
    expect(chooseMethod(wide, server, new Map([[convKey(wide), way]]))).toBe(way);
    expect(dispatchOf(way)).not.toEqual(dispatchOf('split'));
    expect(dispatchOf('split 1,2,3')).toEqual(dispatchOf('split'));
  });

  it('divide a batch as one of its images', () => {
    const grid = (batch: number) => planConv('split', { ...wide, batch }, server).launches[0]!.dispatch.workgroups;
    expect(grid(5)).toEqual([...grid(1).slice(0, 2), 5]);
  });

  it('are not timed on software rasterisers, which have methods of their own', () => {
    expect(otherWays(wide, software)).toEqual(['lane-uniform', 'lane']);
    expect(otherWays(depthwise, software)).toEqual(['depthwise']);
  });
});

describe('weights in uniform buffers', () => {
  it('takes narrower tiles where these make fewer launches', () => {
    expect(planConv('lane-uniform', most, software).launches.length).toBe(6);
    const large = { ...most, inHeight: 80, inWidth: 80, outHeight: 80, outWidth: 80 };
    expect(planConv('lane-uniform', large, software).launches.length).toBe(9);
  });

  it('takes as many launches as it takes to bind them', () => {
    const { launches, weightOrder } = planConv('lane-uniform', many, software);
    const weights = weightOrder.pack(new Float32Array(152 * 152), many);
    expect(launches.map(({ weightsRange }) => weightsRange)).toEqual([
      { offset: 0, bytes: 65536 },
      // 3 of 5 tiles of 4 octets of 38 blocks
      { offset: 3 * 4 * 38 * 128, bytes: 65536 },
    ]);
    for (const { weightsRange } of launches) {
      expect(weightsRange!.offset % 256).toBe(0);
      expect(weightsRange!.offset + weightsRange!.bytes).toBeLessThanOrEqual(weights.byteLength);
    }
    expect(launches.map(({ dispatch }) => dispatch.workgroups[0])).toEqual([3, 2]);
    const flops = launches.reduce((sum, { dispatch }) => sum + dispatch.flops!, 0);
    expect(flops).toBeCloseTo(2 * 152 * 152 * 64);
  });
});

/** Methods with a test file of their own, which runs the whole table: here a fifth of it goes through the table of methods. */
const TESTED_APART: readonly ConvMethodName[] = [
  ...(['direct', 'split', 'lane', 'winograd-lane'] as const),
  ...(['depthwise', 'depthwise-columns', 'depthwise-rows', 'grouped'] as const),
];

describe('every possible method gives the same result, within its rounding', async () => {
  const target = await loadEveryMethod((await openGpu()).traits);
  convCases.forEach((conv, i) => {
    const methods = possibleMethods(conv.spec, target);
    const due = methods.filter((method) => i % 5 === 0 || !TESTED_APART.includes(method));
    it.each(due)(`${conv.name}: %s`, async (method) => {
      const { launches, weightOrder } = planConv(method, conv.spec, target);
      const steps = launches.map(({ dispatch, operands, weightsRange }) => {
        return { dispatch, buffers: operands, ranges: { weights: weightsRange } };
      });
      const amplification = method.startsWith('winograd') ? 3 : 1;
      await checkConvSteps(conv, steps, (weights, spec) => weightOrder.pack(weights, spec), amplification);
    });
  });
});
