import type { Model } from './loader/model.ts';
import { loadModel } from './loader/onnx.ts';
import type { ModelSource, Platform } from './platform.ts';

/** ONNX bytes, or where to find them. */
export type ModelInput = Uint8Array | ArrayBuffer | string | URL;

export interface OpenedModel {
  readonly bytes: Uint8Array;
  readonly model: Model;
}

/** @throws ModelError, or `signal.reason` when aborted */
export async function openModel(platform: Platform, input: ModelInput, signal?: AbortSignal): Promise<OpenedModel> {
  signal?.throwIfAborted();
  const source = await readSource(platform, input, signal);
  return { bytes: source.bytes, model: await loadModel(source.bytes, source) };
}

async function readSource(platform: Platform, input: ModelInput, signal?: AbortSignal): Promise<ModelSource> {
  if (input instanceof Uint8Array) return { bytes: input };
  if (input instanceof ArrayBuffer) return { bytes: new Uint8Array(input) };
  if (typeof input === 'string' || input instanceof URL) return platform.readModel(input, signal);
  throw new TypeError(`model: expected a path, a URL or bytes, got ${input === null ? 'null' : typeof input}`);
}
