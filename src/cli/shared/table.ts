import { printable } from '../../node/printable.ts';

export type TableStyle = 'text' | 'markdown';

/**
 * Rows of equal length, as columns; a Markdown table has the first one for its header.
 * @param leading columns that are words and stand to the left; numbers stand to the right
 */
export function formatTable(rows: readonly (readonly string[])[], leading: number, style: TableStyle = 'text'): string {
  const shown = rows.map((row) => row.map(printable));
  const widths = shown[0]!.map((_, column) => Math.max(...shown.map((row) => row[column]!.length)));
  const lines = shown.map((row) =>
    row.map((cell, column) => (column < leading ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))),
  );
  if (style === 'text') return lines.map((cells) => `${cells.join('  ').trimEnd()}\n`).join('');
  const rule = widths.map((width, column) => (column < leading ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [lines[0]!, rule, ...lines.slice(1)].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}
