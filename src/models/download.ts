import { ModelError } from '../common/errors.ts';

/** A source did not give the file; another one may. */
export class DownloadError extends Error {
  override name = 'DownloadError';
  /** What came so far is good, and the rest may come later. */
  readonly resumable: boolean;

  constructor(message: string, options: ErrorOptions & { resumable?: boolean } = {}) {
    super(message, options);
    this.resumable = options.resumable ?? false;
  }
}

export interface DownloadProgress {
  readonly phase: 'download';
  readonly url: string;
  /** Bytes that are here, resumed ones included. */
  readonly received: number;
  /** Bytes in all; undefined where the server doesn't say. */
  readonly total: number | undefined;
}

export interface DownloadOptions {
  readonly fetch?: typeof fetch | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Milliseconds without a byte after which a server counts as dead. Default 30,000. */
  readonly stallTimeout?: number | undefined;
  /** How often a cut transfer is taken up again. Default 2. */
  readonly retries?: number | undefined;
  /** Bytes at most of a file whose size is not known, after HTTP's own compression. Default 2^30: three times the largest archive of models. */
  readonly maxBytes?: number | undefined;
  /** Whether a web page may be what is wanted. */
  readonly html?: boolean | undefined;
}

const MAX_BYTES = 2 ** 30;

/** Where downloaded bytes go. What it throws ends the download as it is. */
export interface Sink {
  /** Bytes that it holds; a download goes on from here. */
  readonly size: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Forgets everything. */
  reset(): Promise<void>;
}

/** Keeps bytes in memory. */
export class MemorySink implements Sink {
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  size = 0;

  async write(chunk: Uint8Array): Promise<void> {
    // a copy: what gave the chunk may use its memory again
    this.#chunks.push(chunk.slice());
    this.size += chunk.byteLength;
  }

  async reset(): Promise<void> {
    this.#chunks = [];
    this.size = 0;
  }

