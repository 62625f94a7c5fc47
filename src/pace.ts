/** Part of the expected time to sleep, so that a run which is a little faster than usual is not kept waiting. */
const MARGIN = 0.9;
/** A result that is there this soon after the sleep was there before it: the sleep was too long. */
const LATE_MS = 1;
const SHORTER = 0.7;

/**
 * Sleeps through most of a run's expected time before anything polls for its result.
 *
 * A workaround for webgpu 0.6.2 on software adapters: Dawn for Node polls in a busy loop while a mapping is pending and
 * takes a core from the adapter, half of the machine's where there are two. It is gone when `npm run bench` prints the
 * same times with `pollsBusily: false` in platform.node.ts.
 */
export class Pace {
  #expectedMs = 0;

  /** Runs `poll` after the sleep and learns from how long both took. */
  async wait<T>(poll: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const sleepMs = Math.floor(this.#expectedMs * MARGIN);
    if (sleepMs > 0) await new Promise((resolve) => setTimeout(resolve, sleepMs));
    const woken = performance.now();
    const result = await poll();
    const end = performance.now();
    this.#expectedMs = sleepMs > 0 && end - woken < LATE_MS ? this.#expectedMs * SHORTER : end - start;
    return result;
  }
}
