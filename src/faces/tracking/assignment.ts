import { munkres } from 'munkres';

/**
 * Pairs rows with columns so that the sum of `limit - cost` over the pairs is largest; only what costs less than
 * `limit` is paired. These are the pairs of lapjv with `cost_limit`, which ByteTrack uses.
 * @returns row and column of every pair, and the rows and columns that are in none
 */
export function assign(rows: number, columns: number, cost: (row: number, column: number) => number, limit: number) {
  const gains = Array.from({ length: rows }, (_, row) =>
    // a pair beyond the limit is as good as none
    Array.from({ length: columns }, (_, column) => Math.min(0, cost(row, column) - limit)),
  );
  const solved = rows > 0 && columns > 0 ? munkres(gains) : [];
  const pairs = solved.filter(([row, column]) => gains[row]![column]! < 0);
  const [matchedRows, matchedColumns] = [0, 1].map((side) => new Set(pairs.map((pair) => pair[side])));
  return {
    pairs,
    unmatchedRows: [...Array(rows).keys()].filter((row) => !matchedRows!.has(row)),
    unmatchedColumns: [...Array(columns).keys()].filter((column) => !matchedColumns!.has(column)),
  };
}
