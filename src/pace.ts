/** A result that is there this soon after the sleep was there before it: the sleep was too long. */
const LATE_MS = 1;
/** What the sleep loses when it was too long once; twice in a row, twice of it, and so on. */
const SHORTER = 0.05;

/**
 * Sleeps through most of a run before anything polls for its result.
 *
 * A workaround for webgpu 0.6.2 on software adapters: Dawn for Node polls in a busy loop while a mapping is pending and
 * takes a core from the adapter, half of the machine's where there are two. It is gone when `npm run bench` prints the
 * same times with `pollsBusily: false` in platform.node.ts.
 */
export class Pace {
  #sleepMs = 0;
  #tooLong = 0;

  /** Runs `poll` after the sleep and learns from how long it took. */
  async wait<T>(poll: () => Promise<T>): Promise<T> {
    const sleepMs = Math.floor(this.#sleepMs);
    if (sleepMs > 0) await new Promise((resolve) => setTimeout(resolve, sleepMs));
    const woken = performance.now();
    const result = await poll();
    const polledMs = performance.now() - woken;
    if (sleepMs > 0 && polledMs < LATE_MS) {
      this.#tooLong++;
      this.#sleepMs *= Math.max(0.5, 1 - SHORTER * this.#tooLong);
    } else {
      this.#tooLong = 0;
      // half, because polling itself may have doubled it
      this.#sleepMs += polledMs / 2;
    }
    return result;
  }
}
