import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { loadModel } from '../../src/loader/load-model.ts';
import { modelFiles, withData } from '../support/data.ts';

const dynamic = ['?', 3, '?', '?'];
const oneDynamic = [1, 3, '?', '?'];
const scoresAndBoxes = ['score_8', 'score_16', 'score_32', 'bbox_8', 'bbox_16', 'bbox_32'];
const withLandmarks = [...scoresAndBoxes, 'kps_8', 'kps_16', 'kps_32'];
const numbered = ['443', '468', '493', '446', '471', '496', '449', '474', '499'];
const renamed = Array.from({ length: 9 }, (_, index) => `out${index}`);
const person = [490, 510, 530, 550, 570, 493, 513, 533, 553, 573, 496, 516, 536, 556, 576].map(String);

interface Facts {
  readonly producer: string;
  readonly opset: number;
  readonly input: readonly (number | string)[];
  readonly outputs: readonly string[];
  readonly nodes: number;
  readonly initializers: number;
}

/** Facts of the files in the data folder; a file that is not listed must still load. */
const facts: Record<string, Facts> = {
  'det_500m.onnx': fact('1.6', 11, oneDynamic, numbered, 146, 126),
  'scrfd_1g.onnx': fact('1.8', 11, dynamic, scoresAndBoxes, 279, 117),
  'scrfd_2.5g.onnx': fact('1.8', 11, dynamic, scoresAndBoxes, 241, 117),
  'scrfd_2.5g_kps.onnx': fact('1.8', 11, dynamic, withLandmarks, 202, 135),
  'scrfd_2.5g_kps_renamed_opset12.onnx': fact('1.8', 12, [1, 3, 640, 640], renamed, 202, 135),
  'scrfd_500m.onnx': fact('1.8', 11, dynamic, scoresAndBoxes, 287, 125),
  'scrfd_500m_kps.onnx': fact('1.8', 11, dynamic, withLandmarks, 191, 138),
  'scrfd_500m_kps_static320.onnx': fact('1.7', 11, [1, 3, 320, 320], numbered, 128, 124),
  'scrfd_person_2.5g.onnx': fact('1.7', 11, oneDynamic, person, 189, 149),
};

function fact(
  version: string,
  opset: number,
  input: Facts['input'],
  outputs: Facts['outputs'],
  nodes: number,
  initializers: number,
): Facts {
  return { producer: `pytorch ${version}`, opset, input, outputs, nodes, initializers };
}

withData('real models', () => {
  for (const path of modelFiles()) {
    const name = basename(path);

    test(name, async () => {
      const model = await loadModel(readFileSync(path));
      const { producer, opset, inputs, outputs, nodes, initializers } = model;
      expect(inputs).toHaveLength(1);
      expect(inputs[0]!.type).toBe('float32');
      expect(new Set(nodes.map(({ name }) => name)).size).toBe(nodes.length);
      for (const tensor of initializers.values()) expect(tensor.data.byteOffset).toBe(0);

      const known = facts[name];
      if (!known) return;
      expect({
        producer,
        opset,
        input: inputs[0]!.dims,
        outputs: outputs.map(({ name }) => name),
        nodes: nodes.length,
        initializers: initializers.size,
      }).toEqual(known);
    });

    test(`${name} cut anywhere is refused`, async () => {
      const bytes = readFileSync(path);
      for (const part of [0.01, 0.25, 0.5, 0.9, 0.999]) {
        await expect(loadModel(bytes.subarray(0, Math.floor(bytes.length * part)))).rejects.toThrow('ends too early');
      }
    });
  }
});
