import type { ImageSize } from '../common/geometry.ts';
import type { Pixels } from '../common/image.ts';

/** Integers of an entry of a resize table: two positions and their weights. */
const ENTRY = 4;

/** Rows that follow one another: the first, where it comes to lie, and how many they are. */
export interface RowRun {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Some rows and columns of an image, by ascending number: what resizes read of it, or a strip. */
export class Sampled {
  readonly rows: Int32Array;
  /** Null for all of them. */
  readonly columns: Int32Array | null;
  readonly #size: ImageSize;

  private constructor(size: ImageSize, rows: Int32Array, columns: Int32Array | null) {
    this.#size = size;
    this.rows = rows;
    this.columns = columns;
  }

  /** All that is read by the resize tables of every size that an image is searched at. */
  static by(size: ImageSize, tables: readonly { readonly table: Int32Array; readonly newWidth: number }[]): Sampled {
    const columns = new Uint8Array(size.width);
    const rows = new Uint8Array(size.height);
    for (const { table, newWidth } of tables) {
      for (let at = 0; at < table.length; at += ENTRY) {
        const read = at < newWidth * ENTRY ? columns : rows;
        read[table[at]!] = 1;
        read[table[at + 1]!] = 1;
      }
    }
    return new Sampled(size, numbersOf(rows), numbersOf(columns));
  }

  /** Rows from one to before another. */
  static strip(size: ImageSize, first: number, end: number): Sampled {
    const rows = Int32Array.from({ length: end - first }, (_, i) => first + i);
    return new Sampled(size, rows, null);
  }

  wholeRows(): Sampled {
    return new Sampled(this.#size, this.rows, null);
  }

  /** The image's pixels that are there. */
  pixels({ data, width, channels }: Pixels): Uint8Array<ArrayBuffer> {
    const { rows, columns } = this;
    const rowBytes = (columns?.length ?? width) * channels;
    const sampled = new Uint8Array(rows.length * rowBytes);
    let to = 0;
    for (const row of rows) {
      const start = row * width * channels;
      if (columns) {
        for (const column of columns) {
          const from = start + column * channels;
          for (let c = 0; c < channels; c++) sampled[to++] = data[from + c]!;
        }
      } else {
        sampled.set(data.subarray(start, start + rowBytes), to);
        to += rowBytes;
      }
    }
    return sampled;
  }

  runs(): RowRun[] {
    const { rows } = this;
    const starts = [...rows.keys()].filter((i) => i === 0 || rows[i] !== rows[i - 1]! + 1);
    return starts.map((to, k) => ({ from: rows[to]!, to, count: (starts[k + 1] ?? rows.length) - to }));
  }

  /** Makes the positions in a resize table those among what is there. */
  renumber(table: Int32Array, newWidth: number): void {
    const across = this.columns && placesOf(this.columns, this.#size.width);
    const down = placesOf(this.rows, this.#size.height);
    for (let at = across ? 0 : newWidth * ENTRY; at < table.length; at += ENTRY) {
      const places = across && at < newWidth * ENTRY ? across : down;
      table[at] = places[table[at]!]!;
      table[at + 1] = places[table[at + 1]!]!;
    }
  }
}

/** An image in strips of so many rows, each but the first beginning with the last row of the one before. */
export function stripsOf(size: ImageSize, rows: number): Sampled[] {
  const step = Math.max(2, rows) - 1;
  const count = Math.ceil((size.height - 1) / step);
  return Array.from({ length: count }, (_, i) =>
    Sampled.strip(size, i * step, Math.min((i + 1) * step + 1, size.height)),
  );
}

function numbersOf(marked: Uint8Array): Int32Array {
  return Int32Array.from(marked.keys()).filter((i) => marked[i] === 1);
}

function placesOf(numbers: Int32Array, length: number): Int32Array {
  const places = new Int32Array(length);
  numbers.forEach((number, place) => {
    places[number] = place;
  });
  return places;
}
