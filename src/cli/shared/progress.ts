import type { Options } from 'cli-progress';
import type { DownloadProgress } from '../../models/download.ts';

/** A bar on stderr; none where stderr is not a terminal. */
async function createBar(format: string, options: Options = {}) {
  if (!process.stderr.isTTY) return undefined;
  const { default: progress } = await import('cli-progress');
  return new progress.SingleBar({ format, hideCursor: true, clearOnComplete: true, ...options });
}

/**
 * Items done, with their rate and the time left.
 * @param total undefined where nobody knows
 * @param kept items that an earlier run has done
 */
export async function showRate(what: string, total: number | undefined, kept = 0) {
  const format =
    total === undefined
      ? `{value} ${what}, {rate} a second`
      : `{bar} {value} of {total} ${what}, {rate} a second, {eta_formatted} left`;
  const bar = await createBar(format, { etaBuffer: 50 });
  if (!bar) return undefined;
  const start = performance.now();
  let done = 0;
  bar.start(total ?? 0, kept, { rate: '–' });
  return {
    increment() {
      done++;
      bar.increment({ rate: ((done * 1000) / (performance.now() - start)).toFixed(2) });
    },
    stop: () => bar.stop(),
  };
}

/** Megabytes of a download. */
export async function showDownload(name: string) {
  const bar = await createBar(`${name} {bar} {percentage}% of {megabytes} MB, {eta_formatted} left`);
  if (!bar) return undefined;
  let total = 0;
  return {
    update(now: DownloadProgress) {
      const megabytes = ((now.total ?? now.received) / 1e6).toFixed(1);
      // another source begins anew
      if (total !== (now.total ?? 0)) bar.start(now.total ?? 0, now.received, { megabytes });
      else bar.update(now.received, { megabytes });
      total = now.total ?? 0;
    },
    stop: () => bar.stop(),
  };
}
