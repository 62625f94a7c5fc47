import { ModelError } from '../../common/errors.ts';
import { bestModels } from '../../models/registry.ts';
import { type LocatedModel, locateModel, type ResolveOptions, requireModel, resolveModel } from './resolve.ts';

/** The model where no SCRFD weights are to be had: its own come from npm. */
export const STAND_IN = 'retinaface_mnet025';

/** The command that gets the best model. */
export const FETCH_BEST = `npx scrfd models fetch ${bestModels[0]}`;

const FIRST_BYTE_MS = 10_000;

interface ChooseOptions extends Pick<ResolveOptions, 'offline' | 'home' | 'fetch' | 'signal'> {
  /** Milliseconds that a download may take to bring its first byte. Default 10,000. */
  patience?: number;
  /** Called with a sentence before anything takes its time. */
  onNotice?: (notice: string) => void;
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
  const found = (await locateFirst(scrfd, options)) ?? (offline ? undefined : await downloadFirst(scrfd, options));
  if (found !== undefined) {
    const { name, path } = found;
    return { name, path, note: `using ${name} (${path})` };
  }

  const why = `no SCRFD model is on this machine and ${offline ? 'offline none is downloaded' : 'none could be downloaded'}`;
  const { patience: _, onNotice: __, ...passed } = { ...options, offline };
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
  { onNotice, patience = FIRST_BYTE_MS, ...options }: ChooseOptions,
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
          onProgress() {
            clearTimeout(timer);
            if (notice !== undefined) onNotice?.(notice);
            notice = undefined;
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
