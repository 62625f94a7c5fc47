import { chooseModel } from '../../node/models/default.ts';
import { showDownload } from './progress.ts';
import { notify } from './report.ts';

/** The best model to be had, announced. */
export async function chooseDefault(signal: AbortSignal): Promise<string> {
  const bar = await showDownload('model');
  try {
    const { path, note } = await chooseModel({ onNotice: notify, signal, ...(bar && { onProgress: bar.update }) });
    bar?.stop();
    notify(note);
    return path;
  } finally {
    bar?.stop();
  }
}
