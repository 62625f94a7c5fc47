/** The signals that end a process in order, and what it then exits with. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs a task with a signal that Ctrl-C and SIGTERM abort; the process will then exit with 130 or 143.
 * @param hint what the message of the abort says besides
 */
export async function interruptible<T>(hint: string, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  let exitCode: number | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    exitCode ??= EXIT_CODES[name as keyof typeof EXIT_CODES];
    interrupt.abort(new Error(`interrupted; ${hint}`));
  };
  const names = Object.keys(EXIT_CODES) as NodeJS.Signals[];
  for (const name of names) process.once(name, onSignal);
  try {
    return await task(interrupt.signal);
  } finally {
    for (const name of names) process.off(name, onSignal);
    if (exitCode !== undefined) process.exitCode = exitCode;
  }
}
