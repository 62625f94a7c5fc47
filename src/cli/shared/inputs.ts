import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { ImageError } from '../../common/errors.ts';
import { asUrl } from '../../node/files.ts';
import { STANDARD_INPUT, type StandardInput } from './standard-input.ts';

/** What counts as a picture in a folder; files that are named are taken whatever they are called. */
const PICTURE = /\.(jpe?g|png|webp|avif|gif|tiff?)$/i;
const PATTERN = /[*?[\]{}]/;

/** Which part of a collection: every `count`th picture from `index` on. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Parses `i/n`, i from 0 to n - 1. */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (!(shard.index < shard.count)) {
    throw new InvalidArgumentError('Expected i/n with i from 0 to n - 1, for example 0/8.');
  }
  return shard;
}

/**
 * The pictures that arguments name, each once: paths and URLs in their order, the pictures of folders and what patterns
 * match by name, and for `-` what standard input lists, or itself where it is a picture.
 * @throws ImageError for a folder or pattern without pictures
 */
export async function collectPictures(
  inputs: readonly string[],
  { signal, standardInput = { paths: [] } }: { signal?: AbortSignal; standardInput?: StandardInput | undefined } = {},
): Promise<string[]> {
  const found = new Set<string>();
  for (const input of inputs) {
    signal?.throwIfAborted();
    for (const path of input === STANDARD_INPUT ? listed(standardInput) : await expand(input)) found.add(path);
  }
  return [...found];
}

function listed(input: StandardInput): readonly string[] {
  return 'paths' in input ? input.paths : [STANDARD_INPUT];
}

/** Sorts a list for shards, so that it does not matter who made it. @returns whether the `i`th is in this one */
export function shardList(pictures: string[], shard: Shard | undefined): (i: number) => boolean {
  if (!shard) return () => true;
  pictures.sort();
  return (i) => i % shard.count === shard.index;
}

async function expand(input: string): Promise<string[]> {
  if (asUrl(input)) return [input];
  const stats = await stat(input).catch(() => undefined);
  if (stats?.isDirectory()) return listFolder(input);
  if (stats || !PATTERN.test(input)) return [input];
  const { glob } = await import('tinyglobby');
  const paths = (await glob(input, { expandDirectories: false, onlyFiles: true, absolute: isAbsolute(input) })).sort();
  if (paths.length === 0) throw new ImageError(`${input}: expected a pattern that matches files, it matches none`);
  return paths;
}

async function listFolder(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const paths = names.filter((name) => PICTURE.test(name)).map((name) => join(folder, name));
  if (paths.length === 0) throw new ImageError(`${folder}: expected a folder with pictures, it has none`);
  return paths.sort();
}
