/**
 * Runs a task with a signal that Ctrl-C aborts; the process will then exit with 130.
 * @param hint what the message of the abort says besides
 */
export async function interruptible<T>(hint: string, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(new Error(`interrupted; ${hint}`));
  process.once('SIGINT', onInterrupt);
  try {
    return await task(interrupt.signal);
  } finally {
    process.off('SIGINT', onInterrupt);
    if (interrupt.signal.aborted) process.exitCode = 130;
  }
}
