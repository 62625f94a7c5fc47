import { svgText } from '../shared/svg.ts';
import type { SettingResult } from './average-precision.ts';

const [WIDTH, HEIGHT] = [720, 540];
const MARGIN = { left: 64, right: 24, top: 48, bottom: 56 };
const COLOURS = { easy: '#1b9e77', medium: '#7570b3', hard: '#d95f02', all: '#1f78b4' } as const;

const formatX = (recall: number) => (MARGIN.left + recall * (WIDTH - MARGIN.left - MARGIN.right)).toFixed(2);
const formatY = (precision: number) =>
  (HEIGHT - MARGIN.bottom - precision * (HEIGHT - MARGIN.top - MARGIN.bottom)).toFixed(2);

/** Precision over recall as an SVG picture, a curve a setting, under a title and what was measured. */
export function plotPrecisionRecall(results: readonly SettingResult[], title: string, caption: string): string {
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="14">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    svgText(WIDTH / 2, 20, title, ' text-anchor="middle"'),
    svgText(WIDTH / 2, 38, caption, ' text-anchor="middle" font-size="12"'),
  ];
  for (let tick = 0; tick <= 10; tick += 2) {
    const [x, y] = [formatX(tick / 10), formatY(tick / 10)];
    lines.push(
      `<path d="M${x} ${formatY(0)}V${formatY(1)}M${formatX(0)} ${y}H${formatX(1)}" stroke="#ddd"/>`,
      svgText(x, HEIGHT - MARGIN.bottom + 20, `${tick / 10}`, ' text-anchor="middle"'),
      svgText(MARGIN.left - 8, y, `${tick / 10}`, ' text-anchor="end" dominant-baseline="middle"'),
    );
  }
  const middle = HEIGHT / 2;
  lines.push(
    svgText(WIDTH / 2, HEIGHT - 14, 'recall', ' text-anchor="middle"'),
    svgText(18, middle, 'precision', ` text-anchor="middle" transform="rotate(-90 18 ${middle})"`),
  );
  for (const [i, { setting, averagePrecision, precision, recall }] of results.entries()) {
    const points = [...recall].flatMap((value, t) =>
      Number.isFinite(value) && Number.isFinite(precision[t]) ? `${formatX(value)},${formatY(precision[t]!)}` : [],
    );
    const colour = COLOURS[setting];
    const y = HEIGHT - MARGIN.bottom - 16 - (results.length - 1 - i) * 22;
    const area = averagePrecision === null ? 'no faces' : `AP ${(100 * averagePrecision).toFixed(2)}`;
    lines.push(
      `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<path d="M${MARGIN.left + 16} ${y}h28" stroke="${colour}" stroke-width="2"/>`,
      svgText(MARGIN.left + 52, y, `${setting} (${area})`, ' dominant-baseline="middle"'),
    );
  }
  return `${lines.join('\n')}\n</svg>\n`;
}
