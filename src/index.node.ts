/// <reference lib="esnext.disposable" preserve="true" />
import { readFile } from 'node:fs/promises';
import { Detector, type DetectorOptions } from './detector.ts';
import type { ModelInput } from './model-source.ts';
import type { FetchModelOptions } from './models/cache.browser.ts';
import type { ModelEntry } from './models/registry.ts';
import { resolveModel } from './models/resolve.node.ts';
import { Network, type NetworkOptions } from './network.ts';
import { nodePlatform } from './platform.node.ts';

/**
 * A face detector for one SCRFD model.
 * @param model ONNX bytes or a Blob, a path or URL, or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 */
export function createDetector(model: ModelInput, options: DetectorOptions = {}): Promise<Detector> {
  return Detector.create(nodePlatform, model, options);
}

/**
 * A network with the ONNX graph's own outputs.
 * @param model ONNX bytes or a Blob, a path or URL, or a model's name, which is downloaded at its first use
 * @throws ModelError, UnsupportedOpError, DeviceError, RangeError, and `signal.reason` when aborted
 */
export function createNetwork(model: ModelInput, options: NetworkOptions): Promise<Network> {
  return Network.create(nodePlatform, model, options);
}

/**
 * The bytes of a published model, from the user's cache folder or downloaded and kept there, checked by SHA-256.
 * @param model a name or alias, or an entry of one's own
 * @throws ModelError naming every source and why it failed, and `signal.reason` when aborted
 */
export async function fetchModel(
  model: string | ModelEntry,
  options: FetchModelOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return readFile(await resolveModel(model, options));
}

export { paintFaces, writeAnnotated } from './draw.node.ts';
export { readImage } from './images.node.ts';
export { type ResolveOptions, resolveModel } from './models/resolve.node.ts';
export * from './public.ts';
