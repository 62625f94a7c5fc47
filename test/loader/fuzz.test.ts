import { describe, expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { floatTensor, intTensor } from '../../src/common/tensor.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { buildModel, float, int, ints, tensor, text } from '../support/onnx-builder.ts';
import { createRng } from '../support/rng.ts';

const rng = createRng(20_210_501);

const sample = buildModel({
  inputs: [{ name: 'x', dims: [1, 3, 'h', null] }],
  outputs: [{ name: 'y', dims: [1, 4] }, 'z'],
  nodes: [
    { op: 'Constant', inputs: [], outputs: ['c'], attributes: { value: tensor(intTensor([2], [7, -1])) } },
    {
      op: 'Conv',
      name: 'Conv_1',
      inputs: ['x', 'w', ''],
      outputs: ['m'],
      attributes: { pads: ints([1, 1, 1, 1]), group: int(1), alpha: float(0.5), auto_pad: text('NOTSET') },
    },
    { op: 'Reshape', inputs: ['m', 'c'], outputs: ['y'] },
    { op: 'Thing', domain: 'com.acme', inputs: ['y', 'h', 'v'], outputs: ['z'] },
  ],
  initializers: {
    w: floatTensor([4, 3, 1, 1], rng.floats(12)),
    h: { dims: [3], dataType: 10, int32Data: [0x3c00, 1, 0x8000] },
    v: { dims: [2], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'v.bin' }] },
  },
});

const readExternal = async () => new Uint8Array(8);

/** Damaged bytes give a model or a ModelError, soon. */
async function survives(bytes: Uint8Array, what: string): Promise<void> {
  const start = performance.now();
  try {
    await loadModel(bytes, { readExternal });
  } catch (error) {
    expect(error, `${what}: ${error instanceof Error ? error.stack : error}`).toBeInstanceOf(ModelError);
    expect((error as Error).message, what).toMatch(/\S: |\S /);
  }
  // milliseconds are usual; two seconds is room for a busy machine
  expect(performance.now() - start, what).toBeLessThan(2000);
}

describe('damaged bytes give a model or a ModelError', () => {
  test('the sample itself loads', async () => {
    expect((await loadModel(sample, { readExternal })).nodes).toHaveLength(4);
  });

  test('cut anywhere', async () => {
    for (let end = 0; end < sample.length; end++) await survives(sample.subarray(0, end), `cut at ${end}`);
  });

  test('started anywhere', async () => {
    for (let start = 1; start < sample.length; start++) await survives(sample.subarray(start), `from ${start}`);
  });

  test('one bit flipped', async () => {
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const bytes = sample.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      await survives(bytes, `bit ${bit}`);
    }
  });

  test('several bytes replaced', async () => {
    for (let round = 0; round < 4000; round++) {
      const bytes = sample.slice();
      const positions = Array.from({ length: rng.int(2, 8) }, () => rng.int(0, bytes.length - 1));
      for (const position of positions) bytes[position] = rng.pick([0, 1, 0x7f, 0x80, 0xff, rng.int(0, 255)]);
      await survives(bytes, `round ${round}, bytes ${positions}`);
    }
  });

  test('a run removed or repeated', async () => {
    for (let round = 0; round < 1000; round++) {
      const start = rng.int(0, sample.length - 1);
      const end = rng.int(start, sample.length);
      const head = sample.subarray(0, round % 2 ? start : end);
      await survives(
        Buffer.concat([head, sample.subarray(round % 2 ? end : start)]),
        `round ${round}, ${start}-${end}`,
      );
    }
  });

  test('noise', async () => {
    for (let round = 0; round < 1000; round++) await survives(rng.bytes(rng.int(1, 300)), `round ${round}`);
  });

  test('damaged dimensions allocate nothing', async () => {
    for (const dims of [[2 ** 31], [2 ** 31 - 1, 2 ** 20], [2 ** 52], [-1], [0, -5]]) {
      for (const data of [{ rawData: new Uint8Array(8) }, { floatData: [1, 2] }, {}]) {
        const before = process.memoryUsage().arrayBuffers;
        await survives(
          buildModel({ outputs: ['w'], nodes: [], initializers: { w: { dims, dataType: 1, ...data } } }),
          `dims ${dims}`,
        );
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
      }
    }
  });
});
