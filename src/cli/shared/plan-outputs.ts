import { mkdir, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ImageError } from '../../common/errors.ts';
import { isWritable } from '../../node/draw.ts';
import { asUrl, sweepFolder } from '../../node/files.ts';
import { mapConcurrent } from './map-concurrent.ts';
import { STANDARD_INPUT } from './standard-input.ts';

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
  const pictureFolder = out === undefined ? undefined : await makeFolder(out);
  const cropFolder = crops === undefined ? undefined : await makeFolder(crops);
  const folders = [pictureFolder, cropFolder].filter((folder) => folder !== undefined);
  const taken = await pathsIn(folders, images, reserved);
  // what is annotated first, because crops may lie in the same folder
  const pictures =
    pictureFolder === undefined ? undefined : nameAll(images, (name) => join(pictureFolder, name), taken);
  const stems = stemsOfCrops(taken);
  return {
    pictures,
    crops: cropFolder === undefined ? undefined : nameAll(images, (name) => join(cropFolder, stemOf(name)), stems),
  };
}

/** Stems of which a crop, `stem-1.png` and so on, would take the place of something. */
function stemsOfCrops(taken: ReadonlySet<string>): Set<string> {
  const stems = new Set<string>();
  for (const path of taken) {
    const [, stem] = /^(.*)-\d+\.png$/s.exec(path) ?? [];
    if (stem !== undefined) stems.add(stem);
  }
  return stems;
}

/**
 * Only numbers are kept, because there may be millions of pictures.
 * @param taken places in lower case, because two names that differ by case alone are one file on macOS and Windows; the new ones
 * are added
 */
function nameAll(images: readonly string[], place: (name: string) => string, taken: Set<string>): PathOf {
  const pathOf = (image: string, n: number) => place(numbered(nameOf(image), n));
  // where the numbers of a name that came before end
  const next = new Map<string, number>();
  const numbers = Uint32Array.from(images, (image) => {
    const name = nameOf(image).toLowerCase();
    let n = next.get(name) ?? 1;
    while (taken.has(pathOf(image, n).toLowerCase())) n++;
    taken.add(pathOf(image, n).toLowerCase());
    if (n > 1) next.set(name, n + 1);
    return n;
  });
  return (i) => pathOf(images[i]!, numbers[i]!);
}

/** A picture's own name, with an extension that can be written. */
function nameOf(image: string): string {
  const name = image === STANDARD_INPUT ? 'standard-input' : basename(asUrl(image)?.pathname ?? image);
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

/** Places in these folders, in lower case, of what is read or reserved: by its own name, or by one that links to it. */
async function pathsIn(
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
  await Promise.all(folders.map(sweepFolder));
  const contents = await Promise.all(folders.map((folder) => readdir(folder)));
  // what is read is in none of them where they are empty
  const candidates = contents.every(({ length }) => length === 0) ? reserved : [...reserved, ...images];
  for await (const { error } of mapConcurrent(candidates, 64, add)) if (error) throw error;
  return taken;
}
