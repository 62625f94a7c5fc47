import { mkdir, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ImageError } from '../../common/errors.ts';
import { isWritable } from '../../node/draw.ts';
import { asUrl } from '../../node/files.ts';
import { mapConcurrent } from './map-concurrent.ts';

/** The path of the `i`th picture's output. */
export type PathOf = (i: number) => string;

/**
 * Where pictures are written, in folders that are made where they are missing: under their own names, numbered where that would
 * replace what is read or written besides.
 * @param reserved other files that are read or written
 */
export async function planOutputs(
  images: readonly string[],
  { out, crops }: { readonly out?: string | undefined; readonly crops?: string | undefined },
  reserved: readonly string[],
): Promise<{ pictures: PathOf | undefined; crops: PathOf | undefined }> {
  const folders = { pictures: out && (await makeFolder(out)), crops: crops && (await makeFolder(crops)) };
  const taken = await namesIn(Object.values(folders).filter(Boolean) as string[], images, reserved);
  const take = (path: string) => {
    const key = path.toLowerCase();
    return !taken.has(key) && Boolean(taken.add(key));
  };
  const { pictures, crops: cropped } = folders;
  return {
    pictures: pictures && nameAll(images, (name) => join(pictures, name), take),
    crops: cropped && nameAll(images, (name) => join(cropped, stemOf(name)), cropTaker(taken)),
  } as { pictures: PathOf | undefined; crops: PathOf | undefined };
}

/** Takes stems of which no number is taken: `stem-1.png`, `stem-2.png` and so on. */
function cropTaker(taken: ReadonlySet<string>): (stem: string) => boolean {
  const stems = new Set<string>();
  for (const path of taken) {
    const [, stem] = /^(.*)-\d+\.png$/s.exec(path) ?? [];
    if (stem !== undefined) stems.add(stem);
  }
  return (stem) => {
    const key = stem.toLowerCase();
    return !stems.has(key) && Boolean(stems.add(key));
  };
}

/** Only numbers are kept, because there may be millions of pictures. */
function nameAll(images: readonly string[], place: (name: string) => string, take: (path: string) => boolean): PathOf {
  const pathOf = (image: string, n: number) => place(numbered(nameOf(image), n));
  // where the numbers of a name that came before end
  const next = new Map<string, number>();
  const numbers = Uint32Array.from(images, (image) => {
    const key = nameOf(image).toLowerCase();
    let n = next.get(key) ?? 1;
    while (!take(pathOf(image, n))) n++;
    if (n > 1) next.set(key, n + 1);
    return n;
  });
  return (i) => pathOf(images[i]!, numbers[i]!);
}

/** A picture's own name, with an extension that can be written. */
function nameOf(image: string): string {
  const name = basename(asUrl(image)?.pathname ?? image);
  return `${stemOf(name) || 'picture'}${isWritable(name) ? extname(name) : '.png'}`;
}

function stemOf(name: string): string {
  return basename(name, extname(name));
}

function numbered(name: string, n: number): string {
  return n === 1 ? name : `${stemOf(name)}-${n}${extname(name)}`;
}

/** The real path of a folder. @throws ImageError where it is none */
async function makeFolder(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    return await realpath(path);
  } catch (error) {
    throw new ImageError(`${path}: expected a folder to write to (${(error as Error).message})`, { cause: error });
  }
}

/** Paths of files that are in these folders, by their own names or by those that link to them; in lower case, because two names
 * that differ by case alone are one file on macOS and Windows. */
async function namesIn(
  folders: readonly string[],
  images: readonly string[],
  reserved: readonly string[],
): Promise<Set<string>> {
  const taken = new Set<string>();
  if (folders.length === 0) return taken;
  const real = new Map<string, Promise<string>>();
  const realFolder = (path: string) => {
    const known = real.get(path) ?? realpath(path).catch(() => path);
    real.set(path, known);
    return known;
  };
  const add = async (image: string) => {
    const url = asUrl(image);
    if (url !== undefined && url.protocol !== 'file:') return;
    const path = resolve(url === undefined ? image : fileURLToPath(url));
    const own = join(await realFolder(dirname(path)), basename(path));
    for (const each of [own, await realpath(path).catch(() => own)]) {
      if (folders.some((folder) => each.startsWith(folder + sep))) taken.add(each.toLowerCase());
    }
  };
  const contents = await Promise.all(folders.map((folder) => readdir(folder)));
  // what is read is in none of them where they are empty
  const candidates = contents.every(({ length }) => length === 0) ? reserved : [...reserved, ...images];
  for await (const { error } of mapConcurrent(candidates, 64, add)) if (error) throw error;
  return taken;
}
