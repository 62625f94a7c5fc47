import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { buildModel, type NodeSpec, tensor } from '../support/onnx-builder.ts';

const EXTERNAL = 1;

function external(dims: number[], entries: Record<string, string | number>) {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value: String(value) }));
  return { dims, dataType: 1, dataLocation: EXTERNAL, externalData };
}

function model(initializers: Record<string, ReturnType<typeof external>>, nodes: NodeSpec[] = []) {
  const [first] = Object.keys(initializers);
  const identity = { op: 'Identity', inputs: [first ?? 'c'], outputs: ['y'] };
  return buildModel({ outputs: ['y'], nodes: [...nodes, identity], initializers });
}

const file = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);

describe('external data', () => {
  test('offset and length, each file read once', async () => {
    const asked: string[] = [];
    const bytes = model({
      all: external([4], { location: 'w.bin' }),
      tail: external([2], { location: 'w.bin', offset: 8, length: 8 }),
      head: external([1], { location: 'w.bin', offset: 0 }),
      other: external([2, 2], { location: 'sub/v.bin' }),
    });
    const readExternal = async (location: string) => {
      asked.push(location);
      return file;
    };
    const { initializers } = await loadModel(bytes, { readExternal });
    expect(asked).toEqual(['w.bin', 'sub/v.bin']);
    expect(initializers.get('all')).toEqual({ type: 'float32', dims: [4], data: Float32Array.of(1, 2, 3, 4) });
    expect(initializers.get('tail')!.data).toEqual(Float32Array.of(3, 4));
    expect(initializers.get('head')!.data).toEqual(Float32Array.of(1));
    expect(initializers.get('other')!.dims).toEqual([2, 2]);
  });

  test('a misaligned offset in a view of a larger buffer', async () => {
    const padded = new Uint8Array(3 + 5 + file.length);
    padded.set(file, 8);
    const bytes = model({ w: external([4], { location: 'w', offset: 5 }) });
    const { initializers } = await loadModel(bytes, { readExternal: async () => padded.subarray(3) });
    expect(initializers.get('w')!.data).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  test('the tensor of a Constant', async () => {
    const value = external([4], { location: 'w.bin' });
    const bytes = model({}, [{ op: 'Constant', inputs: [], outputs: ['c'], attributes: { value: tensor(value) } }]);
    const { nodes } = await loadModel(bytes, { readExternal: async () => file });
    expect(nodes[0]!.attributes.tensor('value').data).toEqual(Float32Array.of(1, 2, 3, 4));
    await expect(loadModel(bytes)).rejects.toThrow("a constant: its values are in the external file 'w.bin'");
  });

  test('no reader', async () => {
    const loading = loadModel(model({ w: external([4], { location: 'w.bin' }) }));
    await expect(loading).rejects.toThrow(ModelError);
    await expect(loading).rejects.toThrow(
      `initializer "w": its values are in the external file 'w.bin', and there is no reader for it`,
    );
  });

  test('errors of the reader pass through', async () => {
    const reason = new DOMException('stop', 'AbortError');
    const bytes = model({ w: external([4], { location: 'w.bin' }) });
    await expect(loadModel(bytes, { readExternal: () => Promise.reject(reason) })).rejects.toBe(reason);
  });

  test.each([
    '/etc/passwd',
    '\\\\server\\share',
    'C:\\w.bin',
    'file:///w.bin',
    'https://host/w.bin',
    '..',
    '../w.bin',
    'sub/../../w.bin',
    'sub\\..\\w.bin',
    'w\0.bin',
  ])('%j is outside the folder and never read', async (location) => {
    let asked = false;
    const readExternal = async () => {
      asked = true;
      return file;
    };
    const loading = loadModel(model({ w: external([4], { location }) }), { readExternal });
    await expect(loading).rejects.toThrow(
      new ModelError(
        `initializer "w": expected an external file inside the model's folder, got ${JSON.stringify(location)}`,
      ),
    );
    expect(asked).toBe(false);
  });

  test('names that only look like climbing are read', async () => {
    const { initializers } = await loadModel(model({ w: external([4], { location: './a..b/..c' }) }), {
      readExternal: async () => file,
    });
    expect(initializers.size).toBe(1);
  });

  test.each([
    [{}, 'expected external data to name a location, got none'],
    [{ location: 'w', offset: 4 }, "expected bytes 4 to 20 of 'w', got a file of 16 bytes"],
    [{ location: 'w', length: 12 }, 'expected 16 bytes for 4 of float32, got 12'],
    [{ location: 'w', offset: -4 }, 'expected external data offset to be a byte count, got "-4"'],
    [{ location: 'w', length: 'x' }, 'expected external data length to be a byte count, got "x"'],
    [{ location: 'w', offset: '9'.repeat(30) }, 'expected external data offset to be a byte count'],
  ])('%j: %s', async (entries, message) => {
    const loading = loadModel(model({ w: external([4], entries) }), { readExternal: async () => file });
    await expect(loading).rejects.toThrow(ModelError);
    await expect(loading).rejects.toThrow(`initializer "w": ${message}`);
  });
});
