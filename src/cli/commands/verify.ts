import type { Command } from 'commander';
import { createRandom } from '../../common/random.ts';
import { type Dims, formatDims, sizeOf } from '../../common/tensor.ts';
import { declaredSize, type Model } from '../../loader/model.ts';
import { bytes, concatenate, string } from '../../loader/protobuf-writer.ts';
import { readImage } from '../../node/images.ts';
import { nodePlatform } from '../../node/platform.ts';
import { printable } from '../../node/printable.ts';
import { loadSharp } from '../../node/sharp.ts';
import type { OutputTensor } from '../../runtime/network.ts';
import { openModel } from '../../runtime/open-model.ts';
import { createSession, loadOnnxRuntime, type OnnxRuntime } from '../shared/onnxruntime.ts';
import { modelOption, parseCount, sizeOption } from '../shared/options.ts';
import { print } from '../shared/report.ts';

interface VerifyOptions {
  model: string;
  image?: string;
  size?: [number, number];
  layers?: true;
  batch: number;
}

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('Compare what a model computes here with onnxruntime, output by output.')
    .addOption(modelOption())
    .option('--image <file>', 'picture to run the model on (default: seeded noise)')
    .addOption(sizeOption())
    .option('--layers', 'compare every intermediate value too')
    .option('--batch <N>', 'pictures per run; all but the first are noise', parseCount, 1)
    .action(verify);
}

async function verify({ model: path, image, size, layers, batch }: VerifyOptions): Promise<void> {
  const ort = await loadOnnxRuntime('verify');
  const { createNetwork } = await import('../../index.node.ts');
  const { bytes: file, model } = await openModel(nodePlatform, path);
  const [width, height] = size ?? declaredSize(model) ?? [640, 640];
  const dims = [batch, 3, height, width] as const;
  const { uniform } = createRandom(1);
  const x = Float32Array.from({ length: sizeOf(dims) }, () => uniform(-1, 1));
  if (image !== undefined) x.set(await readInput(image, width, height));

  const tap = layers ? computedValues(model) : [];
  const expected = await runOnnxRuntime(ort, appendOutputs(file, tap), dims, x);
  const network = await createNetwork(path, { inputShape: dims });
  try {
    const names = [...expected.keys()];
    const actual = await network.run(x, { tap: names.filter((name) => !network.outputNames.includes(name)) });
    // variances of few elements lose digits in any order of summation
    const tolerance = model.nodes.some(({ op }) => op === 'InstanceNormalization') ? 5e-4 : 1e-4;
    const wide = Math.max(...names.map((name) => printable(name).length));
    let failures = 0;
    for (const [name, values] of expected) {
      const { ok, text } = compare(actual[name], values, tolerance);
      if (!ok) failures++;
      print(`${ok ? 'ok  ' : 'FAIL'}  ${printable(name).padEnd(wide)}  ${text}\n`);
    }
    print(
      `${names.length - failures} of ${names.length} tensors within ${tolerance} (absolute or relative) of onnxruntime\n`,
    );
    if (failures > 0) process.exitCode = 1;
  } finally {
    await network.dispose();
  }
}

function compare(
  actual: OutputTensor | undefined,
  expected: OutputTensor,
  tolerance: number,
): { ok: boolean; text: string } {
  if (actual === undefined) return { ok: false, text: `${formatDims(expected.dims)}  expected values, got none` };
  if (formatDims(actual.dims) !== formatDims(expected.dims)) {
    return { ok: false, text: `expected ${formatDims(expected.dims)}, got ${formatDims(actual.dims)}` };
  }
  let max = 0;
  let sum = 0;
  let ok = true;
  for (const [i, value] of expected.data.entries()) {
    const error = Math.abs(actual.data[i]! - value);
    if (!(error <= tolerance * Math.max(1, Math.abs(value)))) ok = false;
    // Math.max, unlike >, keeps a NaN
    max = Math.max(max, error);
    sum += error;
  }
  const mean = sum / expected.data.length;
  return { ok, text: `${formatDims(expected.dims)}  max ${max.toExponential(2)}  mean ${mean.toExponential(2)}` };
}

/** The model's float outputs by onnxruntime, in the model's order. */
async function runOnnxRuntime(
  ort: OnnxRuntime,
  model: Uint8Array,
  dims: Dims,
  x: Float32Array,
): Promise<Map<string, OutputTensor>> {
  const session = await createSession(ort, model);
  try {
    const input = new ort.Tensor('float32', x, dims);
    const results = await session.run({ [session.inputNames[0]!]: input }, { logSeverityLevel: 3 });
    const values = new Map<string, OutputTensor>();
    for (const name of session.outputNames) {
      const tensor = results[name]!;
      if (tensor.data instanceof Float32Array) values.set(name, { dims: tensor.dims, data: tensor.data });
    }
    return values;
  } finally {
    await session.release();
  }
}

/** Intermediate values made of the input's elements; shapes and constants are computed before the network runs. */
function computedValues(model: Model): string[] {
  const outputs = new Set(model.outputs.map(({ name }) => name));
  const computed = new Set(model.inputs.map(({ name }) => name));
  const names: string[] = [];
  for (const node of model.nodes) {
    if (node.op === 'Shape' || !node.inputs.some((name) => computed.has(name))) continue;
    for (const name of node.outputs) {
      if (name === '') continue;
      computed.add(name);
      if (!outputs.has(name)) names.push(name);
    }
  }
  return names;
}

/** Declares more graph outputs. Protobuf merges messages that stand one after another, so nothing need be decoded. */
function appendOutputs(model: Uint8Array, names: readonly string[]): Uint8Array {
  if (names.length === 0) return model;
  // field 7 of a model is its graph, 12 of a graph an output, 1 of an output its name
  const outputs = names.flatMap((name) => bytes(12, string(1, name)));
  return concatenate([model, ...bytes(7, outputs)]);
}

/** The picture at the top left of black, normalised, 3×height×width. */
async function readInput(path: string, width: number, height: number): Promise<Float32Array<ArrayBuffer>> {
  const sharp = await loadSharp();
  const picture = await readImage(path);
  const pixels = await sharp(picture.data, { raw: picture })
    .resize(width, height, { fit: 'contain', position: 'left top', background: 'black' })
    .raw()
    .toBuffer();
  const area = width * height;
  return Float32Array.from({ length: 3 * area }, (_, i) => {
    const channel = Math.floor(i / area);
    return (pixels[(i % area) * 3 + channel]! - 127.5) / 128;
  });
}
