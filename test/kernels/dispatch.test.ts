import { describe, expect, it } from 'vitest';
import { dispatch, eight, flatGrid, MAX_WORKGROUPS, packParams } from '../../src/kernels/dispatch.ts';
import { shaders } from '../../src/kernels/shaders.gen.ts';
import { convLane } from '../../src/kernels/software/conv2d-lane.ts';
import { dispatch as softwareDispatch } from '../../src/kernels/software/dispatch.ts';
import { shaders as softwareShaders } from '../../src/kernels/software/shaders.gen.ts';
import { specialize } from '../../src/kernels/wgsl.ts';
import { convCase } from './support/conv-cases.ts';

describe('dispatch', () => {
  const launch = { params: packParams([7]), bindingBytes: [16, 32], workgroups: [1, 2, 3] } as const;

  it('finds the source by the name of the kernel', () => {
    expect(dispatch('softmax', launch)).toEqual({
      ...launch,
      kernel: 'softmax',
      source: shaders.softmax,
      overrides: {},
    });
  });

  it('keeps overrides and flops, and puts constants in the source alone', () => {
    const given = { ...launch, overrides: { WORKGROUP: 32 }, flops: 5 };
    const { source, ...rest } = softwareDispatch('depthwise-rows', { ...given, consts: { ROWS: 3 } });
    expect(rest).toEqual({ ...given, kernel: 'depthwise-rows' });
    expect(source).toBe(specialize('depthwise-rows', softwareShaders['depthwise-rows'], { ROWS: 3 }));
    expect(source).toContain('const ROWS = 3;');
  });

  it('throws for a constant that the shader has not', () => {
    expect(() => dispatch('softmax', { ...launch, consts: { ROWS: 3 } })).toThrow(
      'softmax.wgsl has no line "const ROWS = …;"',
    );
  });
});

describe('specialize', () => {
  it('replaces one line', () => {
    const { source, overrides } = convLane(convCase([8, 8], [4, 4]).spec, 4);
    expect(source).toContain('const LANES = 4;');
    expect(source).not.toContain('const LANES = 8;');
    expect(overrides).toEqual({ WORKGROUP: 4, RESIDUAL: 0, SIGMOID: 0 });
  });

  it('throws for a line that is not there', () => {
    expect(() => specialize('conv2d-lane', softwareShaders['conv2d-lane'], { LANE: 4 })).toThrow(
      'conv2d-lane.wgsl has no line "const LANE = …;"',
    );
  });

  it('writes out loops, one in another', () => {
    const source = specialize('pointwise-lane', softwareShaders['pointwise-lane'], { OCTETS: 3, PIXELS: 2 });
    expect(source.match(/^ *var lo\d_\d = vec4f\(\);$/gm)?.map((line) => line.trim().slice(4, 9))).toEqual([
      'lo0_0',
      'lo0_1',
      'lo1_0',
      'lo1_1',
      'lo2_0',
      'lo2_1',
    ]);
    expect(source).toContain('block == first + 5');
    expect(source).not.toMatch(/#|\{\w/);
  });
});

it('packParams puts integers before floats, in whole vectors of four', () => {
  const bytes = packParams([1, -2], [0.5]);
  expect(bytes.byteLength).toBe(16);
  expect([...new Int32Array(bytes.buffer, 0, 2)]).toEqual([1, -2]);
  expect(new Float32Array(bytes.buffer)[2]).toBe(0.5);
});

it('flatGrid has a workgroup for every invocation, in rows of as many as a dimension takes', () => {
  expect(flatGrid(0, 64)).toEqual([1, 1, 1]);
  expect(flatGrid(65, 64)).toEqual([2, 1, 1]);
  const [columns, rows] = flatGrid(MAX_WORKGROUPS * 64 + 1, 64);
  expect(columns).toBeLessThanOrEqual(MAX_WORKGROUPS);
  expect(rows).toBe(2);
});

it('eight fills up and refuses more', () => {
  expect(eight([2, 3], 1)).toEqual([2, 3, 1, 1, 1, 1, 1, 1]);
  expect(() => eight(new Array<number>(9).fill(1), 0)).toThrow('expected at most 8 dimensions, got 9');
});
