import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TuningStore } from '../runtime/tuner.ts';
import { writeWhole } from './files.ts';
import { cacheHome } from './models/cache.ts';

/**
 * Texts in files of `tuning/` in the folder of caches.
 * @param notify told when one cannot be written, which costs the next process what it took to make
 */
export function fileTuningStore(notify: (notice: string) => void): TuningStore {
  const folder = () => join(cacheHome(undefined), 'tuning');
  return {
    async read(name) {
      try {
        return await readFile(join(folder(), `${name}.json`), 'utf8');
      } catch {
        return null;
      }
    },
    async write(name, text) {
      try {
        await mkdir(folder(), { recursive: true });
        await writeWhole(join(folder(), `${name}.json`), () => text, Error);
      } catch (error) {
        notify(`${(error as Error).message}: the next process will tune again`);
      }
    },
  };
}
