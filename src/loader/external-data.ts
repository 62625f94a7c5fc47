import { ModelError } from '../common/errors.ts';
import type { TensorProto } from './onnx-messages.ts';

/** Bytes of every external file the model names, by location. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/** Reads a file that lies beside the model; `location` is a relative path without `..`. */
export type ReadExternal = (location: string) => Promise<Uint8Array>;

const EXTERNAL = 1;

export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === EXTERNAL;
}

/** Reads each file once. Errors of `readExternal` pass through unchanged; a missing reader is a ModelError. */
export async function readExternalFiles(
  tensors: readonly TensorProto[],
  readExternal: ReadExternal | undefined,
): Promise<ExternalFiles> {
  const files = new Map<string, Uint8Array>();
  for (const tensor of tensors.filter(isExternal)) {
    const location = locate(tensor);
    if (files.has(location)) continue;
    if (!readExternal) {
      throw new ModelError(
        `${who(tensor)}: its values are in the external file '${location}', and there is no reader for it; ` +
          'load the model by path or URL with that file beside it, or save it with the weights inside',
      );
    }
    files.set(location, await readExternal(location));
  }
  return files;
}

/** The `byteLength` bytes of a tensor inside its external file. */
export function sliceExternal(name: string, tensor: TensorProto, files: ExternalFiles, byteLength: number): Uint8Array {
  const location = locate(tensor);
  const file = files.get(location);
  if (!file) throw new ModelError(`${name}: expected the external file '${location}' to be read, got nothing`);
  const offset = readCount(name, tensor, 'offset') ?? 0;
  const length = readCount(name, tensor, 'length') ?? byteLength;
  if (offset + length > file.byteLength) {
    throw new ModelError(
      `${name}: expected bytes ${offset} to ${offset + length} of '${location}', got a file of ${file.byteLength} bytes`,
    );
  }
  return file.subarray(offset, offset + length);
}

/** A model must not read files outside its folder, so the path is relative and never climbs. */
function locate(tensor: TensorProto): string {
  const location = readEntry(tensor, 'location');
  if (!location) throw new ModelError(`${who(tensor)}: expected external data to name a location, got none`);
  const climbs = location.split(/[\\/]/).includes('..');
  const absolute = /^[\\/]|^[a-z][a-z0-9+.-]*:/i.test(location);
  if (climbs || absolute || location.includes('\0')) {
    throw new ModelError(
      `${who(tensor)}: expected an external file inside the model's folder, got ${JSON.stringify(location)}`,
    );
  }
  return location;
}

/** The tensor of a Constant node often has no name of its own. */
function who(tensor: TensorProto): string {
  return tensor.name === '' ? 'a constant' : `initializer "${tensor.name}"`;
}

function readEntry(tensor: TensorProto, key: string): string | undefined {
  return tensor.externalData.find((entry) => entry.key === key)?.value;
}

function readCount(name: string, tensor: TensorProto, key: string): number | undefined {
  const text = readEntry(tensor, key);
  if (text === undefined) return undefined;
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(count)) {
    throw new ModelError(`${name}: expected external data ${key} to be a byte count, got ${JSON.stringify(text)}`);
  }
  return count;
}
