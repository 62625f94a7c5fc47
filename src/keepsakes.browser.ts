import type { Keepsakes } from './platform.ts';

const CACHE_NAME = 'scrfd-tuning';
const address = (name: string) => `https://scrfd.invalid/tuning/${name}`;

/** Texts in the page's Cache API, which workers have too; nothing is kept where there is none. */
export const cachedKeepsakes: Keepsakes = {
  async read(name) {
    const stored = await (await openCache())?.match(address(name));
    return stored ? stored.text() : null;
  },
  async write(name, text) {
    // A full or forbidden store costs the next visit a tuning, nothing more.
    await (await openCache())?.put(address(name), new Response(text)).catch(() => {});
  },
};

/** None in an insecure context and in some private windows. */
async function openCache(): Promise<Cache | undefined> {
  return globalThis.caches?.open(CACHE_NAME).catch(() => undefined);
}
