/** One line on stderr that is no error. */
export function notify(text: string): void {
  process.stderr.write(`scrfd: ${text}\n`);
}

/**
 * One line on stderr that names the subject, the stack too where SCRFD_DEBUG is set; the process will exit with 1, unless with
 * another code already.
 */
export function reportError(error: unknown, subject = ''): void {
  const message = (error instanceof Error ? error.message : String(error)).trim().replaceAll(/\s*\n\s*/g, ' ');
  process.stderr.write(`scrfd: ${message.includes(subject) ? message : `${subject}: ${message}`}\n`);
  if (process.env.SCRFD_DEBUG) console.error(error);
  process.exitCode ??= 1;
}
