import { inspect } from 'node:util';
import { printable, printableLines } from '../../node/printable.ts';

/** What has been said already: it ends a task, and the process with the code that it has. */
export class Reported extends Error {
  override name = 'Reported';
}

/** Lines on stdout. Names in them that may hold line breaks are made `printable` before. */
export function print(text: string): void {
  process.stdout.write(printableLines(text));
}

/** One line on stderr that is no error. */
export function notify(text: string): void {
  process.stderr.write(`scrfd: ${printable(text)}\n`);
}

/**
 * One line on stderr that names the subject, the stack too where SCRFD_DEBUG is set; the process will exit with 1, unless with
 * another code already.
 */
export function reportError(error: unknown, subject = ''): void {
  if (error instanceof Reported) return;
  const message = (error instanceof Error ? error.message : String(error)).trim().replaceAll(/\s*\n\s*/g, ' ');
  notify(message.includes(subject) ? message : `${subject}: ${message}`);
  if (process.env.SCRFD_DEBUG) process.stderr.write(`${printableLines(inspect(error))}\n`);
  process.exitCode ??= 1;
}
