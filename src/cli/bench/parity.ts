import { formatDims } from '../../common/tensor.ts';
import { compileNetwork } from '../../graph/compile.ts';
import { loadEveryMethod } from '../../graph/load-target.ts';
import type { Target } from '../../graph/target.ts';
import { type ConvChoices, type ConvWay, chooseMethod, convKey, possibleMethods } from '../../kernels/conv/methods.ts';
import { shapesOf } from '../../kernels/conv/worth-timing.ts';
import type { Precision } from '../../kernels/dispatch.ts';
import type { GpuContext } from '../../runtime/gpu-context.ts';
import { type InputShape, Network, type NetworkOptions, type OutputTensor } from '../../runtime/network.ts';
import type { Platform } from '../../runtime/platform.ts';
import { createSession, type OnnxRuntime } from '../shared/onnxruntime.ts';
import { notify } from '../shared/report.ts';
import { caseOf, type Parity } from './results.ts';
import { makeInput, type Workload } from './runners.ts';

/** Random weights amplify what layers round: sums in another order, or 2⁻¹¹ of every image. What is wrong differs by about 1. */
const TOLERANCES: Readonly<Record<Precision, number>> = { f32: 5e-4, f16: 2e-1 };
const RUNS = 5;

/** How the convolutions of a network are computed. */
interface Way extends Pick<Parity, 'way' | 'convs'> {
  /** Null for the product's own. */
  readonly choices: ConvChoices | null;
}

/** The product's own choice, then every method: all convolutions that can take it do, the others are left to the product. */
function waysOf({ model, size: [width, height], batch, autotune }: Workload, target: Target): Way[] {
  const convs = shapesOf(compileNetwork(model, [batch, 3, height, width], target).convs);
  const possible = new Map(convs.map((spec) => [spec, possibleMethods(spec, target)]));
  // what tuning chooses among stays as it is
  const methods = autotune ? [] : [...new Set([...possible.values()].flat())];
  return [
    { way: autotune ? 'tuned' : 'chosen', convs: convs.length, choices: null },
    ...methods.map((method) => {
      const able = convs.filter((spec) => possible.get(spec)!.includes(method));
      const wayOf = (spec: (typeof convs)[number]): ConvWay =>
        able.includes(spec) ? method : chooseMethod(spec, target);
      return { way: method, convs: able.length, choices: new Map(convs.map((spec) => [convKey(spec), wayOf(spec)])) };
    }),
  ];
}

/** A platform on which these choices were found earlier, so that tuning has nothing left to time. */
function withChoices(platform: Platform, choices: ConvChoices): Platform {
  const kept = JSON.stringify(Object.fromEntries(choices));
  return { ...platform, tuningStore: { read: async () => kept, write: async () => {} } };
}

/**
 * Compares every output of a network with that of onnxruntime's CPU provider, on noise, by every method of convolution
 * that the adapter can run, and each run with the first.
 */
export async function* checkParity(
  platform: Platform,
  context: GpuContext,
  work: Workload,
  ort: OnnxRuntime,
): AsyncGenerator<Parity> {
  const { bytes, name: model, size, batch, precision, autotune } = work;
  const inputShape = [batch, 3, size[1], size[0]] as const;
  const input = makeInput(work);
  const expected = await runOnnxRuntime(ort, bytes, input, inputShape);
  for (const { choices, ...way } of waysOf(work, await loadEveryMethod(context.traits))) {
    notify(`${caseOf({ model, size, batch })}: parity, ${way.way}`);
    const about = { model, size, batch, precision, ...way, tolerance: TOLERANCES[precision] };
    const options = { device: context.device, inputShape, precision, autotune: autotune || choices !== null };
    const on = choices ? withChoices(platform, choices) : platform;
    try {
      yield { ...about, ...(await compareRuns(on, bytes, options, input, expected)), problem: null };
    } catch (error) {
      yield { ...about, error: null, repeatable: null, problem: (error as Error).message };
    }
  }
}

async function compareRuns(
  platform: Platform,
  bytes: Uint8Array,
  options: NetworkOptions,
  input: Float32Array,
  expected: ReadonlyMap<string, OutputTensor>,
): Promise<{ error: number; repeatable: boolean }> {
  await using network = await Network.create(platform, bytes, options);
  const first = await network.run(input);
  let error = 0;
  for (const [name, { dims, data }] of expected) {
    const actual = first[name];
    if (!actual || formatDims(actual.dims) !== formatDims(dims)) {
      throw new Error(
        `output "${name}": expected ${formatDims(dims)}, got ${actual ? formatDims(actual.dims) : 'none'}`,
      );
    }
    const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
    // Math.max, unlike >, keeps a NaN
    for (const [i, value] of data.entries()) error = Math.max(error, Math.abs(actual.data[i]! - value) / largest);
  }
  let repeatable = true;
  for (let run = 1; run < RUNS && repeatable; run++) {
    const again = await network.run(input);
    repeatable = Object.entries(first).every(([name, { data }]) => sameBits(data, again[name]!.data));
  }
  return { error, repeatable };
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bitsOf = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  return bitsOf(a).equals(bitsOf(b));
}

async function runOnnxRuntime(
  ort: OnnxRuntime,
  bytes: Uint8Array,
  input: Float32Array,
  inputShape: InputShape,
): Promise<Map<string, OutputTensor>> {
  const session = await createSession(ort, bytes);
  try {
    const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', input, inputShape) };
    const results = await session.run(feeds, { logSeverityLevel: 3 });
    const tensorOf = (name: string): OutputTensor => {
      const { dims, data } = results[name]!;
      return { dims, data: data as Float32Array };
    };
    return new Map(session.outputNames.map((name) => [name, tensorOf(name)]));
  } finally {
    await session.release();
  }
}
