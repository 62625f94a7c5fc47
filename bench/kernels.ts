// Times every method of convolution on this adapter, on the layers of published networks:
// npm run bench:kernels -- [ARCHITECTURE...]

import { type ConvShape, walkConvs } from '../src/architectures/layers.ts';
import { findArchitecture } from '../src/architectures/published.ts';
import { loadEveryMethod } from '../src/graph/load-target.ts';
import { chooseMethod, possibleMethods } from '../src/kernels/conv/methods.ts';
import { type ConvSpec, convFlops } from '../src/kernels/conv/spec.ts';
import { nodePlatform } from '../src/node/platform.ts';
import { GpuContext } from '../src/runtime/gpu-context.ts';
import { timeMethods } from '../src/runtime/tuner.ts';

function specOf({ weight, groups, stride, size: [width, height], relu }: ConvShape): ConvSpec {
  const [outChannels, perGroup, kernel] = weight;
  const pad = (kernel - 1) / 2;
  return {
    ...{ batch: 1, inChannels: perGroup * groups, inHeight: height, inWidth: width },
    ...{ outChannels, outHeight: height / stride, outWidth: width / stride, group: groups },
    ...{ kernel: [kernel, kernel], strides: [stride, stride], dilations: [1, 1], pads: [pad, pad] },
    ...{ activation: { kind: relu ? 'relu' : 'none' }, upsample: 0 },
  };
}

function nameOf({ inChannels, outChannels, inHeight, inWidth, kernel, strides, group, activation }: ConvSpec): string {
  const parts = [
    `${inChannels}→${outChannels} ${inHeight}×${inWidth}`,
    `k${kernel.join('×')}`,
    strides[0] > 1 && `s${strides.join('×')}`,
    group > 1 && `g${group}`,
    activation.kind !== 'none' && activation.kind,
  ];
  return parts.filter(Boolean).join(' ');
}

const names = process.argv.length > 2 ? process.argv.slice(2) : ['500m_kps', '2.5g_kps', '10g_kps'];
const specs = names.flatMap((name) => walkConvs(findArchitecture(name)).map(specOf));
const layers = new Map(specs.map((spec) => [nameOf(spec), spec]));
const context = await GpuContext.open(nodePlatform, undefined);
const target = await loadEveryMethod(context.traits);
try {
  const { description, vendor, architecture } = context.device.adapterInfo;
  console.log(`- adapter: ${[vendor, architecture, description].filter(Boolean).join(' ')}\n`);
  console.log('| convolution | method | ms | GFLOP/s | × fastest | by class |\n|---|---|--:|--:|--:|---|');
  for (const [name, spec] of layers) {
    const methods = possibleMethods(spec, target);
    const times = await timeMethods(context, target, spec, methods);
    const chosen = chooseMethod(spec, target);
    methods.forEach((method, i) => {
      const ms = times[i]!;
      const cells = [ms.toFixed(3), (convFlops(spec) / 1e6 / ms).toFixed(1), (ms / Math.min(...times)).toFixed(2)];
      console.log(`| ${[name, method, ...cells, method === chosen ? 'yes' : ''].join(' | ')} |`);
    });
  }
} finally {
  context.dispose();
}
