import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { identifyModel } from '../../src/architectures/identify.ts';
import { findArchitecture } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { headLayoutOf } from '../../src/detector/heads.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import type { Model } from '../../src/loader/model.ts';
import { modelNamed, withData } from '../support/data.ts';

const identify = (bytes: Uint8Array | string | undefined, model: Model) =>
  identifyModel(bytes, model, headLayoutOf(model)!);

const REAL = [
  ['det_500m', 'scrfd_500m_kps', 'official-2021', 5, 'batch'],
  ['scrfd_1g', 'scrfd_1g', '2022', 0, 'group'],
  ['scrfd_2.5g', 'scrfd_2.5g', '2022', 0, 'group'],
  ['scrfd_2.5g_kps', 'scrfd_2.5g_kps', '2022', 5, 'batch'],
  ['scrfd_2.5g_kps_renamed_opset12', 'scrfd_2.5g_kps', 'renamed', 5, 'batch'],
  ['scrfd_500m', 'scrfd_500m', '2022', 0, 'group'],
  ['scrfd_500m_kps', 'scrfd_500m_kps', '2022', 5, 'batch'],
  ['scrfd_500m_kps_static320', 'scrfd_500m_kps', 'simplified', 5, 'batch'],
] as const;

withData('real files', () => {
  it.each(REAL)('%s.onnx is %s, %s, by hash and by graph', async (file, name, generation, keypoints, norm) => {
    const bytes = new Uint8Array(await readFile(modelNamed(`${basename(file)}.onnx`)));
    const model = await loadModel(bytes);
    const expected = { name, generation, keypoints, norm, anchors: 2, strides: [8, 16, 32] };
    expect(await identify(bytes, model)).toMatchObject({ ...expected, source: 'hash' });
    expect(await identify(undefined, model)).toMatchObject({ ...expected, source: 'graph' });
  });

  it('knows the person detector by its hash alone', async () => {
    const bytes = new Uint8Array(await readFile(modelNamed('scrfd_person_2.5g.onnx')));
    const model = await loadModel(bytes);
    const expected = { generation: 'official-2021', anchors: 1, strides: [8, 16, 32, 64, 128], keypoints: 5 };
    expect(await identify(bytes, model)).toMatchObject({ ...expected, name: 'scrfd_person_2.5g' });
    expect(await identify('00', model)).toMatchObject({ ...expected, name: null, source: 'graph' });
  });
});

describe('RetinaFace', () => {
  it('is known by its hash and by its outputs', async () => {
    const bytes = new Uint8Array(await readFile(createRequire(import.meta.url).resolve('retinaface/mnet.25_v2.onnx')));
    const model = await loadModel(bytes);
    const expected = { family: 'retinaface', anchors: 2, strides: [32, 16, 8], keypoints: 5, generation: 'mxnet' };
    expect(await identify(bytes, model)).toMatchObject({
      ...expected,
      name: 'retinaface_mnet025',
      source: 'hash',
    });
    expect(await identify(undefined, model)).toMatchObject({ ...expected, name: null, source: 'graph' });
  });
});

describe('generated files', () => {
  it.each(['scrfd_500m', 'scrfd_2.5g_kps', 'mobilenet_0.5g'])('%s is told by its layers', async (name) => {
    const member = findArchitecture(name);
    const bytes = synthesizeModel(member);
    expect(await identify(bytes, await loadModel(bytes))).toEqual({
      family: 'scrfd',
      name,
      source: 'graph',
      keypoints: member.keypoints ? 5 : 0,
      norm: member.headGroups === null ? 'batch' : 'group',
      anchors: 2,
      strides: [8, 16, 32],
      generation: 'synthesized',
      published: member.published,
    });
  });

  it('has no name for another architecture', async () => {
    const bytes = synthesizeModel({ ...findArchitecture('500m'), neck: 32 });
    const identity = await identify(bytes, await loadModel(bytes));
    expect(identity).toMatchObject({ name: null, generation: 'synthesized', published: null });
  });
});
