import { chooseModel } from '../../node/models/default.ts';
import { notify } from './report.ts';

/** The best model to be had, announced. */
export async function chooseDefault(signal: AbortSignal): Promise<string> {
  const { path, note } = await chooseModel({ onNotice: notify, signal });
  notify(note);
  return path;
}
