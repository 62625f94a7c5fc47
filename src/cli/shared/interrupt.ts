import { Reported, reportError } from './report.ts';

/** The signals that end a process in order, and what it then exits with. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Ends a task under way. @param why the beginning of what is said, none where it has been said */
type Stop = (why?: string) => void;

const running = new Set<Stop>();

/** Runs a task with a signal that Ctrl-C, SIGTERM and the loss of standard output abort. @param hint what is said of it besides */
export async function interruptible<T>(hint: string, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  const stop: Stop = (why) => interrupt.abort(why === undefined ? new Reported() : new Error(`${why}; ${hint}`));
  running.add(stop);
  try {
    return await task(interrupt.signal);
  } finally {
    running.delete(stop);
  }
}

/** Lets signals, and a standard output that is closed or full, end what is under way in order, or else the process. */
export function endInOrder(): void {
  for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
    process.once(name, () => {
      process.exitCode = exitCode;
      if (running.size === 0) reportError(new Error('interrupted'));
      stopAll('interrupted');
    });
  }
  // nobody is left to tell
  process.stderr.on('error', () => {});
  let lost = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (lost) return;
    lost = true;
    // `scrfd … | head` closes the pipe early: nothing to tell
    if (error.code !== 'EPIPE') reportError(new Error(`standard output: cannot be written (${error.message})`));
    stopAll();
  });
}

function stopAll(why?: string): void {
  if (running.size === 0) process.exit();
  for (const stop of running) stop(why);
}
