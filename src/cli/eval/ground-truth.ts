import { EvaluationError } from './errors.ts';
import { type MatArray, readMatFile } from './mat-file.ts';

/** The official settings, hardest last; `all` counts every annotated face. */
export type Setting = 'easy' | 'medium' | 'hard' | 'all';

export interface AnnotatedImage {
  /** Folder of the image, for example `0--Parade`. */
  readonly event: string;
  /** File name without its extension. */
  readonly name: string;
  /** x, y, width, height of each face, in pixels. */
  readonly boxes: Float64Array;
  /** By setting and face, 1 for one that must be found and 0 for one that may be. */
  readonly counted: Readonly<Partial<Record<Setting, Uint8Array>>>;
}

export interface GroundTruth {
  readonly settings: readonly Setting[];
  readonly images: readonly AnnotatedImage[];
}

/** The four official files' names. */
export const MAT_FILES = {
  faces: 'wider_face_val.mat',
  easy: 'wider_easy_val.mat',
  medium: 'wider_medium_val.mat',
  hard: 'wider_hard_val.mat',
} as const;

const DIFFICULTIES = ['easy', 'medium', 'hard'] as const;

/**
 * Reads the official annotations: boxes from one file, and from three others the faces that each setting counts.
 * @param read gives one file's bytes
 * @throws EvaluationError that names the file
 */
export async function readMatGroundTruth(
  read: (file: keyof typeof MAT_FILES) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<GroundTruth> {
  const names = ['event_list', 'file_list', 'face_bbx_list'] as const;
  const faces = await readMatFile(await read('faces'), names, MAT_FILES.faces);
  const lists = await Promise.all(
    DIFFICULTIES.map(async (setting) => {
      const { gt_list } = await readMatFile(await read(setting), ['gt_list'], MAT_FILES[setting]);
      return [setting, cellsOf(gt_list, `${MAT_FILES[setting]}: gt_list`)] as const;
    }),
  );
  const boxes = cellsOf(faces.face_bbx_list, `${MAT_FILES.faces}: face_bbx_list`);
  const images: AnnotatedImage[] = [];
  const fileNames = cellsOf(faces.file_list, `${MAT_FILES.faces}: file_list`);
  for (const [i, eventCell] of cellsOf(faces.event_list, `${MAT_FILES.faces}: event_list`).entries()) {
    const event = textOf(eventCell, `${MAT_FILES.faces}: event_list[${i}]`);
    const eventBoxes = cellsOf(boxes[i], `${MAT_FILES.faces}: ${event}`);
    const eventLists = lists.map(([setting, list]) => {
      return [setting, cellsOf(list[i], `${MAT_FILES[setting]}: ${event}`)] as const;
    });
    for (const [j, nameCell] of cellsOf(fileNames[i], `${MAT_FILES.faces}: ${event}`).entries()) {
      const name = textOf(nameCell, `${MAT_FILES.faces}: ${event}[${j}]`);
      const rows = boxesOf(eventBoxes[j], `${MAT_FILES.faces}: ${event}/${name}`);
      const counted = eventLists.map(([setting, list]) => {
        return [setting, countedOf(list[j], rows.length / 4, `${MAT_FILES[setting]}: ${event}/${name}`)] as const;
      });
      images.push({ event, name, boxes: rows, counted: Object.fromEntries(counted) });
    }
  }
  return { settings: DIFFICULTIES, images };
}

function cellsOf(array: MatArray | undefined, what: string): readonly MatArray[] {
  if (array?.kind === 'cell') return array.cells;
  throw new EvaluationError(`${what}: expected cells, got ${array?.kind ?? 'nothing'}`);
}

/** Text, which these files wrap into a cell of its own. */
function textOf(array: MatArray, what: string): string {
  const inner = array.kind === 'cell' && array.cells.length === 1 ? array.cells[0]! : array;
  if (inner.kind === 'char') return inner.text;
  throw new EvaluationError(`${what}: expected text, got ${inner.kind}`);
}

/** Rows of an N×4 array, which is stored by columns. */
function boxesOf(array: MatArray | undefined, what: string): Float64Array {
  if (array?.kind !== 'numeric') throw new EvaluationError(`${what}: expected boxes, got ${array?.kind ?? 'nothing'}`);
  const { dims, values } = array;
  if (values.length > 0 && (dims.length !== 2 || dims[1] !== 4)) {
    throw new EvaluationError(`${what}: expected N×4 numbers, got ${dims.join('×')}`);
  }
  const rows = values.length / 4;
  return values.map((_, i) => values[(i % 4) * rows + Math.floor(i / 4)]!);
}

/** A list of face numbers, from 1, as a mask. */
function countedOf(array: MatArray | undefined, faces: number, what: string): Uint8Array {
  if (array?.kind !== 'numeric') throw new EvaluationError(`${what}: expected faces, got ${array?.kind ?? 'nothing'}`);
  const counted = new Uint8Array(faces);
  for (const face of array.values) {
    if (counted[face - 1] !== 0) {
      throw new EvaluationError(`${what}: expected different faces from 1 to ${faces}, got ${face}`);
    }
    counted[face - 1] = 1;
  }
  return counted;
}

/**
 * Reads `labelv2.txt`: a line `# event/image.jpg width height` an image, then `x1 y1 x2 y2 …` a face. It does not say how
 * hard a face is, so every face counts.
 * @param source the file's name, for errors
 * @throws EvaluationError that names the line
 */
export function readLabels(text: string, source: string): GroundTruth {
  const images: { event: string; name: string; boxes: number[] }[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const refuse = (expected: string) =>
      new EvaluationError(`${source}:${i + 1}: expected ${expected}, got '${line.slice(0, 80)}'`);
    const header = /^#\s*([^/]+)\/([^/]+)\.\w+\s+\d+\s+\d+\s*$/.exec(line);
    if (header) {
      images.push({ event: header[1]!, name: header[2]!, boxes: [] });
      continue;
    }
    const image = images.at(-1);
    if (!image || line.startsWith('#')) throw refuse("'# event/image.jpg width height'");
    const [x1, y1, x2, y2, ...rest] = line.trim().split(/\s+/).map(Number);
    if (y2 === undefined || [x1, y1, x2, y2, ...rest].some((value) => !Number.isFinite(value))) {
      throw refuse("'x1 y1 x2 y2'");
    }
    image.boxes.push(x1!, y1!, x2! - x1!, y2 - y1!);
  }
  if (images.length === 0) throw new EvaluationError(`${source}: expected at least one image, got none`);
  return {
    settings: ['all'],
    images: images.map(({ event, name, boxes }) => {
      return {
        event,
        name,
        boxes: Float64Array.from(boxes),
        counted: { all: new Uint8Array(boxes.length / 4).fill(1) },
      };
    }),
  };
}
