import sharp from 'sharp';
import { expect, test } from 'vitest';
import { plotPrecisionRecall } from '../../../src/cli/eval/plot.ts';

const curve = { precision: Float64Array.of(Number.NaN, 1, 0.5), recall: Float64Array.of(0, 0.5, 1), faces: 2 };

test('a curve and a line of the legend a setting, without undefined points', () => {
  const svg = plotPrecisionRecall(
    [
      { ...curve, setting: 'easy', averagePrecision: 0.75 },
      { ...curve, setting: 'hard', averagePrecision: null },
    ],
    'this & <that>',
    'by whom',
  );
  expect([...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) => points)).toEqual(
    Array(2).fill('380.00,48.00 696.00,266.00'),
  );
  expect(svg).toContain('>easy (AP 75.00)<');
  expect(svg).toContain('>hard (no faces)<');
  expect(svg).toContain('>this &amp; &lt;that&gt;<');
  expect(svg).toContain('>by whom<');
  expect(svg).not.toContain('NaN');
});

test('a renderer draws it in its colours', async () => {
  const svg = plotPrecisionRecall([{ ...curve, setting: 'easy', averagePrecision: 0.75 }], 'title', 'caption');
  const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([720, 540]);
  // halfway down the line from (0.5, 1) to (1, 0.5)
  const at = (157 * 720 + 538) * 3;
  expect([...data.subarray(at, at + 3)]).toEqual([0x1b, 0x9e, 0x77]);
});
