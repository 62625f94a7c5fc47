import type { Command } from 'commander';
import { ModelError } from '../../common/errors.ts';
import type { Size } from '../../common/geometry.ts';
import type { Model } from '../../loader/model.ts';
import { printable } from '../../node/printable.ts';
import type { OutputTensor } from '../../runtime/network.ts';
import { interruptible } from '../shared/interrupt.ts';
import { modelFile, ofModel } from '../shared/model-file.ts';
import { loadOnnxRuntime } from '../shared/onnxruntime.ts';
import { modelOption, parseCount, sizeOption } from '../shared/options.ts';
import { print } from '../shared/report.ts';
import { compareTensors } from '../verify/compare-tensors.ts';
import { makeInputs } from '../verify/inputs.ts';
import { intermediateValues, openReference, runReference } from '../verify/reference.ts';

interface VerifyOptions {
  model: string;
  image?: string;
  size?: Size;
  layers?: true;
  batch?: number;
}

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('Compare what a network computes here with onnxruntime, output by output.')
    .addOption(modelOption())
    .option('--image <file>', 'picture to run the model on (default: seeded noise)')
    .addOption(sizeOption())
    .option('--layers', 'compare every intermediate value too')
    .option(
      '--batch <N>',
      'pictures per run, all but the first are noise (default: what the file fixes, or 1)',
      parseCount,
    )
    .action(verify);
}

async function verify({ model: name, image, size, layers, batch }: VerifyOptions): Promise<void> {
  await interruptible('not all is compared', async (signal) => {
    const ort = await loadOnnxRuntime('verify');
    const path = await modelFile(name, signal);
    await ofModel(path, async () => {
      const { createNetwork } = await import('../../index.node.ts');
      const opened = await openReference(path, signal);
      const inputs = await makeInputs(opened.model, { size, batch, image });
      const byName = <T>(part: (input: (typeof inputs)[number]) => T) =>
        Object.fromEntries(inputs.map((input) => [input.name, part(input)]));
      const inputShapes = byName(({ dims }) => dims);
      // what we refuse is told before what onnxruntime says of it
      const network = await createNetwork(path, { inputShapes, signal });
      try {
        const taps = layers ? intermediateValues(opened.model) : [];
        const expected = await runReference(ort, opened, taps, inputs);
        const tap = taps.filter((value) => expected.has(value));
        compareAll(
          opened.model,
          await network.run(
            byName(({ data }) => data),
            { tap, signal },
          ),
          expected,
        );
      } finally {
        await network.dispose();
      }
    });
  });
}

/** How far from onnxruntime's a tensor may be, relative to its largest number. */
function toleranceOf({ nodes, inputs, outputs }: Model): number {
  // onnxruntime rounds what lies between layers, too
  if ([...inputs, ...outputs].some(({ type }) => type === 'float16')) return 5e-3;
  // variances of few elements lose digits in any order of summation
  return nodes.some(({ op }) => op === 'InstanceNormalization') ? 5e-4 : 1e-4;
}

function compareAll(
  model: Model,
  actual: Readonly<Record<string, OutputTensor>>,
  expected: ReadonlyMap<string, OutputTensor>,
): void {
  if (expected.size === 0) throw new ModelError('expected outputs of floats to compare, got none');
  const tolerance = toleranceOf(model);
  const wide = Math.max(...[...expected.keys()].map((name) => printable(name).length));
  let failures = 0;
  for (const [name, values] of expected) {
    const { ok, text } = compareTensors(actual[name], values, tolerance);
    if (!ok) failures++;
    print(`${ok ? 'ok  ' : 'FAIL'}  ${printable(name).padEnd(wide)}  ${text}\n`);
  }
  const good = `${expected.size - failures} of ${expected.size} tensors`;
  print(`${good} within ${tolerance} of onnxruntime, relative to their largest numbers\n`);
  if (failures > 0) process.exitCode = 1;
}
