import { expect, it } from 'vitest';
import { shortenShader } from '../../scripts/wgsl.mjs';
import { shaders as alignmentShaders } from '../../src/kernels/alignment/shaders.gen.ts';
import { shaders as generalShaders } from '../../src/kernels/general/shaders.gen.ts';
import { shaders as hardwareShaders } from '../../src/kernels/hardware/shaders.gen.ts';
import { shaders } from '../../src/kernels/shaders.gen.ts';
import { shaders as softwareShaders } from '../../src/kernels/software/shaders.gen.ts';
import { specialize } from '../../src/kernels/wgsl.ts';
import { openGpu } from '../support/gpu.ts';

// what is done to shaders at run time must find its lines in those of the bundles, too
it.for(Object.entries({ ...shaders, ...alignmentShaders, ...generalShaders, ...hardwareShaders, ...softwareShaders }))(
  '%s compiles as bundles have it',
  async ([kernel, shader], { skip }) => {
    const { device } = await openGpu();
    const source = specialize(kernel, shortenShader(shader));
    expect(source).not.toMatch(/\/\/|^ |#(for|end|include)/m);
    skip(source.includes('enable subgroups') && !device.features.has('subgroups'), 'no subgroups');
    const { messages } = await device.createShaderModule({ label: kernel, code: source }).getCompilationInfo();
    expect(messages.map(({ message }) => message)).toEqual([]);
  },
);
