// Times every method of convolution on this adapter, on the layers of the kernel tests' case table: npm run bench:kernels

import { chooseMethod, possibleMethods } from '../src/kernels/conv/methods.ts';
import { convFlops } from '../src/kernels/conv/spec.ts';
import { nodePlatform } from '../src/node/platform.ts';
import { GpuContext } from '../src/runtime/gpu-context.ts';
import { timeMethods } from '../src/runtime/tuner.ts';
import { layerCases } from '../test/kernels/support/conv-cases.ts';

const context = await GpuContext.open(nodePlatform, undefined);
try {
  const { description, vendor, architecture } = context.device.adapterInfo;
  console.log(`- adapter: ${[vendor, architecture, description].filter(Boolean).join(' ')}\n`);
  console.log('| convolution | method | ms | GFLOP/s | × fastest | by class |\n|---|---|--:|--:|--:|---|');
  for (const { name, spec } of layerCases()) {
    const methods = possibleMethods(spec, context.traits);
    const times = await timeMethods(context, spec, methods);
    const chosen = chooseMethod(spec, context.traits);
    methods.forEach((method, i) => {
      const ms = times[i]!;
      const cells = [ms.toFixed(3), (convFlops(spec) / 1e6 / ms).toFixed(1), (ms / Math.min(...times)).toFixed(2)];
      console.log(`| ${[name, method, ...cells, method === chosen ? 'yes' : ''].join(' | ')} |`);
    });
  }
} finally {
  context.dispose();
}
