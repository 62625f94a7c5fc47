import type { DownloadProgress } from '../models/download.ts';

/** How many of the kernels that a size needs are compiled. */
export interface CompileProgress {
  readonly phase: 'compile';
  readonly compiled: number;
  readonly total: number;
}

/** What `createDetector` is at, or a call whose input size comes for the first time; once the promise has resolved, all is ready. */
export type Progress = DownloadProgress | CompileProgress;

export type OnCompile = (progress: CompileProgress) => void;
