import { chooseModel } from '../../node/models/default.ts';
import { notify } from './report.ts';

/** The best model to be had, announced. */
export async function chooseDefault(): Promise<string> {
  const { path, note } = await chooseModel({ onNotice: notify });
  notify(note);
  return path;
}
