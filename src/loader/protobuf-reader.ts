/** Protobuf's wire types: how many bytes a field's value has, whatever it means. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const GROUP = 3;
export const GROUP_END = 4;
export const FIXED32 = 5;

/** What stands before every value. */
interface Tag {
  readonly field: number;
  readonly wire: number;
}

/** A value reaches past the end of its message. */
export class EndsEarlyError extends RangeError {}

/** What is made of two bytes may take a hundred: nodes, attributes, names and numbers that one file may have in all. */
export const MAX_VALUES = 2 ** 21;

/** A file has more than `MAX_VALUES`. */
export class TooManyValuesError extends RangeError {}

/** How many values may still come, shared by the readers of one file. */
interface Budget {
  left: number;
}

/** Reads protobuf's encoding value by value, and nothing outside of its bytes. */
export class ProtobufReader {
  /** For readers of messages within. */
  readonly budget: Budget;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  /** The halves of the varint that was read last. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, budget: Budget = { left: MAX_VALUES }) {
    this.budget = budget;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Counts a value that is kept. @throws TooManyValuesError */
  count(): void {
    if (--this.budget.left < 0) throw new TooManyValuesError(`expected at most ${MAX_VALUES} values, got more`);
  }

  tag(): Tag {
    const tag = this.int();
    const field = Math.floor(tag / 8);
    if (field < 1 || field >= 2 ** 29) throw new Error(`expected a field number of 1 to 2^29 - 1, got ${field}`);
    return { field, wire: tag & 7 };
  }

  /** A signed integer of 64 bits as a number: values beyond ±2^53 (slice ends "to infinity") saturate. */
  int(): number {
    this.#varint();
    const limit = Number.MAX_SAFE_INTEGER;
    return Math.min(limit, Math.max(-limit, this.#high * 2 ** 32 + (this.#low >>> 0)));
  }

  int32(): number {
    this.#varint();
    return this.#low;
  }

  int64(): bigint {
    this.#varint();
    return (BigInt(this.#high) << 32n) | BigInt(this.#low >>> 0);
  }

  float(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  /** A length and as many bytes: a view of them, no copy. */
  bytes(): Uint8Array {
    const length = this.int();
    if (length < 0) throw new Error(`expected a length of zero or more, got ${length}`);
    const start = this.#take(length);
    return this.#bytes.subarray(start, this.#at);
  }

  /** The bytes of a value that is left out: a view of them, no copy. */
  raw(tag: Tag): Uint8Array {
    const start = this.#at;
    this.skip(tag);
    return this.#bytes.subarray(start, this.#at);
  }

  /** Leaves out the value after its tag. */
  skip(tag: Tag): void {
    // the groups that are open: a stack of our own, as a file may nest them deeper than ours
    const groups: number[] = [];
    for (let { field, wire } = tag; ; { field, wire } = this.tag()) {
      if (wire === VARINT) this.#varint();
      else if (wire === FIXED64) this.#take(8);
      else if (wire === BYTES) this.bytes();
      else if (wire === FIXED32) this.#take(4);
      else if (wire === GROUP) groups.push(field);
      else if (wire !== GROUP_END || groups.pop() !== field) {
        throw new Error(`expected a value of field ${field}, got wire type ${wire}`);
      }
      if (groups.length === 0) return;
    }
  }

  /** Steps over `count` bytes; where they start. */
  #take(count: number): number {
    const start = this.#at;
    const left = this.#bytes.length - start;
    if (count > left) throw new EndsEarlyError(`expected ${count} more bytes, got ${left}`);
    this.#at += count;
    return start;
  }

  /** Seven bits a byte, the lowest first; bits beyond 64 are dropped, as protobuf does everywhere. */
  #varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!;
      const bits = byte & 0x7f;
      if (shift <= 28) low |= bits << shift;
      // the fifth byte lies in both halves
      if (shift >= 28) high |= shift === 28 ? bits >> 4 : bits << (shift - 32);
      if (byte < 0x80) {
        this.#low = low;
        this.#high = high;
        return;
      }
    }
    throw new Error('expected an integer of at most 10 bytes, got more');
  }
}
