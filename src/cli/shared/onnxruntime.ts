import type { InferenceSession } from 'onnxruntime-node';
import { type Contender, makeInput, type Workload } from '../bench/contenders.ts';
import type { Provider } from '../bench/results.ts';

export type OnnxRuntime = typeof import('onnxruntime-node');
export type OrtProvider = Extract<Provider, `ort-${string}`>;

/** @throws Error that says how to get it, for the command that needs it */
export async function loadOnnxRuntime(command: string): Promise<OnnxRuntime> {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    throw new Error(
      missing
        ? `${command} compares with onnxruntime: npm install onnxruntime-node`
        : `onnxruntime-node does not load: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** A session that keeps its warnings to itself: older exports declare shapes of one size, and it warns of every other one. */
export function createSession(
  ort: OnnxRuntime,
  model: Uint8Array,
  options: InferenceSession.SessionOptions = {},
): Promise<InferenceSession> {
  ort.env.logLevel = 'error';
  return ort.InferenceSession.create(model, { logSeverityLevel: 3, ...options });
}

/** A session with onnxruntime's own settings but for the number of threads. */
export async function openOnnxRuntime(ort: OnnxRuntime, provider: OrtProvider, work: Workload): Promise<Contender> {
  const session = await createSession(ort, work.bytes, {
    executionProviders: [provider === 'ort-webgpu' ? 'webgpu' : 'cpu'],
    ...(provider === 'ort-cpu-1' && { intraOpNumThreads: 1 }),
  });
  const [width, height] = work.size;
  const input = new ort.Tensor('float32', makeInput(work), [work.batch, 3, height, width]);
  const feeds = { [session.inputNames[0]!]: input };
  return {
    provider,
    dispatches: null,
    memoryBytes: null,
    run: () => session.run(feeds, { logSeverityLevel: 3 }),
    time: async () => null,
    dispose: () => session.release(),
  };
}
