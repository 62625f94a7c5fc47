/** Tasks that take up parts of something scarce: in the order they came, as many at a time as fit together, at least one. */
export class WeightedQueue {
  readonly #capacity: number;
  readonly #waiting: { readonly weight: number; readonly begin: () => void }[] = [];
  #taken = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Runs a task in its turn. */
  async run<T>(weight: number, task: () => Promise<T>): Promise<T> {
    const leave = await this.enter(weight);
    try {
      return await task();
    } finally {
      leave();
    }
  }

  /** Waits for a part; what it resolves to gives it back. */
  async enter(weight: number): Promise<() => void> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ weight, begin });
      this.#admit();
    });
    return () => {
      this.#taken -= weight;
      this.#admit();
    };
  }

  #admit(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (!next || (this.#taken > 0 && this.#taken + next.weight > this.#capacity)) return;
      this.#waiting.shift();
      this.#taken += next.weight;
      next.begin();
    }
  }
}
