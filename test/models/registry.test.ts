import { describe, expect, test } from 'vitest';
import { bestModels, findModel, modelNames } from '../../src/models/registry.ts';

describe('the registry', () => {
  test.each([
    ['scrfd_500m_kps', 'det_500m.onnx'],
    ['det_500m', 'det_500m.onnx'],
    ['buffalo_s', 'det_500m.onnx'],
    ['det_2.5g', 'det_2.5g.onnx'],
    ['SCRFD_2.5G_KPS', 'det_2.5g.onnx'],
    ['det_10g', 'det_10g.onnx'],
    ['scrfd_10g_bnkps', 'det_10g.onnx'],
    ['buffalo_l', 'det_10g.onnx'],
    ['person_2.5g', 'scrfd_person_2.5g.onnx'],
    ['retinaface_mnet025', 'mnet.25_v2.onnx'],
  ])('knows %s', (name, file) => {
    expect(findModel(name)?.file).toBe(file);
  });

  test.each(['', 'det', 'det_500m.onnx', './det_500m'])('does not know %j', (name) => {
    expect(findModel(name)).toBeUndefined();
  });

  test('is consistent', () => {
    const entries = modelNames().map((name) => findModel(name)!);
    const names = entries.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(entries.map(({ file }) => file)).size).toBe(entries.length);
    for (const { name, sha256, bytes, sources, licence } of entries) {
      expect(names.filter((other) => other !== other.toLowerCase())).toEqual([]);
      expect(sha256, name).toMatch(/^[\da-f]{64}$/);
      expect(bytes, name).toBeGreaterThan(1e6);
      expect(licence, name).not.toBe('');
      expect(sources.length, name).toBeGreaterThan(0);
      for (const source of sources) {
        if (source.kind !== 'npm') expect(new URL(source.url).protocol).toBe('https:');
        if (source.kind === 'zip-member') expect(source.archiveSha256).toMatch(/^[\da-f]{64}$/);
      }
    }
  });

  test('has a best order of its face detectors', () => {
    expect(bestModels.map((name) => findModel(name)?.name)).toEqual(bestModels);
    expect(bestModels.indexOf('scrfd_2.5g_kps')).toBeLessThan(bestModels.indexOf('scrfd_500m_kps'));
    expect(bestModels).not.toContain('scrfd_person_2.5g');
  });
});
