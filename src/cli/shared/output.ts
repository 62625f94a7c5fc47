import { fstatSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Face } from '../../common/face.ts';
import { writeWhole } from '../../node/files.ts';
import { printable, printableJson } from '../../node/printable.ts';
import { interruptible } from './interrupt.ts';
import { mapConcurrent } from './map-concurrent.ts';
import { openResultFile, standardOutput } from './result-file.ts';
import { keepWholeLines } from './resume.ts';

export const FORMATS = ['table', 'json', 'ndjson', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

/** What was found in one picture. */
export interface Result {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly faces: readonly Face[];
}

/** Where results go that are no file of an option. */
export const STDOUT = 1;

/**
 * @param targets what is to be written, by option: paths, or `STDOUT`
 * @throws InvalidArgumentError when one is a file that is read, under whatever name, or that another option writes
 */
export async function assertNotRead(
  targets: Readonly<Record<string, string | typeof STDOUT | undefined>>,
  inputs: readonly string[],
): Promise<void> {
  const written = new Map<string, string>();
  let exists = false;
  for (const [option, target] of Object.entries(targets)) {
    if (target === undefined) continue;
    const present = await identityOf(target);
    const identity = present ?? resolve(String(target));
    exists ||= present !== undefined;
    const other = written.get(identity);
    if (other !== undefined) throw new InvalidArgumentError(`${option}: expected another file than that of ${other}.`);
    written.set(identity, option);
  }
  // of what is not there yet nothing can be read
  if (!exists) return;
  for await (const { item: input, result } of mapConcurrent(inputs, 64, identityOf)) {
    const option = result !== undefined && written.get(result);
    if (option) throw new InvalidArgumentError(`${option}: expected another file than ${input}, which is read.`);
  }
}

/** The same for all names of a regular file; undefined for what is none. */
async function identityOf(file: string | typeof STDOUT): Promise<string | undefined> {
  try {
    const stats = file === STDOUT ? fstatSync(file, { bigint: true }) : await stat(file, { bigint: true });
    return stats.isFile() ? `${stats.dev} ${stats.ino}` : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a file whole, to the end where a signal comes meanwhile. A failure is a `Failure` that names the path. */
export function writeResult(...file: Parameters<typeof writeWhole>): Promise<void> {
  return interruptible('', () => writeWhole(...file));
}

/**
 * Opens standard output or a file for results as they come. Of a file that is there NDJSON alone takes the place at once, and with
 * `resume` keeps it; others do when they are whole.
 * @param keypoints of a face, by which CSV has its columns; 0, of boxes alone, leaves the usual ones empty
 */
export async function openOutput(format: Format, path: string | undefined, resume: boolean, keypoints = USUAL_POINTS) {
  let done: ReadonlySet<string> = new Set();
  const keep = async (place: string) => {
    done = await keepWholeLines(place);
  };
  const target =
    path === undefined
      ? standardOutput
      : await openResultFile(path, format === 'ndjson' ? 'growing' : 'whole', resume ? keep : undefined);
  const put = (text: string) => target.put(text);
  let records = 0;
  const points = keypoints || USUAL_POINTS;
  if (format === 'csv') await put(csvHeader(points));
  return {
    /** Pictures that a run before has finished. */
    done,
    async write(result: Result): Promise<void> {
      switch (format) {
        case 'table':
          return put(formatTable(result));
        case 'json':
          await put(`${records === 0 ? '[' : ','}\n${formatJson(result)}`);
          records++;
          return;
        case 'ndjson':
          return put(`${formatJson(result)}\n`);
        case 'csv':
          return put(formatCsv(result, points));
        default:
          return format satisfies never;
      }
    },
    async end(): Promise<void> {
      if (format === 'json') await put(records === 0 ? '[]\n' : '\n]\n');
      await target.end();
    },
    /** Ends after a failure or an interruption. */
    abandon: () => target.abandon(),
  };
}

function formatJson({ image, width, height, faces }: Result): string {
  return printableJson({
    image,
    width,
    height,
    faces: faces.map(({ box, score, keypoints }) => ({ box, score, ...(keypoints && { keypoints }) })),
  });
}

/** Of SCRFD's published models. */
const USUAL_POINTS = 5;

function csvHeader(points: number): string {
  const columns = Array.from({ length: points }, (_, k) => [`kx${k + 1}`, `ky${k + 1}`]);
  return `image,width,height,face,score,x1,y1,x2,y2,${columns.flat().join(',')}\n`;
}

/**
 * A row a face, as RFC 4180 quotes; a picture without faces has none. A name that a spreadsheet would take for a formula has an
 * apostrophe before it, as OWASP advises against CSV injection.
 */
function formatCsv({ image, width, height, faces }: Result, points: number): string {
  const text = printable(/^[=+\-@\t\r]/.test(image) ? `'${image}` : image);
  const name = text === image && !/[",]/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
  return faces
    .map(({ box, score, keypoints }, i) => {
      const coordinates = keypoints?.flat() ?? new Array<string>(2 * points).fill('');
      return `${[name, width, height, i + 1, score, ...box, ...coordinates].join(',')}\n`;
    })
    .join('');
}

function formatTable({ image, width, height, faces }: Result): string {
  const count = faces.length === 1 ? '1 face' : `${faces.length} faces`;
  const lines = [`${printable(image)}  ${width}×${height}  ${count}`];
  if (faces.length > 0) {
    lines.push(tableRow('#', 'score', ['x1', 'y1', 'x2', 'y2'], 'keypoints'));
  }
  for (const [i, { box, score, keypoints }] of faces.entries()) {
    const corners = box.map((value) => value.toFixed(1));
    lines.push(tableRow(String(i + 1), score.toFixed(3), corners, String(keypoints?.length ?? 'none')));
  }
  return `${lines.join('\n')}\n`;
}

function tableRow(index: string, score: string, corners: readonly string[], keypoints: string): string {
  return `${index.padStart(5)}  ${score.padStart(5)} ${corners.map((text) => text.padStart(8)).join('')}  ${keypoints}`;
}
