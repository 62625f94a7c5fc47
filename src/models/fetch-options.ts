import type { OptionNames } from '../common/check.ts';
import { ModelError } from '../common/errors.ts';
import { DownloadError, type DownloadProgress } from './download.ts';
import type { ModelEntry } from './registry.ts';

/** How a model is fetched, whatever it is kept in. */
export interface FetchOptions {
  /** Called while bytes come. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Called once before a model is downloaded, with its licence. */
  onNotice?: (notice: string) => void;
  signal?: AbortSignal;
  fetch?: typeof fetch;
  /** Milliseconds without a byte after which the next source is tried. Default 30,000. */
  stallTimeout?: number;
}

export const FETCH_OPTIONS: OptionNames<FetchOptions> = {
  ...{ onProgress: 1, onNotice: 1, signal: 1, fetch: 1, stallTimeout: 1 },
};

/** What is said before a download. */
export function noticeOf({ name, bytes, licence }: ModelEntry): string {
  return `${name}: downloading ${(bytes / 1e6).toFixed(1)} MB. Licence: ${licence}.`;
}

export function wrongSha256(expected: string, got: string | undefined): DownloadError {
  return new DownloadError(`expected SHA-256 ${expected}, got ${got}`);
}

/** @param why what every source answered, and what to do */
export function noSource({ name }: ModelEntry, why: string): ModelError {
  return new ModelError(`${name}: no source gave the file. ${why}`);
}
