import { assertKnown, type OptionNames } from '../common/check.ts';
import { ModelError } from '../common/errors.ts';
import { loadPart } from '../common/load-part.ts';
import { sha256 } from '../common/sha256.ts';
import { DownloadError, type DownloadOptions, download, MemorySink, openRemote } from '../models/download.ts';
import { FETCH_OPTIONS, type FetchOptions, noSource, noticeOf, wrongSha256 } from '../models/fetch-options.ts';
import { findModel, type ModelEntry, modelNames, type Source } from '../models/registry.ts';

export interface FetchModelOptions extends FetchOptions {
  /** Use what is stored, download nothing. */
  offline?: boolean;
  /** Where a page keeps models between visits. Default: its Cache API, and nothing where there is none. */
  caches?: CacheStorage;
}

const FETCH_MODEL_OPTIONS: OptionNames<FetchModelOptions> = { ...FETCH_OPTIONS, offline: 1, caches: 1 };

const CACHE_NAME = 'scrfd-models';

/**
 * The bytes of a published model, from the browser's Cache API or downloaded and kept there. Nothing is stored or
 * returned whose SHA-256 is wrong. The server must allow the page by CORS: GitHub's release downloads don't, Hugging
 * Face does; for a mirror of one's own, pass an entry with its `sources` replaced.
 * @param model a name or alias, or an entry of one's own
 * @throws ModelError naming every source and why it failed, and `signal.reason` when aborted
 * @category Models
 * @example
 * ```js
 * import { createDetector, fetchModel } from 'scrfd-webgpu';
 *
 * const bytes = await fetchModel('scrfd_2.5g_kps', { onProgress: ({ received, total }) => console.log(received, total) });
 * const detector = await createDetector(bytes);
 * ```
 */
export async function fetchModel(
  model: string | ModelEntry,
  options: FetchModelOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  assertKnown(options, FETCH_MODEL_OPTIONS);
  const { signal } = options;
  const entry = typeof model === 'string' ? findModel(model) : model;
  if (entry === undefined) throw new ModelError(`${model}: expected a model's name (${modelNames().join(', ')})`);
  signal?.throwIfAborted();
  if (globalThis.crypto?.subtle === undefined) {
    throw new ModelError(`${entry.name}: checksums need a secure context: serve the page by https or from localhost`);
  }
  const cache = await openCache(CACHE_NAME, options.caches);
  // keyed by content, so that mirrors share an entry and another version never meets it
  const key = `https://scrfd.invalid/${entry.sha256}/${entry.file}`;
  const stored = await cache?.match(key);
  if (stored !== undefined) {
    const bytes = new Uint8Array(await stored.arrayBuffer());
    if ((await sha256(bytes)) === entry.sha256) return bytes;
    await cache?.delete(key);
  }
  signal?.throwIfAborted();
  if (options.offline) {
    throw new ModelError(`${entry.name}: not stored in this browser, and offline nothing is downloaded`);
  }
  options.onNotice?.(noticeOf(entry));
  const bytes = await fetchBytes(entry, options);
  // a full or forbidden store costs the next visit a download, nothing more
  await cache
    ?.put(key, new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } }))
    .catch(() => {});
  signal?.throwIfAborted();
  return bytes;
}

/** A cache of the browser; none in an insecure context, in some private windows, and in Node. */
export async function openCache(name: string, storage?: CacheStorage): Promise<Cache | undefined> {
  try {
    return await (storage ?? globalThis.caches)?.open(name);
  } catch {
    return undefined;
  }
}

async function fetchBytes(entry: ModelEntry, options: FetchModelOptions): Promise<Uint8Array<ArrayBuffer>> {
  const failures: string[] = [];
  // plain files first: archives lie where CORS forbids them
  const files = entry.sources.filter(({ kind }) => kind === 'file');
  const archives = entry.sources.filter(({ kind }) => kind === 'zip-member');
  for (const source of [...files, ...archives]) {
    if (source.kind === 'npm') continue;
    try {
      const bytes = await fetchFrom(source, entry, options);
      const got = await sha256(bytes);
      if (got === entry.sha256) return bytes;
      throw wrongSha256(entry.sha256, got);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof DownloadError)) throw error;
      failures.push(`${source.url}: ${error.message}`);
    }
  }
  throw noSource(
    entry,
    failures.length === 0 ? 'it comes from npm only, serve its file yourself' : failures.join('; '),
  );
}

async function fetchFrom(
  source: Exclude<Source, { kind: 'npm' }>,
  entry: ModelEntry,
  options: DownloadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { url } = source;
  const sink = new MemorySink();
  if (source.kind === 'file') {
    await download(url, sink, entry.bytes, options);
  } else {
    const archive = await openRemote(url, options);
    const { extractMember } = await loadPart(() => import('../models/zip.ts'));
    const onProgress = (received: number, total: number) =>
      options.onProgress?.({ phase: 'download', url, received, total });
    await extractMember(archive, source.member, entry.bytes, sink, onProgress);
  }
  return sink.bytes();
}
