/** Compiled plans by key: each is made once, when first asked for, and shared by all who ask meanwhile. */
export class PlanCache<T> {
  readonly #plans = new Map<string, Promise<T>>();

  get(key: string, compile: () => Promise<T>): Promise<T> {
    let plan = this.#plans.get(key);
    if (!plan) {
      plan = compile();
      this.#plans.set(key, plan);
      // a failure may pass, a full memory for one: the next call tries again
      plan.catch(() => this.#plans.delete(key));
    }
    return plan;
  }

  /** The plans that compiled, once those under way have ended. */
  async settled(): Promise<T[]> {
    const results = await Promise.allSettled(this.#plans.values());
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }
}
