import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openOutput } from '../../../src/cli/shared/output.ts';
import type { Rng } from '../../support/rng.ts';
import { Finding, mutateBytes, type Target } from '../target.ts';

/** Files that `scrfd detect --resume` finds at `--output`. */
export const ndjson: Target = {
  make(rng) {
    const text = Array.from({ length: rng.int(0, 5) }, () => line(rng)).join('');
    const bytes = new TextEncoder().encode(text);
    if (rng.uniform(0, 1) < 0.2) return bytes.subarray(0, rng.int(0, bytes.length));
    return rng.uniform(0, 1) < 0.2 ? bytes : mutateBytes(rng, bytes);
  },

  async run(bytes) {
    const folder = await mkdtemp(join(tmpdir(), 'scrfd-fuzz-'));
    const path = join(folder, 'results.ndjson');
    try {
      await writeFile(path, bytes);
      let done: ReadonlySet<string>;
      try {
        const output = await openOutput('ndjson', path, true);
        done = output.done;
        await output.end();
      } catch (error) {
        const { message } = error as Error;
        if (!message.startsWith(path)) throw error;
        if (Buffer.compare(await readFile(path), bytes) !== 0) throw new Finding(`refused, and changed: ${message}`);
        return 'refused';
      }
      const kept = await readFile(path);
      const [before, after] = [linesOf(bytes), linesOf(kept)];
      if (after.pop() !== '') throw new Finding('kept a part of a line');
      let at = 0;
      for (const line of after) {
        at = before.indexOf(line, at) + 1;
        if (at === 0) throw new Finding(`has a line that was not there: ${line}`);
      }
      const results = before.slice(0, -1).filter((line) => imageOf(line) !== undefined);
      const lost = results.find((line) => !after.includes(line));
      if (lost) throw new Finding(`dropped a whole result: ${lost}`);
      const images = new Set(after.filter((line) => line !== '').map(imageOf));
      const same = images.size === done.size && [...images].every((image) => image !== undefined && done.has(image));
      if (!same) throw new Finding(`takes ${[...done]} for done, the file has ${[...images]}`);
      return kept.length === bytes.length ? 'resumed' : 'resumed, without a part';
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

/** Of any bytes. */
function linesOf(bytes: Uint8Array): string[] {
  return Buffer.from(bytes).toString('latin1').split('\n');
}

function imageOf(line: string): string | undefined {
  try {
    const { image } = JSON.parse(Buffer.from(line, 'latin1').toString());
    return typeof image === 'string' ? image : undefined;
  } catch {
    return undefined;
  }
}

function line(rng: Rng): string {
  const image = rng.pick(['a.jpg', 'b/ü.png', 'quote".jpg', '\u2028', 'a.jpg']);
  const faces = Array.from({ length: rng.int(0, 2) }, () => ({ box: [...rng.floats(4)], score: rng.uniform(0, 1) }));
  return `${JSON.stringify({ image, width: 640, height: 480, faces })}\n`;
}
