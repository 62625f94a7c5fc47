import type { TuningStore } from '../runtime/tuner.ts';
import { openCache } from './model-cache.ts';

const CACHE_NAME = 'scrfd-tuning';
const address = (name: string) => `https://scrfd.invalid/tuning/${name}`;

/** Texts in the page's Cache API, which workers have too; nothing is kept where there is none. */
export const cachedTuningStore: TuningStore = {
  async read(name) {
    try {
      const stored = await (await openCache(CACHE_NAME))?.match(address(name));
      return stored ? await stored.text() : null;
    } catch {
      return null;
    }
  },
  async write(name, text) {
    // a full or forbidden store costs the next visit a tuning, nothing more
    await (await openCache(CACHE_NAME))?.put(address(name), new Response(text)).catch(() => {});
  },
};