  /** Everything that was written, in one array. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await new Blob(this.#chunks).arrayBuffer());
  }
}

/** The bytes behind a URL. @throws ModelError naming it, and `signal.reason` when aborted */
export async function downloadModel(url: URL, options: DownloadOptions): Promise<Uint8Array<ArrayBuffer>> {
  const sink = new MemorySink();
  try {
    await download(url.href, sink, undefined, options);
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    throw new ModelError(`${url.href}: ${error.message}`, { cause: error });
  }
  return sink.bytes();
}

/**
 * The URL of a file beside another.
 * @param location a relative path, `/` between its parts
 * @throws ModelError for a URL that is no place, such as data: and blob:
 */
export function besideUrl(url: URL, location: string): URL {
  if (!URL.canParse('.', url))
    throw new ModelError(
      `'${location}': nothing lies beside a ${url.protocol} URL; load the model by path or http(s) URL`,
    );
  return new URL(location.split('/').map(encodeURIComponent).join('/'), url);
}

/**
 * Downloads `url` to the end of `sink`, taking up cut transfers where the server can.
 * Answers whether the bytes come from more than one transfer, so that a wrong checksum is worth a fresh start.
 * @throws DownloadError, `signal.reason` when aborted, and what `sink` throws
 */
export async function download(
  url: string,
  sink: Sink,
  expectedBytes: number | undefined,
  options: DownloadOptions,
): Promise<boolean> {
  if (expectedBytes !== undefined && sink.size > expectedBytes) await sink.reset();
  let resumed = sink.size > 0;
  if (resumed && sink.size === expectedBytes) return true;
  let etag: string | null = null;
  const { maxBytes = MAX_BYTES } = options;
  for (let retries = options.retries ?? 2; ; retries--) {
    try {
      const transfer = await openUrl(url, sink.size > 0 ? { start: sink.size } : {}, options);
      const { start, total } = transfer;
      if (expectedBytes !== undefined && total !== undefined && total !== expectedBytes) {
        await transfer.cancel();
        throw new DownloadError(`expected a file of ${expectedBytes} bytes, got one of ${total}`);
      }
      const changed = etag !== null && transfer.etag !== null && etag !== transfer.etag;
      if (start > 0 && changed) {
        await transfer.cancel();
        await sink.reset();
        throw new DownloadError('the file changed during the download', { resumable: true });
      }
      etag = transfer.etag;
      if (start !== sink.size) await sink.reset();
      resumed = sink.size > 0;
      const end = expectedBytes ?? total;
      if (expectedBytes === undefined && total !== undefined && total > maxBytes) {
        await transfer.cancel();
        throw new DownloadError(`expected a file of at most ${maxBytes} bytes (maxBytes), got one of ${total}`);
      }
      for await (const chunk of transfer.chunks()) {
        if (sink.size + chunk.byteLength > (end ?? maxBytes)) {
          const most = end ?? `at most ${maxBytes} (maxBytes)`;
          throw new DownloadError(`expected a file of ${most} bytes, got more`);
        }
        await sink.write(chunk);
        options.onProgress?.({ phase: 'download', url, received: sink.size, total: end });
      }
      if (end !== undefined && sink.size < end) throw cut(sink.size, end);
      return resumed;
    } catch (error) {
      if (error instanceof RangeRefused && sink.size > 0) await sink.reset();
      else if (!(error instanceof DownloadError && error.resumable)) throw error;
      if (retries <= 0) throw error;
    }
  }
}

function cut(received: number, total: number): DownloadError {
  return new DownloadError(`the connection ended after ${received} of ${total} bytes`, { resumable: true });
}

/** The server holds no such range, or none at all. */
export class RangeRefused extends DownloadError {
  override name = 'RangeRefused';
}

/** A remote file that is read in pieces. */
export interface RemoteFile {
  readonly size: number;
  read(start: number, end: number): AsyncGenerator<Uint8Array>;
}

/**
 * Opens `url` for reading in pieces.
 * @throws RangeRefused when the server sends whole files only, DownloadError, and `signal.reason` when aborted
 */
export async function openRemote(url: string, options: DownloadOptions): Promise<RemoteFile> {
  // bytes=0-0, since some stores don't know suffix ranges and browsers ask the server before sending one
  const { total, ranged, etag, cancel } = await openUrl(url, { start: 0, end: 1 }, options);
  await cancel();
  if (!ranged || total === undefined) throw new RangeRefused('the server sends whole files only');
  return { size: total, read };

  async function* read(start: number, end: number): AsyncGenerator<Uint8Array> {
    let retries = options.retries ?? 2;
    for (let at = start; at < end; ) {
      try {
        const transfer = await openUrl(url, { start: at, end }, options);
        if (transfer.start !== at || transfer.total !== total || transfer.etag !== etag) {
          await transfer.cancel();
          throw new DownloadError('the file changed during the download');
        }
        for await (const chunk of transfer.chunks()) {
          const wanted = chunk.subarray(0, end - at);
          at += wanted.byteLength;
          yield wanted;
        }
        if (at < end) throw cut(at - start, end - start);
      } catch (error) {
        if (!(error instanceof DownloadError && error.resumable) || retries-- <= 0) throw error;
      }
    }
  }
}

interface Transfer {
  /** Offset of the first byte that comes. */
  readonly start: number;
  /** Bytes of the whole file. */
  readonly total: number | undefined;
  /** The server knows ranges. */
  readonly ranged: boolean;
  readonly etag: string | null;
  chunks(): AsyncGenerator<Uint8Array>;
  cancel(): Promise<void>;
}

async function openUrl(
  url: string,
  { start, end }: { start?: number; end?: number },
  { fetch: send = fetch, signal, stallTimeout = 30_000, html = false }: DownloadOptions,
): Promise<Transfer> {
  signal?.throwIfAborted();
  const watchdog = new AbortController();
  const watch = async <T>(work: Promise<T>): Promise<T> => {
    const stalled = () =>
      watchdog.abort(new DownloadError(`nothing came for ${stallTimeout / 1000} s`, { resumable: true }));
    const timer = setTimeout(stalled, stallTimeout);
    try {
      return await work;
    } catch (error) {
      signal?.throwIfAborted();
      watchdog.signal.throwIfAborted();
      // too many redirects, for one: again would be no better
      if (error instanceof DownloadError) throw error;
      // fetch says only "fetch failed" or "terminated"; what failed is in the cause
      const { cause, message } = error as Error;
      const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
      throw new DownloadError(reason, { cause: error, resumable: true });
    } finally {
      clearTimeout(timer);
    }
  };
  const headers = start === undefined ? {} : { range: `bytes=${start}-${end === undefined ? '' : end - 1}` };
  const either = signal === undefined ? watchdog.signal : AbortSignal.any([signal, watchdog.signal]);
  const response = await watch(send(url, { headers, signal: either }));
  const cancel = async () => {
    watchdog.abort();
    await response.body?.cancel().catch(() => {});
  };
  try {
    return { ...readHeaders(response, start, html), etag: response.headers.get('etag'), chunks, cancel };
  } catch (error) {
    await cancel();
    throw error;
  }

  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await watch(reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      await reader.cancel().catch(() => {});
      watchdog.abort();
    }
  }
}

function readHeaders(
  { status, statusText, ok, headers }: Response,
  asked: number | undefined,
  html: boolean,
): { start: number; total: number | undefined; ranged: boolean } {
  if (status === 416) throw new RangeRefused('the server does not hold the range asked for');
  if (!ok) throw new DownloadError(`expected HTTP 200, got ${status} ${statusText}`.trimEnd());
  const type = headers.get('content-type') ?? '';
  if (!html && /^text\/html\b/i.test(type)) throw new DownloadError('expected a model, got a web page (text/html)');
  if (status === 206) {
    const [, first, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
    if (asked === undefined || Number(first) !== asked) {
      throw new RangeRefused(`expected bytes from ${asked ?? 0}, got ${headers.get('content-range') ?? 'some'}`);
    }
    return { start: asked, total: size === '*' ? undefined : Number(size), ranged: true };
  }
  const length = headers.get('content-length');
  // the length of an encoded body is not the file's
  const total = length === null || headers.has('content-encoding') ? undefined : Number(length);
  return { start: 0, total, ranged: false };
}
