import { ModelError, UnsupportedOpError } from '../../common/errors.ts';
import { resolveModel } from '../../node/models/resolve.ts';
import { isModelName } from '../../node/platform.ts';
import { showDownload } from './progress.ts';
import { notify } from './report.ts';

/** The file of a model, of which a name is downloaded where it is not here, with a bar; paths and URLs stay what they are. */
export async function modelFile(model: string, signal: AbortSignal): Promise<string> {
  if (!isModelName(model)) return model;
  const bar = await showDownload(model);
  try {
    return await resolveModel(model, { signal, onNotice: notify, ...(bar && { onProgress: bar.update }) });
  } finally {
    bar?.stop();
  }
}

/** Names the model in what is wrong with it. */
export async function ofModel<T>(model: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    const isOfModel = error instanceof ModelError || error instanceof UnsupportedOpError;
    if (!isOfModel || error.message.includes(model)) throw error;
    throw new ModelError(`${model}: ${error.message.replace(/^model: /, '')}`, { cause: error });
  }
}
