import { svgText } from '../shared/svg.ts';
import { groupByCase, PROVIDERS, type Provider, type Results } from './results.ts';
import { fixed } from './tables.ts';

const COLOURS: Readonly<Record<Provider, string>> = {
  'scrfd-webgpu': '#0b6e4f',
  'scrfd-network': '#5bb98b',
  'ort-webgpu': '#c8553d',
  'ort-cpu-1': '#8d99ae',
  'ort-cpu-n': '#4a5568',
};

const WIDTH = 840;
const LEFT = 130;
const RIGHT = 110;
const BAR = 16;
const GAP = 5;
const TITLE = 30;
const TOP = 56;

/** Bars of the median sustained times on one logarithmic axis, whiskers from p10 to p90: an SVG document. */
export function drawChart({ adapter, rows }: Pick<Results, 'adapter' | 'rows'>): string {
  if (rows.length === 0) throw new RangeError('chart: expected rows, got none');
  const times = rows.flatMap(({ sustainedMs: { p10, median, p90 } }) => [p10, median, p90]);
  const first = Math.floor(Math.log10(Math.min(...times)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...times))));
  const xOf = (ms: number) => LEFT + ((WIDTH - LEFT - RIGHT) * (Math.log10(ms) - first)) / (last - first);
  const at = (ms: number) => xOf(ms).toFixed(1);

  const bars: string[] = [];
  let y = TOP;
  for (const [name, group] of groupByCase(rows)) {
    y += TITLE;
    bars.push(svgText(LEFT, y - 9, name, ' font-weight="bold"'));
    for (const provider of PROVIDERS) {
      for (const { sustainedMs } of group.filter((row) => row.provider === provider)) {
        const middle = y + BAR / 2;
        const width = (xOf(sustainedMs.median) - LEFT).toFixed(1);
        bars.push(
          svgText(LEFT - 8, middle + 4, provider, ' text-anchor="end"'),
          `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" fill="${COLOURS[provider]}"/>`,
          `<path d="M${at(sustainedMs.p10)} ${middle}H${at(sustainedMs.p90)}" stroke="#222"/>`,
          svgText(
            Number(at(Math.max(sustainedMs.p90, sustainedMs.median))) + 6,
            middle + 4,
            `${fixed(sustainedMs.median)} ms`,
          ),
        );
        y += BAR + GAP;
      }
    }
  }
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  const axis = ticks.flatMap((ms) => [
    `<path d="M${at(ms)} ${TOP + 10}V${y}" stroke="#ddd"/>`,
    svgText(Number(at(ms)), y + 16, `${Number(ms.toPrecision(1))} ms`, ' text-anchor="middle"'),
  ]);
  const height = y + 30;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    svgText(16, 24, 'Wall time of a batch, sustained: median, p10 to p90. Logarithmic.', ' font-size="14"'),
    svgText(16, 42, adapter),
    ...axis,
    ...bars,
    '</svg>',
  ].join('\n')}\n`;
}
