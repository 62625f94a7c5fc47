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

  /** Waits for a part; what it resolves to gives it back. Rejects with `signal.reason` when it is waited for no more. */
  async enter(weight: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    await new Promise<void>((begin, reject) => {
      const entry = { weight, begin };
      const giveUp = () => {
        const place = this.#waiting.indexOf(entry);
        if (place >= 0) this.#waiting.splice(place, 1);
        reject(signal!.reason);
        this.#admit();
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      entry.begin = () => {
        signal?.removeEventListener('abort', giveUp);
        begin();
      };
      this.#waiting.push(entry);
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
