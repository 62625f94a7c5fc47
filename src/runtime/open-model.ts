import { readBytes } from '../common/caller-memory.ts';
import { ModelError } from '../common/errors.ts';
import { loadOperators } from '../graph/load-operators.ts';
import { loadModel } from '../loader/load-model.ts';
import type { Model } from '../loader/model.ts';
import type { LoadOptions, ModelSource, Platform } from './platform.ts';

/** ONNX bytes, or where to find them. */
export type ModelInput = Uint8Array | ArrayBuffer | Blob | string | URL;

export interface OpenedModel {
  readonly bytes: Uint8Array;
  readonly model: Model;
}

/** @throws ModelError, or `signal.reason` when aborted */
export async function openModel(
  platform: Platform,
  input: ModelInput,
  options: LoadOptions = {},
): Promise<OpenedModel> {
  options.signal?.throwIfAborted();
  const source = await readSource(platform, input, options);
  const model = await nameErrors(input, () => loadModel(source.bytes, source));
  await loadOperators(model);
  return { bytes: source.bytes, model };
}

/** Errors name the path or URL of a model; of bytes, which have none, they speak of the model. */
async function nameErrors<T>(input: ModelInput, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof ModelError) || (typeof input !== 'string' && !(input instanceof URL))) throw error;
    const name = String(input).replace(/^(data:.{20}).*/s, '$1…');
    throw new ModelError(error.message.replace(/^model: /, `${name}: `), { cause: error });
  }
}

async function readSource(platform: Platform, input: ModelInput, options: LoadOptions): Promise<ModelSource> {
  const bytes = readBytes(input);
  // a copy: weights stay where they are in it, and later sizes are compiled from them
  if (bytes) return { bytes: new Uint8Array(bytes) };
  if (typeof input === 'string' || input instanceof URL) return platform.readModel(input, options);
  if (input instanceof Blob) {
    // a blob may be a file that is not read yet
    const { maxBytes = Number.POSITIVE_INFINITY } = options.limits ?? {};
    if (input.size <= maxBytes) return { bytes: new Uint8Array(await input.arrayBuffer()) };
    throw new ModelError(`model: expected at most ${maxBytes} bytes (maxBytes), got ${input.size}`);
  }
  throw new TypeError(
    `model: expected a name, a path, a URL, bytes or a Blob, got ${input === null ? 'null' : typeof input}`,
  );
}
