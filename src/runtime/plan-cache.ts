/** Owns GPU objects. */
export interface Disposable {
  dispose(): void;
}

interface Entry<T> {
  readonly plan: Promise<T>;
  users: number;
}

/** Plans that stay compiled. */
const CAPACITY = 8;

/**
 * Compiled plans by key: each is made once, when first used, and shared by all who use it meanwhile. The ones used
 * least recently are freed when there are too many.
 */
export class PlanCache<T extends Disposable> {
  // in the order of last use
  readonly #entries = new Map<string, Entry<T>>();

  /** Runs a task with a plan, which stays alive until the task has ended. */
  async use<R>(key: string, compile: () => Promise<T>, task: (plan: T) => Promise<R> | R): Promise<R> {
    const entry = this.#entries.get(key) ?? { plan: compile(), users: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users++;
    try {
      const plan = await entry.plan.catch((error: unknown) => {
        // a failure may pass, a full memory for one: the next call tries again
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        throw error;
      });
      return await task(plan);
    } finally {
      entry.users--;
      await this.#shrink();
    }
  }

  async #shrink(): Promise<void> {
    let surplus = this.#entries.size - CAPACITY;
    for (const [key, entry] of this.#entries) {
      if (surplus <= 0) return;
      if (entry.users > 0) continue;
      this.#entries.delete(key);
      surplus--;
      (await entry.plan).dispose();
    }
  }

  /** Frees every plan, once those under way have compiled. */
  async dispose(): Promise<void> {
    const results = await Promise.allSettled([...this.#entries.values()].map(({ plan }) => plan));
    this.#entries.clear();
    for (const result of results) if (result.status === 'fulfilled') result.value.dispose();
  }
}
