export interface RateBar {
  increment(): void;
  stop(): void;
}

/** A bar on stderr with rate and time left, where someone is looking at it. */
export async function showRate(what: string, total: number, kept = 0): Promise<RateBar | undefined> {
  if (!process.stderr.isTTY) return undefined;
  const { default: progress } = await import('cli-progress');
  const bar = new progress.SingleBar({
    format: `{bar} {value} of {total} ${what}, {rate} a second, {eta_formatted} left`,
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 50,
  });
  const start = performance.now();
  let done = 0;
  bar.start(total, kept, { rate: '–' });
  return {
    increment() {
      done++;
      bar.increment({ rate: ((done * 1000) / (performance.now() - start)).toFixed(2) });
    },
    stop: () => bar.stop(),
  };
}
