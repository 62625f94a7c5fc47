import type { InferenceSession } from 'onnxruntime-node';

export type OnnxRuntime = typeof import('onnxruntime-node');

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
