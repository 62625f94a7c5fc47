// Runs the same network on the same input with this library and with onnxruntime-web, in turn, in one page.
import { createDetector, createNetwork, type Pixels } from 'scrfd-webgpu';
import { median, quantile } from '../../src/cli/bench/statistics.ts';
import { createRng } from '../../test/support/rng.ts';

export const PROVIDERS = ['scrfd-webgpu', 'scrfd-network', 'ort-webgpu', 'ort-wasm-1', 'ort-wasm-n'] as const;
export type Provider = (typeof PROVIDERS)[number];

export interface Task {
  /** ONNX bytes. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly size: readonly [width: number, height: number];
  readonly runs: number;
  readonly providers: readonly Provider[];
}

export interface Row {
  readonly size: readonly [number, number];
  readonly provider: Provider;
  /** From the model's bytes to the first result. */
  readonly firstMs: number;
  readonly wallMs: { readonly median: number; readonly p10: number; readonly p90: number };
  /** Largest difference of any output from that of `scrfd-network`; null for faces, which are no tensors. */
  readonly maxDifference: number | null;
}

export interface Results {
  readonly adapter: string;
  readonly userAgent: string;
  readonly threads: number;
  readonly rows: readonly Row[];
}

type Tensors = Readonly<Record<string, Float32Array>>;

interface Runner {
  run(): Promise<Tensors | null>;
  dispose(): Promise<void>;
}

async function openOrt(kind: 'webgpu' | 'wasm', threads: number, { model, size }: Task, input: Float32Array) {
  // the copy is onnxruntime's: it may take the bytes away
  const file = kind === 'webgpu' ? '/ort/ort.webgpu.min.mjs' : '/ort/ort.wasm.min.mjs';
  const ort = (await import(/* @vite-ignore */ file)) as typeof import('onnxruntime-web');
  ort.env.wasm.wasmPaths = '/ort/';
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(model.slice(), { executionProviders: [kind] });
  const [width, height] = size;
  const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', input, [1, 3, height, width]) };
  return {
    async run() {
      const outputs = await session.run(feeds);
      return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));
    },
    dispose: () => session.release(),
  };
}

async function open(provider: Provider, task: Task, input: Float32Array, picture: Pixels): Promise<Runner> {
  const [width, height] = task.size;
  switch (provider) {
    case 'scrfd-webgpu': {
      const detector = await createDetector(task.model, { inputSize: [width, height] });
      return { run: () => detector.detect(picture).then(() => null), dispose: () => detector.dispose() };
    }
    case 'scrfd-network': {
      const network = await createNetwork(task.model, { inputShape: [1, 3, height, width] });
      const run = async () => {
        const outputs = Object.entries(await network.run(input));
        return Object.fromEntries(outputs.map(([name, { data }]) => [name, data]));
      };
      return { run, dispose: () => network.dispose() };
    }
    case 'ort-webgpu':
      return openOrt('webgpu', 1, task, input);
    case 'ort-wasm-1':
      return openOrt('wasm', 1, task, input);
    case 'ort-wasm-n':
      return openOrt('wasm', navigator.hardwareConcurrency, task, input);
    default:
      return provider satisfies never;
  }
}

function difference(a: Tensors, b: Tensors): number {
  let most = 0;
  for (const [name, expected] of Object.entries(a)) {
    const actual = b[name];
    if (actual?.length !== expected.length) return Number.POSITIVE_INFINITY;
    expected.forEach((value, i) => {
      const error = Math.abs(value - actual[i]!);
      most = error <= most ? most : error;
    });
  }
  return most;
}

async function time<T>(task: () => Promise<T>): Promise<[ms: number, result: T]> {
  const start = performance.now();
  const result = await task();
  return [performance.now() - start, result];
}

/** Measures every provider of the task, in turn. `say` hears what is going on. */
async function measureTask(task: Task, say: (text: string) => void = () => {}): Promise<Results> {
  const [width, height] = task.size;
  const input = createRng(1).floats(3 * width * height);
  const picture: Pixels = { data: createRng(2).bytes(3 * width * height), width, height, channels: 3 };
  const runners: {
    provider: Provider;
    runner: Runner;
    firstMs: number;
    times: number[];
    outputs: Tensors | null;
  }[] = [];
  for (const provider of task.providers) {
    say(`${provider} starts`);
    const [openMs, runner] = await time(() => open(provider, task, input, picture));
    const [runMs, outputs] = await time(() => runner.run());
    runners.push({ provider, runner, firstMs: openMs + runMs, times: [], outputs });
  }
  for (const { runner } of runners) await runner.run();
  for (let i = 0; i < task.runs; i++) {
    for (const { provider, runner, times } of runners) {
      say(`${provider} run ${i + 1} of ${task.runs}`);
      times.push((await time(() => runner.run()))[0]);
    }
  }
  const own = runners.find(({ provider }) => provider === 'scrfd-network')?.outputs;
  const rows = runners.map(({ provider, firstMs, times, outputs }): Row => {
    const wallMs = { median: median(times), p10: quantile(times, 0.1), p90: quantile(times, 0.9) };
    return {
      size: task.size,
      provider,
      firstMs,
      wallMs,
      maxDifference: own && outputs ? difference(own, outputs) : null,
    };
  });
  for (const { runner } of runners) await runner.dispose();
  const adapter = await navigator.gpu?.requestAdapter();
  const { vendor = '', architecture = '', description = '' } = adapter?.info ?? {};
  return {
    adapter: [vendor, architecture, description].filter(Boolean).join(' '),
    userAgent: navigator.userAgent,
    threads: navigator.hardwareConcurrency,
    rows,
  };
}

declare global {
  /** For what drives the page. */
  var measure: typeof measureTask;
}
globalThis.measure = measureTask;

function showTable({ rows }: Results): void {
  const own = rows.find(({ provider }) => provider === 'scrfd-network')?.wallMs.median;
  const cells = rows.map(({ provider, firstMs, wallMs, maxDifference }) => [
    ...[provider, firstMs.toFixed(0), wallMs.median.toFixed(1), wallMs.p10.toFixed(1), wallMs.p90.toFixed(1)],
    own ? `${(wallMs.median / own).toFixed(2)} ×` : '',
    maxDifference?.toExponential(1) ?? '',
  ]);
  const head = ['provider', 'first ms', 'median ms', 'p10', 'p90', '÷ our network', 'difference'];
  document.querySelector('#table')!.replaceChildren(
    ...[head, ...cells].map((line, i) => {
      const row = document.createElement('tr');
      row.append(
        ...line.map((text) => Object.assign(document.createElement(i === 0 ? 'th' : 'td'), { textContent: text })),
      );
      return row;
    }),
  );
}

document.querySelector<HTMLFormElement>('#form')?.addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = (id: string) => document.querySelector<HTMLInputElement>(`#${id}`)!;
  const status = document.querySelector('#status')!;
  const say = (text: string) => {
    status.textContent = text;
  };
  try {
    const [width, height] = field('size').value.split('x').map(Number) as [number, number];
    const model = new Uint8Array(await field('model').files![0]!.arrayBuffer());
    const results = await measure(
      { model, size: [width, height], runs: field('runs').valueAsNumber, providers: PROVIDERS },
      say,
    );
    showTable(results);
    const json = document.querySelector<HTMLAnchorElement>('#json')!;
    json.href = URL.createObjectURL(new Blob([JSON.stringify(results, null, 2)], { type: 'application/json' }));
    json.hidden = false;
    say(results.adapter);
  } catch (error) {
    say(String(error));
  }
});
