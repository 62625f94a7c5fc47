// Copied and imported video frames in headless Chromium, or, by --serve, in a browser of yours: npm run bench:video -- --help
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { build } from 'esbuild';
import { parseCount } from '../../src/cli/shared/options.ts';
import { launchChromium, serveFiles } from '../../test/support/browser.ts';

const here = fileURLToPath(new URL('./', import.meta.url));

/** Videos of six seconds, as cameras have them; needs ffmpeg. */
function makeVideos(folder: string): string[] {
  return ['640x480', '1920x1080'].map((size) => {
    const path = join(folder, `${size}.mp4`);
    const source = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=30:duration=6`];
    execFileSync('ffmpeg', ['-y', '-loglevel', 'error', ...source, '-pix_fmt', 'yuv420p', path]);
    return path;
  });
}

async function measure(origin: string, videos: readonly string[], frames: number): Promise<void> {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on('console', (message) => process.stderr.write(`${message.text()}\n`));
    await page.goto(origin);
    await page.waitForFunction(() => 'measureVideoFrames' in globalThis);
    for (const [i, path] of videos.entries()) {
      const url = `/videos/${i}`;
      const task = async ([url, frames]: readonly [string, number]) => {
        // a blob can be sought in, whatever the server can
        const blob = await (await fetch(url)).blob();
        return globalThis.measureVideoFrames(URL.createObjectURL(blob), frames);
      };
      const { adapter, userAgent, size, format, ways, difference } = await page.evaluate(task, [url, frames] as const);
      if (i === 0) {
        console.log(`adapter: ${adapter}; ${userAgent}\n`);
        console.log('| video | frames | way | CPU ms | wall ms | p10 | p90 | ÷ copied | largest difference |');
        console.log('|---|---|---|--:|--:|--:|--:|--:|--:|');
      }
      for (const { name, cpuMs, wallMs } of ways) {
        const { median, p10, p90 } = wallMs;
        const numbers = [cpuMs, median, p10, p90].map((ms) => ms.toFixed(1));
        const cells = [basename(path), `${size.join('×')} ${format}`, name, ...numbers];
        console.log(`| ${cells.join(' | ')} | ${(median / ways[0]!.wallMs.median).toFixed(2)} | ${difference} |`);
      }
    }
  } finally {
    await browser.close();
  }
}

const program = new Command('bench:video')
  .description('Compares copied and imported video frames in a browser, on the way to where they are resized.')
  .argument('[videos...]', 'video files (default: two that ffmpeg makes)')
  .option('--frames <N>', 'frames of each, each way', parseCount, 100)
  .option('--serve', 'serve the page instead, for a browser with a GPU');
program.parse();
const { frames, serve } = program.opts<{ frames: number; serve?: true }>();
const folder = mkdtempSync(join(tmpdir(), 'scrfd-bench-'));
await build({
  ...{ entryPoints: [join(here, 'main.ts')], outfile: join(folder, 'main.js'), bundle: true },
  ...{ format: 'esm', target: 'es2022' },
});
const html = readFileSync(join(here, 'index.html'));
const script = readFileSync(join(folder, 'main.js'));
const videos = serve || program.args.length > 0 ? program.args : makeVideos(folder);
const server = await serveFiles({
  '/': (path) => (path === 'index.html' ? html : script),
  '/videos/': (path) => readFileSync(videos[Number(path)]!),
});
if (serve) {
  rmSync(folder, { recursive: true });
  console.log(`open ${server.origin} in a browser; Ctrl-C ends`);
} else {
  try {
    await measure(server.origin, videos, frames);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}
