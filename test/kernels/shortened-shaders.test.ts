import { expect, it, vi } from 'vitest';
import type * as Generated from '../../src/kernels/shaders.gen.ts';
import { type ShaderName, shaders } from '../../src/kernels/shaders.gen.ts';
import { specialize } from '../../src/kernels/wgsl.ts';
import { openGpu } from '../support/gpu.ts';

// what is done to shaders at run time must find its lines in those of the bundles, too
vi.mock(import('../../src/kernels/shaders.gen.ts'), async (original) => {
  const { shortenShader } = await import('../../scripts/wgsl.mjs');
  const { shaders } = await original();
  const shortened = Object.entries(shaders).map(([name, source]) => [name, shortenShader(source)]);
  return { shaders: Object.fromEntries(shortened) as typeof Generated.shaders };
});

it.for(Object.keys(shaders) as ShaderName[])('%s compiles as bundles have it', async (kernel, { skip }) => {
  const { device } = await openGpu();
  const source = specialize(kernel);
  expect(source).not.toMatch(/\/\/|^ |#(for|end|include)/m);
  skip(source.includes('enable subgroups') && !device.features.has('subgroups'), 'no subgroups');
  const { messages } = await device.createShaderModule({ label: kernel, code: source }).getCompilationInfo();
  expect(messages.map(({ message }) => message)).toEqual([]);
});
