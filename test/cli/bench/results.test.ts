import { describe, expect, it, test } from 'vitest';
import { drawChart } from '../../../src/cli/bench/chart.ts';
import { assertSameAdapter, compareResults } from '../../../src/cli/bench/compare.ts';
import { groupByCase, parseResults, roofMs } from '../../../src/cli/bench/results.ts';
import { formatKernels, formatResults, formatRows } from '../../../src/cli/bench/tables.ts';
import { formatTable } from '../../../src/cli/shared/table.ts';
import { resultsOf, rowOf } from './results.ts';

const results = resultsOf([
  rowOf('scrfd-webgpu', 10, {
    gpuMs: 8,
    sustainedGpuMs: 3.5,
    cpuMs: { upload: 0.25, encode: 0.5, submit: 0.125, readBack: 0.0625 },
    stagesMs: { letterbox: 1, network: 6, faces: 1 },
    outsideMs: 2,
    dispatches: 12,
    memoryBytes: 2.5e6,
  }),
  rowOf('scrfd-network', 20),
  rowOf('ort-webgpu', 40),
  rowOf('ort-webgpu', 80, { batch: 2 }),
]);

describe('parseResults', () => {
  it('reads what was written', () => {
    expect(parseResults(JSON.stringify(results))).toEqual(results);
    expect(parseResults(JSON.stringify({ ...results, commit: null })).commit).toBeNull();
  });

  it('reads what versions without sustained times wrote', () => {
    const rows = results.rows.map(({ sustainedMs: _, ...old }) => old);
    const old = parseResults(JSON.stringify({ ...results, rows }));
    expect(old.rows[0]).not.toHaveProperty('sustainedMs');
    const lines = compareResults(old, results).trim().split('\n').slice(3);
    expect(lines).toHaveLength(results.rows.length);
    for (const line of lines) expect(line).toMatch(/ with rests .+ 1\.00 ×$/);
  });

  const [row] = results.rows;
  it.each([
    ['[]', 'expected an object'],
    [{ ...results, adapter: 1 }, 'adapter: expected a string'],
    [{ ...results, commit: 1 }, 'commit: expected a string or null'],
    [{ ...results, ceilings: { fmaGflops: 1 } }, 'ceilings.copyGBs: expected a positive number'],
    [{ ...results, rows: {} }, 'rows: expected an array'],
    [{ ...results, rows: [row, null] }, 'rows[1]: expected an object'],
    [{ ...results, rows: [{ ...row, size: [64] }] }, 'rows[0].size: expected [width, height]'],
    [{ ...results, rows: [{ ...row, batch: 0 }] }, 'rows[0].batch: expected a positive number'],
    [{ ...results, rows: [{ ...row, provider: 'x' }] }, 'rows[0].provider: expected one of scrfd-webgpu, '],
    [{ ...results, rows: [{ ...row, wallMs: { median: 1, p10: 1 } }] }, 'rows[0].wallMs.p90: expected a positive'],
    [{ ...results, rows: [{ ...row, sustainedMs: { median: 1 } }] }, 'rows[0].sustainedMs.p10: expected a positive'],
  ])('refuses what it cannot use: %#', (content, message) => {
    expect(() => parseResults(typeof content === 'string' ? content : JSON.stringify(content))).toThrow(message);
  });
});

describe('compareResults', () => {
  it('sets times of the same case and provider beside each other', () => {
    const now = resultsOf([rowOf('ort-webgpu', 20), rowOf('ort-cpu-1', 5)], {
      commit: null,
      ceilings: { fmaGflops: 100, copyGBs: 20 },
    });
    const lines = compareResults(results, now).trim().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/runs +abc1234 +now +speed/);
    expect(lines[1]).toMatch(/GFLOP\/s +200 +100 +0\.50 ×/);
    expect(lines[3]).toMatch(/^a<b>\.onnx 64×32 ×1 +ort-webgpu +sustained +20\.0 ms +10\.0 ms +2\.00 ×$/);
    expect(lines[4]).toMatch(/^a<b>\.onnx 64×32 ×1 +ort-webgpu +with rests +40\.0 ms +20\.0 ms +2\.00 ×$/);
  });

  it('refuses results of another adapter', () => {
    const other = { ...results, adapter: 'Other GPU' };
    const message = 'results of different adapters cannot be compared: expected "Example GPU", got "Other GPU"';
    expect(() => compareResults(other, results)).toThrow(new RangeError(message));
    expect(() => assertSameAdapter(other, 'Example GPU')).toThrow(message);
  });
});

