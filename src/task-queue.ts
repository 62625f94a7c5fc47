/** Runs asynchronous tasks one after another, in the order they were given. */
export class TaskQueue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    // a failed task must not fail the next
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when all tasks given so far have ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
