/** How long a GPU needs work before its clock is as high as it gets; between calls some drop to a fifth of it. */
const CLOCK_RISE_MS = 300;

/** Runs a task back to back until a GPU's clock has risen, at least once. What is measured must follow at once. */
export async function raiseClock(task: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  do await task();
  while (performance.now() - start < CLOCK_RISE_MS);
}
