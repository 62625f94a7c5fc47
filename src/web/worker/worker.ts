// the script of a detector's worker: see worker-detector.ts

import type { ImageInput } from '../../common/image.ts';
import { Detector } from '../../detector/detector.ts';
import type { Timings } from '../../detector/options.ts';
import type { ModelInput } from '../../runtime/open-model.ts';
import type { Progress } from '../../runtime/progress.ts';
import { closeImage } from '../images.ts';
import { browserPlatform } from '../platform.ts';
import { type Message, type Request, sendError } from './protocol.ts';

let detector: Detector | undefined;
const calls = new Map<number, AbortController>();

function post(message: Message, transfer: Transferable[] = []): void {
  // TypeScript takes it for a window's, which has other parameters
  (postMessage as (message: unknown, transfer: Transferable[]) => void)(message, transfer);
}

function reportProgress(id: number) {
  return (progress: Progress) => post({ id, kind: 'progress', progress });
}

async function create(request: Extract<Request, { kind: 'create' }>, signal: AbortSignal) {
  const { id, model, options } = request;
  detector = await Detector.create(browserPlatform, model as ModelInput, {
    ...options,
    signal,
    onProgress: reportProgress(id),
  });
  detector.addEventListener('devicelost', ({ detail }) => post({ kind: 'devicelost', error: sendError(detail) }));
  detector.addEventListener('devicerestored', () => post({ kind: 'devicerestored' }));
  const { inputSize, fixedInputSize, keypointCount } = detector;
  return { inputSize, fixedInputSize, keypointCount };
}

async function answer(request: Request, signal: AbortSignal): Promise<unknown> {
  switch (request.kind) {
    case 'create':
      return create(request, signal);
    case 'detectBatch': {
      const { id, images, options, timed } = request;
      const onTimings = timed && { onTimings: (timings: Timings) => post({ id, kind: 'timings', timings }) };
      try {
        return await detector!.detectBatch(images as ImageInput[], {
          ...options,
          ...onTimings,
          signal,
          onProgress: reportProgress(id),
        });
      } finally {
        images.forEach(closeImage);
      }
    }
    case 'alignFaces': {
      const { image, faces, options } = request;
      try {
        return await detector!.alignFaces(image as ImageInput, faces, { ...options, signal });
      } finally {
        closeImage(image);
      }
    }
    case 'identify':
      return detector!.identify();
    case 'dispose':
      return detector!.dispose();
    case 'abort':
      return undefined;
    default:
      return request satisfies never;
  }
}

addEventListener('message', async ({ data }: MessageEvent<Request>) => {
  const { id, kind } = data;
  if (kind === 'abort') {
    calls.get(id)?.abort();
    return;
  }
  const controller = new AbortController();
  calls.set(id, controller);
  try {
    const value = await answer(data, controller.signal);
    post({ id, kind: 'result', value });
  } catch (error) {
    post({ id, kind: 'error', error: sendError(error) });
  } finally {
    calls.delete(id);
  }
});
