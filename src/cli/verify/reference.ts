import type { Tensor } from 'onnxruntime-node';
import { ModelError } from '../../common/errors.ts';
import { toHalf, widenFloat16 } from '../../common/float16.ts';
import { formatDims } from '../../common/tensor.ts';
import type { Model } from '../../loader/model.ts';
import { bytes, concatenate, string } from '../../loader/protobuf-writer.ts';
import { nodePlatform } from '../../node/platform.ts';
import type { OutputTensor } from '../../runtime/network.ts';
import { type OpenedModel, openModel } from '../../runtime/open-model.ts';
import type { Platform } from '../../runtime/platform.ts';
import { createSession, type OnnxRuntime } from '../shared/onnxruntime.ts';
import type { InputTensor } from './inputs.ts';

/** A model as onnxruntime is to run it. */
export interface ReferenceModel extends OpenedModel {
  /** The files that its weights lie in, by the names that it has for them. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** Opens a model with all that lies beside it. @throws ModelError, and `signal.reason` when aborted */
export async function openReference(path: string, signal: AbortSignal): Promise<ReferenceModel> {
  const files = new Map<string, Uint8Array>();
  const platform: Platform = {
    ...nodePlatform,
    async readModel(source, options) {
      const { bytes: file, readExternal } = await nodePlatform.readModel(source, options);
      const read = async (location: string) => {
        const data = await readExternal!(location);
        files.set(location, data);
        return data;
      };
      return { bytes: file, ...(readExternal && { readExternal: read }) };
    },
  };
  const opened = await openModel(platform, path, { signal });
  return { ...opened, externalData: Array.from(files, ([name, data]) => ({ path: name, data })) };
}

/**
 * A model's outputs of floats by onnxruntime, in the model's order, then the further values that are asked for. A file of a smaller
 * batch runs part by part.
 * @throws ModelError in one line where onnxruntime does not run it
 */
export async function runReference(
  ort: OnnxRuntime,
  reference: ReferenceModel,
  taps: readonly string[],
  inputs: readonly InputTensor[],
): Promise<Map<string, OutputTensor>> {
  const parts = splitBatch(reference.model, inputs);
  try {
    const { externalData } = reference;
    const session = await createSession(ort, appendOutputs(reference.bytes, taps), { externalData });
    try {
      const runs: Record<string, Tensor>[] = [];
      for (const part of parts) {
        const feeds = part.map((input, i) => [input.name, makeTensor(ort, reference.model.inputs[i]!.type, input)]);
        runs.push(await session.run(Object.fromEntries(feeds), { logSeverityLevel: 3 }));
      }
      const values = session.outputNames.map((each) => [each, runs.map((run) => readFloats(run[each]!))] as const);
      return new Map(values.flatMap(([each, read]) => (isWhole(read) ? [[each, joinBatches(read)]] : [])));
    } finally {
      await session.release();
    }
  } catch (error) {
    const shapes = parts[0]!.map(({ dims }) => formatDims(dims)).join(', ');
    throw new ModelError(`onnxruntime does not run this file at ${shapes}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Inputs for one run after another, of as many images as the file is for; all of them at once where it leaves that open. */
function splitBatch({ inputs: [first] }: Model, inputs: readonly InputTensor[]): InputTensor[][] {
  const [batch = 1] = inputs[0]!.dims;
  const declared = first!.dims?.[0];
  const count = typeof declared === 'number' && batch % declared === 0 ? batch / declared : 1;
  return Array.from({ length: count }, (_, part) =>
    inputs.map(({ name, dims, data }) => {
      const size = data.length / count;
      const one = count === 1 ? dims : [dims[0]! / count, ...dims.slice(1)];
      return { name, dims: one, data: data.slice(part * size, (part + 1) * size) };
    }),
  );
}

function makeTensor(ort: OnnxRuntime, type: string, { dims, data }: InputTensor): Tensor {
  switch (type) {
    case 'float32':
      return new ort.Tensor(type, data, dims);
    case 'float16':
      return new ort.Tensor(type, toHalf(data), dims);
    case 'float64':
      return new ort.Tensor(type, Float64Array.from(data), dims);
    default:
      throw new ModelError(`expected an input of float32, float16 or float64, got ${type}`);
  }
}

/** Undefined for what holds no floats. */
function readFloats({ type, dims, data }: Tensor): OutputTensor | undefined {
  if (data instanceof Float32Array) return { dims, data };
  if (data instanceof Float64Array) return { dims, data: Float32Array.from(data) };
  // newer Node has a class of its own for them
  if (type === 'float16' && ArrayBuffer.isView(data)) {
    return { dims, data: widenFloat16(new Uint16Array(data.buffer, data.byteOffset, data.length)) };
  }
  return undefined;
}

function isWhole(parts: readonly (OutputTensor | undefined)[]): parts is OutputTensor[] {
  return !parts.includes(undefined);
}

/** Results of parts of a batch as those of the whole, by their leading dimension. */
function joinBatches(parts: readonly OutputTensor[]): OutputTensor {
  const [first] = parts as [OutputTensor];
  if (parts.length === 1) return first;
  const data = new Float32Array(first.data.length * parts.length);
  for (const [i, part] of parts.entries()) data.set(part.data, i * first.data.length);
  const [leading = 1, ...rest] = first.dims;
  return { dims: [leading * parts.length, ...rest], data };
}

/** Declares more graph outputs. Protobuf merges messages that stand one after another, so nothing need be decoded. */
function appendOutputs(model: Uint8Array, names: readonly string[]): Uint8Array {
  if (names.length === 0) return model;
  // field 7 of a model is its graph, 12 of a graph an output, 1 of an output its name
  const outputs = names.flatMap((name) => bytes(12, string(1, name)));
  return concatenate([model, ...bytes(7, outputs)]);
}

/** Values made of the input's elements that are no outputs; shapes and constants are computed before a network runs. */
export function intermediateValues(model: Model): string[] {
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
