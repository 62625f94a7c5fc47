import { EvaluationError } from './errors.ts';

/** A MATLAB array. Elements come in MATLAB's order: down the columns. */
export type MatArray =
  | { readonly kind: 'cell'; readonly dims: readonly number[]; readonly cells: readonly MatArray[] }
  | { readonly kind: 'numeric'; readonly dims: readonly number[]; readonly values: Float64Array }
  | { readonly kind: 'char'; readonly dims: readonly number[]; readonly text: string };

// "MAT-File Level 5 File Format" in MathWorks' "MAT-File Format": data types and array classes
const [MI_MATRIX, MI_COMPRESSED] = [14, 15];
const [MX_CELL, MX_CHAR, MX_DOUBLE, MX_UINT64] = [1, 4, 6, 15];
const COMPLEX_FLAG = 0x800;
const HEADER_BYTES = 128;
/** Arrays within arrays; a damaged file must not exhaust the stack. */
const MAX_DEPTH = 32;

interface NumberType {
  readonly bytes: number;
  read(view: DataView, at: number, littleEndian: boolean): number;
}

const NUMBER_TYPES: Readonly<Record<number, NumberType>> = {
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 1, read: (view, at) => view.getUint8(at) },
  3: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  4: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  5: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  6: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  7: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  9: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  12: { bytes: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  13: { bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
};

/** Characters are UTF-8, UTF-16, or numbers that are UTF-16 units. */
const [MI_UTF8, MI_UTF16] = [16, 17];

/** A tagged piece of the file. */
interface Element {
  readonly type: number;
  /** The data lie from byte `start` to before `end`. */
  readonly start: number;
  readonly end: number;
  /** Where the next element begins. */
  readonly next: number;
}

/**
 * Reads named variables of a MATLAB level 5 file (`save -v6` and `-v7`), compressed or not, of either byte order.
 * Numbers, text of one row, and cells of them are understood.
 * @param source the file's name, for errors
 * @throws EvaluationError for other files, absent variables, and arrays of other classes
 */
export async function readMatFile<Name extends string>(
  bytes: Uint8Array<ArrayBuffer>,
  names: readonly Name[],
  source: string,
): Promise<Record<Name, MatArray>> {
  const littleEndian = readByteOrder(bytes, source);
  const found = new Map<string, MatArray>();
  try {
    const file = new ElementReader(bytes, littleEndian);
    for (let at = HEADER_BYTES; at < bytes.byteLength; ) {
      const { type, start, end, next } = file.element(at);
      const variable =
        type === MI_COMPRESSED
          ? new ElementReader(await inflate(bytes.subarray(start, end)), littleEndian).matrix(0, names)
          : file.matrix(at, names);
      at = next;
      if (variable.array) found.set(variable.name, variable.array);
    }
  } catch (error) {
    if (error instanceof EvaluationError) throw new EvaluationError(`${source}: ${error.message}`, { cause: error });
    throw new EvaluationError(`${source}: damaged or cut short (${(error as Error).message})`, { cause: error });
  }
  for (const name of names) {
    if (!found.has(name)) throw new EvaluationError(`${source}: expected a variable ${name}, got none`);
  }
  return Object.fromEntries(found) as Record<Name, MatArray>;
}

/** Whether the file is little-endian. */
function readByteOrder(bytes: Uint8Array, source: string): boolean {
  const mark = String.fromCharCode(...bytes.subarray(HEADER_BYTES - 2, HEADER_BYTES));
  if (mark === 'IM' || mark === 'MI') return mark === 'IM';
  const start = String.fromCharCode(...bytes.subarray(0, 20)).replaceAll(/[^\x20-\x7e]+/g, ' ');
  throw new EvaluationError(
    `${source}: expected a MATLAB level 5 file, got ${bytes.byteLength} bytes that begin with '${start.trim()}'`,
  );
}

async function inflate(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class ElementReader {
  readonly #view: DataView;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array, littleEndian: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#littleEndian = littleEndian;
  }

  element(at: number): Element {
    const first = this.#view.getUint32(at, this.#littleEndian);
    const small = first >>> 16;
    // up to 4 bytes share the tag's 8
    const type = small === 0 ? first : first & 0xffff;
    const start = small === 0 ? at + 8 : at + 4;
    const end = start + (small === 0 ? this.#view.getUint32(at + 4, this.#littleEndian) : small);
    if (end > this.#view.byteLength || small > 4) {
      throw new RangeError(`an element at byte ${at} ends at ${end} of ${this.#view.byteLength}`);
    }
    // all but compressed elements fill multiples of 8 bytes
    return { type, start, end, next: type === MI_COMPRESSED ? end : at + Math.ceil((end - at) / 8) * 8 };
  }

  /** A variable, or a cell of one; without `array` where `names` are given and this is none of them. */
  matrix(at: number, names?: readonly string[], depth = 0): { name: string; array?: MatArray; next: number } {
    const { type, start, end, next } = this.element(at);
    if (type !== MI_MATRIX) throw new EvaluationError(`expected an array, got an element of type ${type}`);
    if (depth > MAX_DEPTH) throw new EvaluationError(`cells lie more than ${MAX_DEPTH} deep`);
    // a cell that was never filled
    if (start === end) return { name: '', array: { kind: 'numeric', dims: [0, 0], values: new Float64Array() }, next };
    const flags = this.element(start);
    const [flagBits = 0] = this.#numbers(flags);
    const dimsElement = this.element(flags.next);
    const dims = [...this.#numbers(dimsElement)];
    const nameElement = this.element(dimsElement.next);
    const name = this.#text(nameElement);
    if (names && !names.includes(name)) return { name, next };
    const content = { dims, at: nameElement.next, end, depth };
    return { name, array: this.#array(name, flagBits, content), next };
  }

  #array(
    name: string,
    flags: number,
    { dims, at, end, depth }: { dims: number[]; at: number; end: number; depth: number },
  ): MatArray {
    const kind = flags & 0xff;
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (kind === MX_CELL) {
      const cells: MatArray[] = [];
      for (let next = at; cells.length < count; ) {
        if (next >= end) throw new EvaluationError(`${name}: expected ${count} cells, got ${cells.length}`);
        const cell = this.matrix(next, undefined, depth + 1);
        cells.push(cell.array!);
        next = cell.next;
      }
      return { kind: 'cell', dims, cells };
    }
    if (kind === MX_CHAR && (dims[0]! <= 1 || count === 0)) {
      return { kind: 'char', dims, text: count === 0 ? '' : this.#text(this.element(at)) };
    }
    if (kind < MX_DOUBLE || kind > MX_UINT64 || (flags & COMPLEX_FLAG) !== 0) {
      throw new EvaluationError(
        `${name}: expected real numbers, one row of text or cells, got ${dims.join('×')} of array class ${kind}`,
      );
    }
    const values = this.#numbers(this.element(at));
    if (values.length !== count) {
      throw new EvaluationError(`${name}: expected ${dims.join('×')} numbers, got ${values.length}`);
    }
    return { kind: 'numeric', dims, values };
  }

  /** Numbers may be stored in a narrower type than their array's class. */
  #numbers({ type, start, end }: Element): Float64Array {
    const format = NUMBER_TYPES[type];
    if (!format) throw new EvaluationError(`expected numbers, got data of type ${type}`);
    return Float64Array.from({ length: Math.floor((end - start) / format.bytes) }, (_, i) =>
      format.read(this.#view, start + i * format.bytes, this.#littleEndian),
    );
  }

  #text({ type, start, end, next }: Element): string {
    if (type === MI_UTF8) {
      return new TextDecoder().decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + start, end - start));
    }
    const units = this.#numbers({ type: type === MI_UTF16 ? 4 : type, start, end, next });
    return String.fromCharCode(...units);
  }
}