describe('tables', () => {
  it('give every time its ratios and its part of the ceiling', () => {
    const lines = formatRows(results).trim().split('\n');
    expect(lines[1]).toMatch(/sustained +5\.00 +4\.00 +6\.00 +3\.50 +20\.0 +10 % +1\.00 × +0\.50 × +12 +2\.50$/);
    expect(lines[3]).toMatch(/ort-webgpu +sustained +20\.0 +16\.0 +24\.0 +5\.00 +2\.5 % +4\.00 × +2\.00 ×$/);
    expect(lines[4]).toMatch(/with rests +10\.0 +9\.00 +12\.0 +8\.00 +10\.0 +5\.0 % +1\.00 × +0\.50 × +12 +2\.50$/);
    expect(lines[6]).toMatch(/ort-webgpu +with rests +40\.0 +36\.0 +48\.0 +2\.50 +1\.3 % +4\.00 × +2\.00 ×$/);
    // another batch is another case, of which there is nothing of ours
    expect(lines[7]).not.toContain('×  ');
    expect([...groupByCase(results.rows).keys()]).toEqual(['a<b>.onnx 64×32 ×1', 'a<b>.onnx 64×32 ×2']);
  });

  it('say where the time goes', () => {
    const text = formatResults(
      resultsOf(results.rows, {
        coldStarts: [{ model: 'm', size: [64, 32], cache: 'cold', createMs: 200, firstMs: 1000 }],
        throughputs: [
          { model: 'm', size: [64, 32], calls: 4, batch: 1, picturesPerSecond: 250 },
          { model: 'm', size: [64, 32], calls: 1, batch: 32, picturesPerSecond: null },
        ],
      }),
    );
    expect(text).toMatch(/whole run on the GPU .+\n.+ 3\.50 +1\.00 \(10 %\)/);
    expect(text).toMatch(/upload +encode +submit +read-back +sum\n.+ 0\.250 +0\.500 +0\.125 +0\.063 +0\.938\n/);
    expect(text).toMatch(/m 64×32 +4 +1 +250 +4\.00\n/);
    expect(text).toMatch(/m 64×32 +1 +32 +not measured\n/);
    expect(text).toMatch(/1\.00 \(10 %\) +6\.00 \(60 %\) +1\.00 \(10 %\) +2\.00 \(20 %\)\n/);
    expect(text).toMatch(/m 64×32 +cold +200 +1000 +1200\n/);
    expect(text).toContain('ceilings: 200 GFLOP/s multiply-add, 20.0 GB/s copied\n');
  });

  it('hold every kernel against the roof that is nearer', () => {
    const ceilings = { fmaGflops: 200, copyGBs: 20 };
    const steps = [
      { label: 'a/conv2d', gflop: 0.2, gb: 0.001, ms: 2 },
      { label: 'x/y/conv2d', gflop: 0.2, gb: 0.001, ms: 4 },
      { label: 'b/resize', gflop: 0, gb: 0.02, ms: 2 },
    ];
    expect(steps.map((step) => roofMs(step, ceilings))).toEqual([1, 1, 1]);
    const text = formatKernels({ model: 'm', size: [64, 32], batch: 1, steps }, ceilings);
    expect(text).toMatch(/^Each launch below has a compute pass of its own.+\nsums exceed .+\n\nm 64×32 ×1 /);
    expect(text).toMatch(/^a\/conv2d +0\.200 +0\.0010 +2\.000 +100 +0\.50 +50 % +25 %$/m);
    expect(text).toMatch(/^conv2d \(2\) +0\.400 +0\.0020 +6\.000 +66\.7 +0\.33 +33 % +75 %$/m);
    expect(text).toMatch(/^all +0\.400 +0\.0220 +8\.000 +50\.0 +2\.75 +38 % +100 %$/m);
  });

  it('are Markdown when asked', () => {
    expect(
      formatTable(
        [
          ['name', 'ms'],
          ['a', '1'],
        ],
        1,
        'markdown',
      ),
    ).toBe('| name | ms |\n| ---- | -: |\n| a    |  1 |\n');
  });
});

describe('drawChart', () => {
  const svg = drawChart(results);

  test('a bar, its width by the logarithm, and a label a row', () => {
    const widths = [...svg.matchAll(/<rect x="130" y="[\d.]+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toHaveLength(4);
    const [ten, twenty, forty, eighty] = widths as [number, number, number, number];
    expect(twenty - ten).toBeCloseTo(forty - twenty, 0);
    expect(eighty - forty).toBeCloseTo(forty - twenty, 0);
    expect(twenty).toBeGreaterThan(ten);
    for (const label of ['5.00 ms', '10.0 ms', '20.0 ms', '40.0 ms', 'Example GPU'])
      expect(svg).toContain(`>${label}<`);
  });

  test('well-formed, whatever a model is called', () => {
    expect(svg).toContain('a&lt;b&gt;.onnx');
    const opened = [...svg.matchAll(/<([a-z]+)[^<>]*?(\/?)>/g)].filter(([, , closed]) => closed === '');
    const closed = [...svg.matchAll(/<\/([a-z]+)>/g)];
    expect(opened.map(([, tag]) => tag).sort()).toEqual(closed.map(([, tag]) => tag).sort());
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('nothing to draw', () => {
    expect(() => drawChart({ ...results, rows: [] })).toThrow('chart: expected rows, got none');
  });
});
