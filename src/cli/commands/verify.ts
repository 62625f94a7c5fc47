import type { Command } from 'commander';
import { ModelError } from '../../common/errors.ts';
import { toHalf, widenFloat16 } from '../../common/float16.ts';
import type { Size } from '../../common/geometry.ts';
import { createRandom } from '../../common/random.ts';
import { sizeOf } from '../../common/tensor.ts';
import type { Model } from '../../loader/model.ts';
import { readImage } from '../../node/images.ts';
import { printable } from '../../node/printable.ts';
import { loadSharp } from '../../node/sharp.ts';
import type { InputShape, OutputTensor } from '../../runtime/network.ts';
import { interruptible } from '../shared/interrupt.ts';
import { modelFile, ofModel } from '../shared/model-file.ts';
import { loadOnnxRuntime } from '../shared/onnxruntime.ts';
import { modelOption, parseCount, sizeOption } from '../shared/options.ts';
import { print } from '../shared/report.ts';
import { compareTensors } from '../verify/compare-tensors.ts';
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
      const inputShape = inputShapeOf(opened.model, size, batch);
      const x = await makeInput(opened.model, inputShape, image);
      // what we refuse is told before what onnxruntime says of it
      const network = await createNetwork(path, { inputShape, signal });
      try {
        const taps = layers ? intermediateValues(opened.model) : [];
        const expected = await runReference(ort, opened, taps, x, inputShape);
        const tap = taps.filter((value) => expected.has(value));
        compareAll(opened.model, await network.run(x, { tap, signal }), expected);
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

/** The shape that is asked for; what is left open is the file's, or else that of pictures. */
function inputShapeOf(model: Model, size: Size | undefined, batch: number | undefined): InputShape {
  const declared = (axis: number, otherwise: number) => {
    const dim = model.inputs[0]?.dims?.[axis];
    return typeof dim === 'number' ? dim : otherwise;
  };
  const [width, height] = size ?? [declared(3, 640), declared(2, 640)];
  return [batch ?? declared(0, 1), declared(1, 3), height, width];
}

/** Seeded noise from -1 to 1, in numbers that the file's input has; the first image is the picture, where there is one. */
async function makeInput(
  { inputs }: Model,
  shape: InputShape,
  image: string | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const { uniform } = createRandom(1);
  const x = Float32Array.from({ length: sizeOf(shape) }, () => uniform(-1, 1));
  if (image !== undefined) x.set(await readInput(image, shape));
  return inputs[0]?.type === 'float16' ? widenFloat16(toHalf(x)) : x;
}

/** The picture at the top left of black, normalised: channels×height×width. */
async function readInput(path: string, [, channels, height, width]: InputShape): Promise<Float32Array<ArrayBuffer>> {
  if (channels !== 3 && channels !== 1) {
    throw new ModelError(`--image: expected an input of 3 channels or 1, got ${channels}`);
  }
  const sharp = await loadSharp();
  const picture = await readImage(path);
  const pixels = await sharp(picture.data, { raw: picture })
    .resize(width, height, { fit: 'contain', position: 'left top', background: 'black' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer();
  const area = width * height;
  return Float32Array.from({ length: channels * area }, (_, i) => {
    const channel = Math.floor(i / area);
    return (pixels[(i % area) * channels + channel]! - 127.5) / 128;
  });
}
