import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { BYTES, VARINT } from '../../src/loader/protobuf-reader.ts';
import { type Bytes, bytes, concatenate, int, string } from '../../src/loader/protobuf-writer.ts';

const RELU: Bytes = [...string(1, 'x'), ...string(2, 'y'), ...string(4, 'Relu')];
const ENDS: Bytes = [...bytes(11, string(1, 'x')), ...bytes(12, string(1, 'y'))];

/** A file of these fields in its graph. */
function file(...graph: Bytes[]): Uint8Array {
  return concatenate([
    ...int(1, 6),
    ...bytes(7, [...graph.flat(), ...ENDS]),
    ...bytes(8, [...string(1, ''), ...int(2, 13)]),
  ]);
}

/** The same bytes over and over. */
function repeated(times: number, ...once: number[]): Uint8Array {
  return new Uint8Array(Buffer.alloc(times * once.length, Uint8Array.from(once)));
}

function tensor(dataType: number, dims: Bytes, ...data: Bytes[]): Bytes {
  return bytes(5, [...string(8, 'w'), ...int(2, dataType), ...dims, ...data.flat()]);
}

/** CPU time and memory of a call. */
async function measure<T>(act: () => Promise<T>): Promise<{ result: T; seconds: number; bytes: number }> {
  const [cpu, memory] = [process.cpuUsage(), process.memoryUsage()];
  const result = await act();
  const { user, system } = process.cpuUsage(cpu);
  const after = process.memoryUsage();
  const grown = after.arrayBuffers + after.heapUsed - memory.arrayBuffers - memory.heapUsed;
  return { result, seconds: (user + system) / 1e6, bytes: grown };
}

const TOO_MANY = 'model: expected at most 2097152 nodes, attributes, names and numbers in all, got more';

describe('what a few bytes each ask for is counted before it is made', () => {
  test.each<[string, () => Uint8Array, string]>([
    ['empty attributes', () => file(bytes(1, [...RELU, repeated(2 ** 22, 5 * 8 + BYTES, 0)])), TOO_MANY],
    ['empty nodes', () => file([repeated(2 ** 22, 8 + BYTES, 0)]), TOO_MANY],
    ['inputs', () => file(bytes(1, [...RELU, repeated(2 ** 22, 8 + BYTES, 0)])), TOO_MANY],
    [
      'integers of an attribute',
      () =>
        file(bytes(1, [...RELU, ...bytes(5, [...string(1, 'a'), ...int(20, 7), ...bytes(8, [repeated(2 ** 22, 1)])])])),
      TOO_MANY,
    ],
    ['dimensions', () => file(bytes(1, RELU), tensor(1, bytes(1, [repeated(2 ** 22, 1)]))), TOO_MANY],
    ['dimensions, one a tag', () => file(bytes(1, RELU), tensor(1, [repeated(2 ** 22, 8 + VARINT, 1)])), TOO_MANY],
    [
      'a few dimensions',
      () => file(bytes(1, RELU), tensor(1, bytes(1, [repeated(9, 1)]))),
      'initializer "w": expected at most 8 dimensions, got 9',
    ],
    ['nodes', () => file([repeated(65_537, 8 + BYTES, 0)]), 'model: expected at most 65536 nodes, got 65537'],
  ])('%s', async (_, make, message) => {
    const content = make();
    const { result, seconds } = await measure(() => loadModel(content).catch((error: unknown) => error));
    expect(result).toEqual(new ModelError(message));
    expect(seconds).toBeLessThan(Math.max(1, content.length / 1e6));
  });

  test('a message never repeats megabytes', async () => {
    const name = 'n'.repeat(2 ** 20);
    const failure = await loadModel(file(bytes(1, [...RELU, ...string(3, name), ...string(1, 'missing')]))).catch(
      String,
    );
    expect(failure).toMatch(/^ModelError: n{1000}…$/);
  });
});

describe('large weights load in seconds, within twice their size', () => {
  const count = 24_000_000;
  test.each<[string, number, Bytes, number]>([
    ['int8, typed', 3, bytes(5, [repeated(count, 1)]), count],
    ['int8, raw', 3, bytes(9, [repeated(count, 1)]), count],
    ['float32, typed', 1, bytes(4, [repeated(count / 4, 0, 0, 128, 63)]), count / 4],
    ['float32, one a tag', 1, [repeated(count / 5, 0x25, 0, 0, 128, 63)], count / 5],
    ['float16, typed', 10, bytes(5, [repeated(count / 2, 0x80, 0x78)]), count / 2],
    ['float64, typed', 11, bytes(10, [repeated(count / 8, 0, 0, 0, 0, 0, 0, 240, 63)]), count / 8],
  ])('%s', async (_, dataType, data, elements) => {
    const content = file(bytes(1, RELU), tensor(dataType, int(1, elements), data));
    const { result, seconds, bytes: grown } = await measure(() => loadModel(content));
    const { type, dims } = result.initializers.get('w')!;
    expect(dims).toEqual([elements]);
    const size = type === 'int64' ? content.length : elements * 4;
    expect(grown).toBeLessThan(2 * size + 2 ** 24);
    // a fifth of a second alone
    expect(seconds).toBeLessThan(4);
    expect(Number(result.initializers.get('w')!.data[elements - 1])).toBe(1);
  });
});
