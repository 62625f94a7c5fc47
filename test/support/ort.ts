import { readFile } from 'node:fs/promises';
import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { widenFloat16 } from '../../src/common/float16.ts';
import type { Dims } from '../../src/common/tensor.ts';

const { onnx } = onnxProto;

ort.env.logLevel = 'fatal';

export interface OrtTensor {
  readonly dims: Dims;
  readonly data: Float32Array;
}

export interface OrtOptions {
  readonly provider?: 'cpu' | 'webgpu';
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Intermediate values to return as well. */
  readonly extraOutputs?: readonly string[];
}

const sessions = new Map<string, Promise<ort.InferenceSession>>();

/** Runs a model with onnxruntime. Sessions of paths are kept until `disposeOrt`; those of bytes end with the call. */
export async function runOrt(
  model: string | Uint8Array,
  feeds: Readonly<Record<string, OrtTensor>>,
  options: OrtOptions = {},
): Promise<Record<string, OrtTensor>> {
  return Object.fromEntries(await runOrtInOrder(model, feeds, options));
}

/** Like `runOrt`, as (name, tensor) pairs in the model's order: a record would move numeric names to the front. */
export async function runOrtInOrder(
  model: string | Uint8Array,
  feeds: Readonly<Record<string, OrtTensor>> | OrtTensor,
  options: OrtOptions = {},
): Promise<[name: string, tensor: OrtTensor][]> {
  const session = await (typeof model === 'string' ? cachedSession(model, options) : createSession(model, options));
  try {
    const named = isTensor(feeds) ? { [session.inputNames[0]!]: feeds } : feeds;
    const inputs = Object.entries(named).map(([name, { dims, data }]) => [name, new ort.Tensor('float32', data, dims)]);
    const results = await session.run(Object.fromEntries(inputs), { logSeverityLevel: 4 });
    return session.outputNames.map((name) => [name, fromOrt(results[name]!)]);
  } finally {
    if (typeof model !== 'string') await session.release();
  }
}

/** Names in the model's order. */
export async function ortNames(
  path: string,
  options: OrtOptions = {},
): Promise<{ inputs: string[]; outputs: string[] }> {
  const { inputNames, outputNames } = await cachedSession(path, options);
  return { inputs: [...inputNames], outputs: [...outputNames] };
}

/** Releases every kept session. */
export async function disposeOrt(): Promise<void> {
  const open = [...sessions.values()];
  sessions.clear();
  for (const session of await Promise.allSettled(open)) {
    if (session.status === 'fulfilled') await session.value.release();
  }
}

/** A copy of the model that also returns the named intermediate values. */
export function withExtraOutputs(model: Uint8Array, names: readonly string[]): Uint8Array {
  const proto = onnx.ModelProto.decode(model);
  const outputs = proto.graph?.output;
  if (!outputs) throw new TypeError('not an ONNX model');
  for (const name of names) {
    if (!outputs.some((output) => output.name === name)) outputs.push({ name });
  }
  return onnx.ModelProto.encode(proto).finish();
}

function cachedSession(path: string, options: OrtOptions): Promise<ort.InferenceSession> {
  const { provider, graphOptimizationLevel, extraOutputs } = options;
  const key = JSON.stringify([path, provider, graphOptimizationLevel, extraOutputs]);
  let session = sessions.get(key);
  if (!session) {
    session = readFile(path).then((bytes) => createSession(bytes, options));
    sessions.set(key, session);
  }
  return session;
}

function createSession(
  model: Uint8Array,
  { provider = 'cpu', graphOptimizationLevel = 'all', extraOutputs = [] }: OrtOptions,
): Promise<ort.InferenceSession> {
  const bytes = extraOutputs.length > 0 ? withExtraOutputs(model, extraOutputs) : model;
  return ort.InferenceSession.create(bytes, {
    executionProviders: [provider],
    graphOptimizationLevel,
    // One thread: test files already run in parallel, and idle onnxruntime threads spin.
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
}

function fromOrt({ type, dims, data }: ort.Tensor): OrtTensor {
  return { dims: [...dims], data: floatsOf(type, data) };
}

function floatsOf(type: ort.Tensor.Type, data: ort.Tensor['data']): Float32Array {
  if (data instanceof Float32Array) return data;
  // their bits
  if (type === 'float16') return widenFloat16(Uint16Array.from(data as ArrayLike<number>));
  return Float32Array.from(data as ArrayLike<number>, Number);
}

function isTensor(feeds: Readonly<Record<string, OrtTensor>> | OrtTensor): feeds is OrtTensor {
  return feeds.data instanceof Float32Array;
}
