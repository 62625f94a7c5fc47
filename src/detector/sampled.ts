import type { ImageSize } from '../common/geometry.ts';
import type { Pixels } from '../common/image.ts';

/** Rows and columns of a picture, by ascending number: what a resize reads of it, or a strip. */
export interface Sampled {
  readonly rows: Int32Array;
  /** Null for all of them. */
  readonly columns: Int32Array | null;
}

const ENTRY = 4;

/** All that is read of a picture by the resize tables of every size it is searched at. */
export function sampledBy(
  { width, height }: ImageSize,
  tables: readonly { readonly table: Int32Array; readonly newWidth: number }[],
): Sampled {
  const columns = new Uint8Array(width);
  const rows = new Uint8Array(height);
  for (const { table, newWidth } of tables) {
    for (let at = 0; at < table.length; at += ENTRY) {
      const read = at < newWidth * ENTRY ? columns : rows;
      read[table[at]!] = 1;
      read[table[at + 1]!] = 1;
    }
  }
  return { rows: numbersOf(rows), columns: numbersOf(columns) };
}

/** Rows from one to before another, whole. */
export function strip(first: number, end: number): Sampled {
  return { rows: Int32Array.from({ length: end - first }, (_, i) => first + i), columns: null };
}

/** A resize table's positions become those among what is there. */
export function renumber(
  table: Int32Array,
  newWidth: number,
  { rows, columns }: Sampled,
  { width, height }: ImageSize,
): void {
  const [places, downPlaces] = [columns && inverse(columns, width), inverse(rows, height)];
  for (let at = 0; at < table.length; at += ENTRY) {
    const of = at < newWidth * ENTRY ? places : downPlaces;
    if (!of) continue;
    table[at] = of[table[at]!]!;
    table[at + 1] = of[table[at + 1]!]!;
  }
}

/** The pixels of those rows and columns. */
export function samplePixels({ data, width, channels }: Pixels, { rows, columns }: Sampled): Uint8Array<ArrayBuffer> {
  const rowBytes = (columns?.length ?? width) * channels;
  const sampled = new Uint8Array(rows.length * rowBytes);
  let to = 0;
  for (const row of rows) {
    const start = row * width * channels;
    if (columns) {
      for (const column of columns) {
        for (let c = 0; c < channels; c++) sampled[to++] = data[start + column * channels + c]!;
      }
    } else {
      sampled.set(data.subarray(start, start + rowBytes), to);
      to += rowBytes;
    }
  }
  return sampled;
}

/** Rows that follow one another: the first, where it comes to lie, and how many they are. */
export interface RowRun {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export function runsOf(rows: Int32Array): RowRun[] {
  const starts = [...rows.keys()].filter((i) => i === 0 || rows[i]! !== rows[i - 1]! + 1);
  return starts.map((to, k) => ({ from: rows[to]!, to, count: (starts[k + 1] ?? rows.length) - to }));
}

function numbersOf(marked: Uint8Array): Int32Array {
  return Int32Array.from(marked.keys()).filter((i) => marked[i] === 1);
}

function inverse(numbers: Int32Array, length: number): Int32Array {
  const places = new Int32Array(length);
  numbers.forEach((number, place) => {
    places[number] = place;
  });
  return places;
}
