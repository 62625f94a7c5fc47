/** A sleep's part of the usual time: runs vary, and what is left after it is waited for by naps. */
const ASLEEP = 0.85;
/** What of a longer run counts for the next sleep; a shorter one counts at once. */
const LONGER = 0.25;

/**
 * Sleeps through most of a run before anything polls for its result, then naps between polls.
 *
 * A workaround for webgpu 0.6.2 on software adapters: Dawn for Node polls in a busy loop while a mapping is pending and
 * takes a core from the adapter, half of the machine's where there are two. It is gone when `npm run bench` prints the
 * same times with `nap: null` in platform.node.ts.
 */
export class Pace {
  #usualMs = 0;

  /** Runs `poll` after the sleep, naps until it has ended, and learns from how long that took. */
  async wait<T>(poll: () => Promise<T>, nap: () => Promise<void>): Promise<T> {
    const start = performance.now();
    const sleepMs = Math.floor(this.#usualMs * ASLEEP);
    if (sleepMs > 0) await new Promise((resolve) => setTimeout(resolve, sleepMs));
    let polling = true;
    const polled = poll().finally(() => {
      polling = false;
    });
    // a failure during a nap waits for its handler below
    polled.catch(() => {});
    while (polling) await nap();
    const result = await polled;
    const ms = performance.now() - start;
    const longer = ms - this.#usualMs;
    this.#usualMs = this.#usualMs === 0 || longer < 0 ? ms : this.#usualMs + longer * LONGER;
    return result;
  }
}
