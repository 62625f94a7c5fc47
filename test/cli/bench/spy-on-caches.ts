import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const SPY = `
import { appendFileSync, existsSync } from 'node:fs';
const folder = process.env.__GL_SHADER_DISK_CACHE_PATH;
if (folder) appendFileSync(new URL('found', import.meta.url), existsSync(folder) ? '+' : '-');
`;

/** Lets every process of Node say, as it starts, whether the folder that it is given for NVIDIA's shader cache is there. */
export async function spyOnCaches(folder: string) {
  const own = await mkdtemp(join(folder, 'spy-'));
  await writeFile(join(own, 'spy.mjs'), SPY);
  return {
    env: { NODE_OPTIONS: `--import ${pathToFileURL(join(own, 'spy.mjs'))}` },
    foundCaches: async () => [...(await readFile(join(own, 'found'), 'utf8'))].map((each) => each === '+'),
  };
}
