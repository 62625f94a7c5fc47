import { open, readFile, stat, truncate } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import type { Face } from '../../common/face.ts';

export const FORMATS = ['table', 'json', 'ndjson', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

/** What was found in one picture. */
export interface Result {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly faces: readonly Face[];
}

/** @throws InvalidArgumentError when a file to be written is one of those that are read, under whatever name */
export async function assertNotRead(option: string, path: string, inputs: readonly string[]): Promise<void> {
  const target = await identityOf(path);
  if (target === undefined) return;
  for (const input of inputs) {
    if ((await identityOf(input)) !== target) continue;
    throw new InvalidArgumentError(`${option}: expected another file than ${input}, which is read.`);
  }
}

/** The same for all names of a file; undefined for what is none. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

/** Opens standard output or a file for results as they come. `resume` keeps the whole lines that an NDJSON file has. */
export async function openOutput(format: Format, path: string | undefined, resume: boolean) {
  const done = resume && path !== undefined ? await keepWholeLines(path) : new Set<string>();
  const file = path === undefined ? undefined : await open(path, resume ? 'a' : 'w');
  const put = async (text: string) => {
    if (file) await file.appendFile(text);
    else if (!process.stdout.write(text)) await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
  };
  const records: string[] = [];
  if (format === 'csv') await put(CSV_HEADER);
  return {
    /** Pictures that a run before has finished. */
    done,
    async write(result: Result): Promise<void> {
      switch (format) {
        case 'table':
          return put(formatTable(result));
        case 'json':
          records.push(formatJson(result));
          return;
        case 'ndjson':
          return put(`${formatJson(result)}\n`);
        case 'csv':
          return put(formatCsv(result));
        default:
          return format satisfies never;
      }
    },
    async end(): Promise<void> {
      if (format === 'json') await put(records.length === 0 ? '[]\n' : `[\n${records.join(',\n')}\n]\n`);
      await file?.close();
    },
  };
}

/** What every line of NDJSON begins with. */
const LINE_START = '{"image":"';

/** Drops a line that an interrupted run did not finish. */
async function keepWholeLines(path: string): Promise<Set<string>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
    throw error;
  }
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const rest = text.slice(whole.length);
  const lines = whole.split('\n').filter((line) => line !== '');
  const refuse = (line: number) => new Error(`${path}: expected a result in line ${line}; is this another file?`);
  const done = lines.map((line, i) => {
    const image = parseImage(line);
    if (image === undefined) throw refuse(i + 1);
    return image;
  });
  // nothing is cut off a file before all of it is known for ours
  if (!rest.startsWith(LINE_START) && !LINE_START.startsWith(rest)) throw refuse(lines.length + 1);
  if (rest !== '') await truncate(path, Buffer.byteLength(whole));
  return new Set(done);
}

function parseImage(line: string): string | undefined {
  try {
    const { image } = JSON.parse(line) as Partial<Result>;
    return typeof image === 'string' ? image : undefined;
  } catch {
    return undefined;
  }
}

function formatJson({ image, width, height, faces }: Result): string {
  return JSON.stringify({
    image,
    width,
    height,
    faces: faces.map(({ box, score, keypoints }) => ({ box, score, ...(keypoints && { keypoints }) })),
  });
}

const POINTS = [1, 2, 3, 4, 5].flatMap((k) => [`kx${k}`, `ky${k}`]);
const CSV_HEADER = `image,width,height,face,score,x1,y1,x2,y2,${POINTS.join(',')}\n`;

/** A row a face, as RFC 4180 quotes; a picture without faces has none. */
function formatCsv({ image, width, height, faces }: Result): string {
  const name = /[",\r\n]/.test(image) ? `"${image.replaceAll('"', '""')}"` : image;
  return faces
    .map(({ box, score, keypoints }, i) => {
      const points = keypoints?.flat() ?? POINTS.map(() => '');
      return `${[name, width, height, i + 1, score, ...box, ...points].join(',')}\n`;
    })
    .join('');
}

function formatTable({ image, width, height, faces }: Result): string {
  const count = faces.length === 1 ? '1 face' : `${faces.length} faces`;
  const lines = [`${image}  ${width}×${height}  ${count}`];
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
