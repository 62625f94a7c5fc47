// Runs the page headless and prints its table: npm run bench:browser -- --help
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Command } from 'commander';
import { build } from 'esbuild';
import { ARCHITECTURES, findArchitecture } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { parseCount, parseSize } from '../../src/cli/shared/options.ts';
import { launchChromium, serveFiles } from '../../test/support/browser.ts';
import type { Provider, Results, Row } from './main.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const PROVIDERS: readonly Provider[] = ['scrfd-webgpu', 'scrfd-network', 'ort-webgpu', 'ort-wasm-1', 'ort-wasm-n'];

const DEFAULTS = {
  size: [
    [160, 160],
    [320, 320],
  ] as [number, number][],
  runs: 5,
  providers: [...PROVIDERS],
};

interface Options {
  models?: string[];
  size: [number, number][];
  runs: number;
  providers: Provider[];
  json?: string;
}

/** Bytes that a provider's files take, as served and compressed. */
export interface Weight {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  readonly gzip: number;
}

function defaultModels(): string[] {
  const path = join(process.env.SCRFD_DATA ?? '.', 'models', 'scrfd_500m_kps.onnx');
  return existsSync(path) ? [path] : ['scrfd_500m_kps'];
}

/** A file, or a published architecture with random weights. */
function readModel(model: string): Buffer {
  if (existsSync(model)) return readFileSync(model);
  if (Object.hasOwn(ARCHITECTURES, model)) return Buffer.from(synthesizeModel(findArchitecture(model)));
  throw new Error(`--models: expected files or one of ${Object.keys(ARCHITECTURES).join(', ')}, got ${model}`);
}

function weigh(name: string, contents: readonly Buffer[]): Weight {
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
  return {
    name,
    files: contents.length,
    bytes: sum(contents.map(({ length }) => length)),
    gzip: sum(contents.map((content) => gzipSync(content, { level: 9 }).length)),
  };
}

/** Measures in a fresh Chromium, a page a model and size. */
export async function runBench({ models = defaultModels(), size: sizes, runs, providers }: Omit<Options, 'json'>) {
  const folder = mkdtempSync(join(tmpdir(), 'scrfd-bench-'));
  const fetched = new Map<string, Buffer>();
  const ort = join(root, 'node_modules/onnxruntime-web/dist');
  const lib = join(root, 'dist/browser');
  execFileSync(process.execPath, ['scripts/build-browser.mjs'], { cwd: root, stdio: 'inherit' });
  await build({
    ...{ entryPoints: [join(root, 'bench/browser/main.ts')], outfile: join(folder, 'main.js'), bundle: true },
    ...{ format: 'esm', target: 'es2022', external: ['/ort/*', 'scrfd-webgpu'] },
  });
  const served = (prefix: string, from: string) => (path: string) => {
    const content = readFileSync(join(from, path));
    fetched.set(`${prefix}${path}`, content);
    return content;
  };
  const html = readFileSync(join(root, 'bench/browser/index.html'));
  let model = Buffer.alloc(0);
  const server = await serveFiles(
    {
      '/': (path) => (path === 'index.html' ? html : readFileSync(join(folder, path))),
      ...{ '/lib/': served('/lib/', lib), '/ort/': served('/ort/', ort), '/models/': () => model },
    },
    // threads need shared memory
    { headers: { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' } },
  );
  const browser = await launchChromium();
  const results: (Results & { readonly model: string })[] = [];
  try {
    for (const name of models) {
      model = Buffer.from(readModel(name));
      for (const size of sizes) {
        const page = await (await browser.newContext()).newPage();
        page.setDefaultTimeout(0);
        page.on('pageerror', (error) => process.stderr.write(`${error.message}\n`));
        await page.goto(server.origin);
        await page.waitForFunction(() => 'measure' in globalThis);
        const result = await page.evaluate(
          async ({ size, runs, providers }) => {
            const bytes = new Uint8Array(await (await fetch('/models/m.onnx')).arrayBuffer());
            return globalThis.measure({ model: bytes, size, runs, providers });
          },
          { size, runs, providers },
        );
        results.push({ ...result, model: basename(name) });
        await page.context().close();
      }
    }
  } finally {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true });
  }
  const part = (prefix: string) =>
    [...fetched].filter(([path]) => path.startsWith(prefix)).map(([, content]) => content);
  const weights = [weigh('scrfd-webgpu', part('/lib/'))];
  if (part('/ort/').length > 0) weights.push(weigh('onnxruntime-web', part('/ort/')));
  return { results, weights };
}

function formatRow(model: string, row: Row, all: readonly Row[]): string {
  const { provider, size, firstMs, wallMs, maxDifference } = row;
  const against = (name: Provider) => {
    const own = all.find((each) => each.provider === name)?.wallMs.median;
    return own ? `${(wallMs.median / own).toFixed(2)} ×` : '';
  };
  const cells = [
    ...[`${model} ${size.join('×')}`, provider, firstMs.toFixed(0), wallMs.median.toFixed(1)],
    ...[wallMs.p10.toFixed(1), wallMs.p90.toFixed(1), against('scrfd-webgpu'), against('scrfd-network')],
    maxDifference?.toExponential(1) ?? '',
  ];
  return `| ${cells.join(' | ')} |`;
}

async function main(): Promise<void> {
  const program = new Command('bench:browser')
    .description('Compares with onnxruntime-web in Chromium, in one page, on the same adapter.')
    .option('--models <files...>', 'ONNX files, or published architectures (default: scrfd_500m_kps)')
    .option('--size <WxH...>', 'input sizes', (text, sizes: [number, number][] = []) => [...sizes, parseSize(text)])
    .option('--runs <N>', 'timed runs of each (default: 5)', parseCount)
    .option('--providers <names...>', PROVIDERS.join(', '))
    .option('--json <file>', 'write the results here, too');
  program.parse();
  const options = { ...DEFAULTS, ...program.opts<Partial<Options>>() };
  const unknown = options.providers.find((name) => !PROVIDERS.includes(name));
  if (unknown) program.error(`--providers: expected ${PROVIDERS.join(', ')}, got ${unknown}`);
  const { results, weights } = await runBench(options);
  console.log(`adapter: ${results[0]?.adapter}; ${results[0]?.userAgent}; ${results[0]?.threads} threads\n`);
  console.log('| case | provider | first ms | median ms | p10 | p90 | × faces | × network | difference |');
  console.log('|---|---|--:|--:|--:|--:|--:|--:|--:|');
  for (const { model, rows } of results) for (const row of rows) console.log(formatRow(model, row, rows));
  console.log('\n| what a page loads | files | kB | kB compressed |\n|---|--:|--:|--:|');
  for (const { name, files, bytes, gzip } of weights) {
    console.log(`| ${name} | ${files} | ${(bytes / 1e3).toFixed(0)} | ${(gzip / 1e3).toFixed(0)} |`);
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ results, weights }, null, 2)}\n`);
  const worst = Math.max(...results.flatMap(({ rows }) => rows.map(({ maxDifference }) => maxDifference ?? 0)));
  if (!(worst <= 1e-3)) {
    console.error(`outputs differ by ${worst}, more than 1e-3`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
