import { describe, expect, test } from 'vitest';
import { runBench } from '../../bench/browser/run.ts';
import { hasChromium } from '../support/browser.ts';

describe.skipIf(!hasChromium)('the bench in Chromium', () => {
  test('measures us and onnxruntime-web on the same input, and they agree', { timeout: 120_000 }, async () => {
    const { results, weights } = await runBench({
      ...{ models: ['scrfd_500m_kps'], size: [[64, 64]], runs: 1 },
      providers: ['scrfd-webgpu', 'scrfd-network', 'ort-wasm-1'],
    });
    expect(results).toHaveLength(1);
    expect(results[0]!.adapter).not.toBe('');
    expect(results[0]!.rows.map(({ provider }) => provider)).toEqual(['scrfd-webgpu', 'scrfd-network', 'ort-wasm-1']);
    for (const { wallMs, firstMs } of results[0]!.rows) {
      expect(wallMs.median).toBeGreaterThan(0);
      expect(firstMs).toBeGreaterThan(wallMs.median / 2);
    }
    const [faces, own, peer] = results[0]!.rows.map(({ maxDifference }) => maxDifference);
    expect([faces, own]).toEqual([null, 0]);
    expect(peer).toBeGreaterThan(0);
    expect(peer).toBeLessThan(1e-4);
    const [ours, theirs] = weights;
    // with the kernels of a software adapter
    expect(ours!.gzip).toBeLessThanOrEqual(66_000);
    expect(theirs!.gzip).toBeGreaterThan(10 * ours!.gzip);
  });
});
