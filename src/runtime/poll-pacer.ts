/** How much of the usual time is slept through: runs vary, and the rest is polled for. */
const ASLEEP = 0.85;
/** How fast the usual time follows longer runs; shorter ones replace it at once. */
const LONGER = 0.25;

/**
 * Sleeps through most of a run before anything polls for its result, then gives the core away between polls.
 *
 * A workaround for webgpu 0.6.2 on software adapters: Dawn for Node polls in a busy loop while a mapping is pending and
 * takes a core from the adapter, half of the machine's where there are two. It is gone when `npm run bench` prints the
 * same times with `yieldCore: null` in node/platform.ts.
 */
export class PollPacer {
  #usualMs = 0;

  /** Runs `poll` after the sleep, yields until it has ended, and learns from how long that took. */
  async wait<T>(poll: () => Promise<T>, yieldCore: () => Promise<void>): Promise<T> {
    const start = performance.now();
    const sleepMs = Math.floor(this.#usualMs * ASLEEP);
    if (sleepMs > 0) await new Promise((resolve) => setTimeout(resolve, sleepMs));
    let polling = true;
    const polled = poll().finally(() => {
      polling = false;
    });
    // a failure meanwhile waits for its handler below
    polled.catch(() => {});
    while (polling) await yieldCore();
    const result = await polled;
    const ms = performance.now() - start;
    const longer = ms - this.#usualMs;
    this.#usualMs = this.#usualMs === 0 || longer < 0 ? ms : this.#usualMs + longer * LONGER;
    return result;
  }
}
