/** How much of the usual time is slept through: runs vary, and the rest is polled for. */
const ASLEEP = 0.9;
/** The usual time is the shortest of so many runs: one that compiles, or through which the machine sleeps, says nothing. */
const RECENT = 4;
const FEWEST = 2;

/**
 * Gives the core away for a moment.
 * @param sleptMs how much of the run was slept through before: of a run whose length nobody knows 0
 */
export type YieldCore = (sleptMs: number) => Promise<void>;

/**
 * Sleeps through most of a run before anything polls for its result, then gives the core away between polls.
 *
 * A workaround for webgpu 0.6.2 on software adapters: Dawn for Node polls in a busy loop while a mapping is pending and
 * takes a core from the adapter, half of the machine's where there are two. It is gone when `npm run bench` prints the
 * same times with `yieldCore: null` in node/platform.ts.
 */
export class PollPacer {
  /** Milliseconds of the last runs, the newest last. */
  #recent: number[] = [];

  /** Runs `poll` after the sleep, yields until it has ended, and learns from how long that took. */
  async wait<T>(poll: () => Promise<T>, yieldCore: YieldCore): Promise<T> {
    const start = performance.now();
    const sleepMs = this.#recent.length < FEWEST ? 0 : Math.floor(Math.min(...this.#recent) * ASLEEP);
    if (sleepMs > 0) await new Promise((resolve) => setTimeout(resolve, sleepMs));
    let polling = true;
    let yields = 0;
    const polled = poll().finally(() => {
      polling = false;
    });
    // a failure meanwhile waits for its handler below
    polled.catch(() => {});
    while (polling) {
      await yieldCore(sleepMs);
      yields++;
    }
    const result = await polled;
    // it ended during the sleep, nobody knows when: the next runs are polled from their start
    if (sleepMs > 0 && yields <= 1) this.#recent = [];
    else this.#recent = [...this.#recent, performance.now() - start].slice(-RECENT);
    return result;
  }
}
