import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, rename, rm, truncate } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { placeBeside } from '../../node/files.ts';
import { notify } from './report.ts';

/** What every line of NDJSON begins with. */
const LINE_START = '{"image":"';
/** Longer than the line of any picture. */
const MAX_LINE = 2 ** 28;

interface Line {
  readonly bytes: Buffer;
  /** Where it begins. */
  readonly start: number;
  /** Whether a line break ends it. */
  readonly ended: boolean;
}

/**
 * The pictures that an NDJSON file of results has, none where there is no file. Lines that a run could not finish, at a full
 * disk or because it was killed, are taken out of the file: their pictures are done again.
 * @throws Error for a file that holds anything else, which stays as it is
 */
export async function keepWholeLines(path: string): Promise<Set<string>> {
  const done = new Set<string>();
  const kept: { start: number; end: number }[] = [];
  let number = 0;
  let cut = 0;
  let whole = true;
  for await (const line of readLines(path)) {
    number++;
    const { bytes, start, ended } = line;
    const end = start + bytes.length + (ended ? 1 : 0);
    const image = parseImage(bytes);
    // nothing is cut off a file before all of it is known for ours
    if (image === undefined && bytes.length > 0 && !isBegun(line)) {
      throw new Error(`${path}: expected a result in line ${number}; is this another file?`);
    }
    if (image === undefined && bytes.length > 0) {
      cut++;
      continue;
    }
    if (image !== undefined) done.add(image);
    whole = ended;
    const last = kept.at(-1);
    if (last?.end === start) last.end = end;
    else kept.push({ start, end });
  }
  if (cut > 0) {
    const [first = { start: 0, end: 0 }, ...rest] = kept;
    if (first.start === 0 && rest.length === 0) await truncate(path, first.end);
    else await keepRanges(path, kept);
    notify(`${path}: ${cut === 1 ? 'a line was' : `${cut} lines were`} cut off, to be done again`);
  }
  if (!whole) await appendFile(path, '\n');
  return done;
}

/** Whether a line without a result is one that a run began: a part of a line, or one with another glued to it. */
function isBegun({ bytes, ended }: Line): boolean {
  const text = bytes.toString('latin1', 0, 2 * LINE_START.length);
  if (!ended && LINE_START.startsWith(text)) return true;
  return Array.from(LINE_START, (_, i) => LINE_START.slice(0, i)).some((part) => text.startsWith(part + LINE_START));
}

async function keepRanges(path: string, ranges: readonly { start: number; end: number }[]): Promise<void> {
  const temporary = placeBeside(path);
  try {
    for (const { start, end } of ranges) {
      await pipeline(createReadStream(path, { start, end: end - 1 }), createWriteStream(temporary, { flags: 'a' }));
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The lines of a file of any size, one in memory at a time. */
async function* readLines(path: string): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let start = 0;
  let length = 0;
  const take = (ended: boolean): Line => {
    const line = { bytes: Buffer.concat(parts), start, ended };
    start += length + (ended ? 1 : 0);
    parts = [];
    length = 0;
    return line;
  };
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
      for (let from = 0; from < chunk.length; ) {
        const to = chunk.indexOf('\n', from);
        const part = chunk.subarray(from, to < 0 ? chunk.length : to);
        parts.push(part);
        length += part.length;
        if (length > MAX_LINE) throw new Error(`${path}: expected results a line each; is this another file?`);
        if (to < 0) break;
        yield take(true);
        from = to + 1;
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (length > 0) yield take(false);
}

function parseImage(line: Buffer): string | undefined {
  try {
    const { image } = JSON.parse(line.toString()) as { image?: unknown };
    return typeof image === 'string' ? image : undefined;
  } catch {
    return undefined;
  }
}
