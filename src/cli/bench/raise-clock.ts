/** How long a GPU needs work before its clock is as high as it gets; between calls some drop to a fifth of it. */
const CLOCK_RISE_MS = 1000;
/** The clock of a software adapter is the CPU's, which rises sooner. */
const SOFTWARE_CLOCK_RISE_MS = 300;

/** Runs a task back to back until the adapter's clock has risen, at least once. What is measured must follow at once. */
export async function raiseClock(task: () => Promise<unknown>, { software }: { software: boolean }): Promise<void> {
  const riseMs = software ? SOFTWARE_CLOCK_RISE_MS : CLOCK_RISE_MS;
  const start = performance.now();
  do await task();
  while (performance.now() - start < riseMs);
}
