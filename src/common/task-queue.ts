/** Runs asynchronous tasks in the order they were given, at most `limit` at a time. */
export class TaskQueue {
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #free: number;

  constructor(limit = 1) {
    this.#free = limit;
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#enter().then(async () => {
      try {
        return await task();
      } finally {
        this.#leave();
      }
    });
    this.#running.add(result);
    const forget = () => this.#running.delete(result);
    result.then(forget, forget);
    return result;
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }

  /** Resolves when all tasks given so far have ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}
