import { ModelError, UnsupportedOpError } from '../common/errors.ts';
import type { Tensor } from '../common/tensor.ts';

/** A decoded attribute; `other` stands for kinds that no operator here takes, such as subgraphs. */
export type AttributeValue =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'other'; readonly value: string };

type ValueOf<Kind extends AttributeValue['kind']> = Extract<AttributeValue, { kind: Kind }>['value'];

/** A node's attributes, which remembers the ones that were read: none may be ignored silently. */
export class Attributes {
  readonly #node: string;
  readonly #op: string;
  readonly #values: ReadonlyMap<string, AttributeValue>;
  readonly #read = new Set<string>();

  constructor(node: string, op: string, values: ReadonlyMap<string, AttributeValue>) {
    this.#node = node;
    this.#op = op;
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  int(name: string, fallback?: number): number {
    return this.#get(name, 'int', fallback);
  }

  float(name: string, fallback?: number): number {
    return this.#get(name, 'float', fallback);
  }

  string(name: string, fallback?: string): string {
    return this.#get(name, 'string', fallback);
  }

  ints(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#get(name, 'ints', fallback);
  }

  floats(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#get(name, 'floats', fallback);
  }

  tensor(name: string): Tensor {
    return this.#get(name, 'tensor', undefined);
  }

  /** @throws UnsupportedOpError naming the first attribute that nothing has read */
  assertAllRead(): void {
    for (const [name, value] of this.#values) {
      if (this.#read.has(name)) continue;
      const shown = value.kind === 'tensor' ? 'a tensor' : value.kind === 'other' ? value.value : String(value.value);
      throw new UnsupportedOpError(this.#node, this.#op, `with attribute ${name} = ${shown} has no mapping`);
    }
  }

  #get<Kind extends AttributeValue['kind']>(name: string, kind: Kind, fallback: ValueOf<Kind> | undefined) {
    this.#read.add(name);
    const found = this.#values.get(name);
    if (!found) {
      if (fallback !== undefined) return fallback;
      throw new ModelError(`${this.#node}: ${this.#op} expects attribute ${name}, got none`);
    }
    if (found.kind !== kind) {
      throw new ModelError(`${this.#node}: ${this.#op} attribute ${name} expects ${kind}, got ${found.kind}`);
    }
    return found.value as ValueOf<Kind>;
  }
}
