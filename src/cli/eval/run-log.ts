import { join } from 'node:path';
import { isRecord } from '../../common/check.ts';
import { readRegularFile, writeWhole } from '../../node/files.ts';
import { EvaluationError } from './errors.ts';

/** A run, whole or interrupted. */
export interface Run {
  /** That it has searched. */
  readonly images: number;
  readonly seconds: number;
  /** Of WebGPU, that it ran on. */
  readonly adapter: Readonly<Record<string, string>>;
}

const MAX_BYTES = 2 ** 24;
/** How often a run that goes on is written down, so that a kill costs little. */
const WRITE_MS = 1000;

/** The runs that made a folder's predictions, one after another: `runs.json`. */
export class RunLog {
  readonly #path: string;
  readonly #before: readonly Run[];
  #current: Run | undefined;
  #written = performance.now();

  private constructor(path: string, before: readonly Run[]) {
    this.#path = path;
    this.#before = before;
  }

  /** @throws EvaluationError for a file that is damaged */
  static async open(folder: string): Promise<RunLog> {
    const path = join(folder, 'runs.json');
    const bytes = await readRegularFile(path, MAX_BYTES, undefined).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new EvaluationError(`${path}: ${error.message}`, { cause: error });
    });
    return new RunLog(path, bytes === undefined ? [] : parseRuns(new TextDecoder().decode(bytes), path));
  }

  get runs(): readonly Run[] {
    return this.#current ? [...this.#before, this.#current] : this.#before;
  }

  /** Tells how far the current run is. */
  async update(run: Run): Promise<void> {
    this.#current = run;
    if (performance.now() - this.#written >= WRITE_MS) await this.write();
  }

  async write(): Promise<void> {
    if (!this.#current) return;
    this.#written = performance.now();
    await writeWhole(this.#path, () => `${JSON.stringify(this.runs, null, 2)}\n`, EvaluationError);
  }
}

function parseRuns(text: string, path: string): Run[] {
  try {
    const runs: unknown = JSON.parse(text);
    if (Array.isArray(runs) && runs.every(isRun)) return runs;
    throw new Error('no list of runs');
  } catch (error) {
    throw new EvaluationError(`${path}: expected runs as JSON (${(error as Error).message})`, { cause: error });
  }
}

function isRun(value: unknown): value is Run {
  if (!isRecord(value)) return false;
  return typeof value.images === 'number' && typeof value.seconds === 'number' && isRecord(value.adapter);
}
