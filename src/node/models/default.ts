import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelError } from '../../common/errors.ts';
import type { DownloadProgress } from '../../models/download.ts';
import { bestModels } from '../../models/registry.ts';
import { cacheFolder } from './cache.ts';
import { type LocatedModel, locateModel, type ResolveOptions, requireModel, resolveModel } from './resolve.ts';

/** The model where no SCRFD weights are to be had: its own come from npm. */
export const STAND_IN = 'retinaface_mnet025';

/** The command that gets the best model. */
export const FETCH_BEST = `npx scrfd models fetch ${bestModels[0]}`;

const FIRST_BYTE_MS = 10_000;
/** For so long a download that failed is not tried again by itself. */
const RETRY_MS = 3_600_000;

interface ChooseOptions extends Pick<ResolveOptions, 'offline' | 'home' | 'fetch' | 'signal'> {
  /** Milliseconds that a download may take to bring its first byte. Default 10,000. */
  patience?: number;
  /** Called with a sentence before anything takes its time. */
  onNotice?: (notice: string) => void;
  onProgress?: (progress: DownloadProgress) => void;
}

interface ChosenModel {
  readonly path: string;
  readonly name: string;
  /** Which model it is and, for one that is not the best, why and how to get a better one. */
  readonly note: string;
}

/** The best face detector that is on this machine, without downloading anything. */
export async function locateDefault(
  options: Pick<ResolveOptions, 'home' | 'signal'> = {},
): Promise<(LocatedModel & { readonly name: string }) | undefined> {
  return locateFirst(bestModels, options);
}

/**
 * The best face detector to be had: an SCRFD model of this machine, else one that can be downloaded, else RetinaFace.
 * @throws ModelError when there is none, and `signal.reason` when aborted
 */
export async function chooseModel(options: ChooseOptions = {}): Promise<ChosenModel> {
  const offline = options.offline ?? Boolean(process.env.SCRFD_OFFLINE);
  const scrfd = bestModels.filter((name) => name !== STAND_IN);
  const failed = offline ? undefined : await lastFailure(options.home);
  const isTried = !offline && failed === undefined;
  const found = (await locateFirst(scrfd, options)) ?? (isTried ? await downloadFirst(scrfd, options) : undefined);
  if (found !== undefined) {
    const { name, path } = found;
    return { name, path, note: `using ${name} (${path})` };
  }
  if (isTried) await rememberFailure(options.home);

  const ago = failed === undefined ? '' : ` ${failed} min ago`;
  const none = offline ? 'offline none is downloaded' : `none could be downloaded${ago}`;
  const why = `no SCRFD model is on this machine and ${none}`;
  const { patience: _, onNotice: __, onProgress: ___, ...passed } = { ...options, offline };
  try {
    return {
      name: STAND_IN,
      path: await resolveModel(STAND_IN, passed),
      note: `using ${STAND_IN}, a simpler detector under the MIT licence, because ${why}. For a better one: ${FETCH_BEST}`,
    };
  } catch (cause) {
    options.signal?.throwIfAborted();
    const stand = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError(`${why}; try ${FETCH_BEST}, or give --model FILE. Nor is there a stand-in: ${stand}`, {
      cause,
    });
  }
}

/** Its time is when a download failed last. */
const failureFile = (home: string | undefined) => join(cacheFolder(home), 'download-failed');

/** Minutes since a download failed, where that was a short while ago. */
async function lastFailure(home: string | undefined): Promise<number | undefined> {
  const stats = await stat(failureFile(home)).catch(() => undefined);
  const ms = stats ? Date.now() - stats.mtimeMs : RETRY_MS;
  return ms < RETRY_MS ? Math.max(0, Math.round(ms / 60_000)) : undefined;
}

async function rememberFailure(home: string | undefined): Promise<void> {
  const write = async () => {
    await mkdir(cacheFolder(home), { recursive: true });
    await writeFile(failureFile(home), '');
  };
  // where nothing can be kept the next run tries again
  await write().catch(() => {});
}

async function locateFirst(names: readonly string[], options: Pick<ResolveOptions, 'home' | 'signal'>) {
  for (const name of names) {
    const found = await locateModel(requireModel(name), options);
    if (found !== undefined) return { ...found, name };
  }
  return undefined;
}

/** Downloads the first of these that comes; all of them together have `patience` to bring a first byte. */
async function downloadFirst(
  names: readonly string[],
  { onNotice, onProgress, patience = FIRST_BYTE_MS, ...options }: ChooseOptions,
): Promise<{ path: string; name: string } | undefined> {
  onNotice?.('no SCRFD model is on this machine; trying to download one');
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), patience);
  try {
    for (const name of names) {
      let notice: string | undefined;
      try {
        const path = await resolveModel(name, {
          ...options,
          offline: false,
          signal: AbortSignal.any(options.signal ? [late.signal, options.signal] : [late.signal]),
          stallTimeout: patience,
          // nobody need hear of downloads that never begin
          onNotice: (text) => {
            notice = text;
          },
          onProgress(progress) {
            clearTimeout(timer);
            if (notice !== undefined) onNotice?.(notice);
            notice = undefined;
            onProgress?.(progress);
          },
        });
        return { name, path };
      } catch (error) {
        options.signal?.throwIfAborted();
        if (late.signal.aborted) return undefined;
        if (!(error instanceof ModelError)) throw error;
      }
    }
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
