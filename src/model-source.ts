import type { Model } from './loader/model.ts';
import { loadModel } from './loader/onnx.ts';
import type { Platform } from './platform.ts';

/** ONNX bytes, or where to find them. */
export type ModelInput = Uint8Array | ArrayBuffer | string | URL;

/** @throws ModelError, or `signal.reason` when aborted */
export async function openModel(platform: Platform, input: ModelInput, signal?: AbortSignal): Promise<Model> {
  signal?.throwIfAborted();
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return loadModel(input);
  if (typeof input !== 'string' && !(input instanceof URL)) {
    throw new TypeError(`model: expected a path, a URL or bytes, got ${input === null ? 'null' : typeof input}`);
  }
  const { bytes, readExternal } = await platform.readModel(input, signal);
  return loadModel(bytes, readExternal ? { readExternal } : {});
}
