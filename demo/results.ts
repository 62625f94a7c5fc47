import { blurFaces, type DrawingContext, drawFaces, type Face, type Pixels, type Timings } from 'scrfd-webgpu';
import { element } from './page.ts';

const stage = element('stage', HTMLElement);
const frame = element('frame', HTMLDivElement);
const canvas = element('canvas', HTMLCanvasElement);
const marker = element('marker', HTMLDivElement);
const count = element('count', HTMLParagraphElement);
const region = element('list', HTMLElement);
const table = element('faces', HTMLTableElement);
const rateRow = element('rate-row', HTMLDivElement);

/** What is on the stage: a picture's bitmap, or a frame of a camera's or a video's. */
export type Shown = ImageBitmap | VideoFrame;

/** Rows beyond this many are in the JSON alone. */
const MOST_ROWS = 200;

let listed: readonly Face[] = [];
let size: readonly [width: number, height: number] = [1, 1];

function sizeOf(shown: Shown): [width: number, height: number] {
  return 'displayWidth' in shown ? [shown.displayWidth, shown.displayHeight] : [shown.width, shown.height];
}

interface Drawing {
  readonly width: number;
  readonly height: number;
  /** Of the canvas, per CSS pixel. */
  readonly pixelRatio: number;
  readonly hide: boolean;
}

/** Draws a picture and its faces, marked or hidden. */
function draw(target: HTMLCanvasElement, shown: Shown, faces: readonly Face[], drawing: Drawing): void {
  const { width, height, pixelRatio, hide } = drawing;
  if (target.width !== width || target.height !== height) Object.assign(target, { width, height });
  const context = target.getContext('2d', { willReadFrequently: hide }) as DrawingContext;
  context.drawImage(shown, 0, 0, width, height);
  const scale = width / sizeOf(shown)[0];
  if (!hide) return drawFaces(context, faces, { scale, pixelRatio });
  const image = context.getImageData(0, 0, width, height);
  const scaled = faces.map(({ box }) => ({ box: box.map((value) => value * scale) as unknown as Face['box'] }));
  image.data.set(blurFaces(image as Pixels & ImageData, scaled).data);
  context.putImageData(image, 0, 0);
}

/** Draws with as many pixels as the screen has. */
export function show(shown: Shown, faces: readonly Face[], hide: boolean): void {
  const [width, height] = sizeOf(shown);
  size = [width, height];
  stage.classList.add('filled');
  const cssWidth = Math.min(
    stage.clientWidth - 16,
    width * Math.min(2, (innerHeight * 0.75) / height),
    (width / height) * innerHeight * 0.75,
  );
  frame.style.width = `${cssWidth}px`;
  const [canvasWidth, canvasHeight] = [cssWidth, (cssWidth * height) / width].map((side) =>
    Math.round(side * devicePixelRatio),
  );
  draw(canvas, shown, faces, { width: canvasWidth!, height: canvasHeight!, pixelRatio: devicePixelRatio, hide });
}

/** As large as the picture is. */
export function render(shown: Shown, faces: readonly Face[], hide: boolean): HTMLCanvasElement {
  const target = document.createElement('canvas');
  const [width, height] = sizeOf(shown);
  draw(target, shown, faces, { width, height, pixelRatio: Math.max(1, Math.hypot(width, height) / 1200), hide });
  return target;
}

function countOf(faces: number | undefined): string {
  if (faces === undefined) return 'Not searched yet';
  return faces === 1 ? '1 face' : `${faces || 'No'} faces`;
}

/** Lists the faces in words, numbers and crops; none yet where nothing is searched. */
export function list(found: readonly Face[] | undefined, crops: readonly Pixels[]): void {
  const faces = found ?? [];
  listed = faces;
  mark(undefined);
  const text = countOf(found?.length);
  // a screen reader need not hear the same sentence for every frame
  if (count.textContent !== text) {
    count.textContent = text;
    canvas.setAttribute('aria-label', `Picture: ${text.toLowerCase()}`);
  }
  region.hidden = faces.length === 0;
  table.classList.toggle('cropped', crops.length > 0);
  const rows = faces.slice(0, MOST_ROWS).map(({ box: [x1, y1, x2, y2], score }, i) => {
    const row = document.createElement('tr');
    const crop = document.createElement('td');
    if (crops[i]) crop.append(thumbnail(crops[i]));
    row.append(crop);
    for (const value of [score.toFixed(3), ...[x1, y1, x2 - x1, y2 - y1].map((number) => number.toFixed(0))]) {
      row.append(Object.assign(document.createElement('td'), { textContent: value }));
    }
    return row;
  });
  table.tBodies[0]!.replaceChildren(...rows);
}

function thumbnail({ data, width, height }: Pixels): HTMLCanvasElement {
  const target = document.createElement('canvas');
  Object.assign(target, { width, height });
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.set(data.subarray(i * 3, i * 3 + 3), i * 4);
    image.data[i * 4 + 3] = 255;
  }
  target.getContext('2d')!.putImageData(image, 0, 0);
  return target;
}

/** Shows which row and which box belong together. */
function mark(index: number | undefined, scroll = false): void {
  [...table.tBodies[0]!.rows].forEach((row, i) => {
    row.classList.toggle('marked', i === index);
    if (scroll && i === index) row.scrollIntoView({ block: 'nearest' });
  });
  const face = index === undefined ? undefined : listed[index];
  marker.hidden = !face;
  if (!face) return;
  const [width, height] = size;
  const [x1, y1, x2, y2] = face.box;
  const percent = (value: number, of: number) => `${(100 * value) / of}%`;
  Object.assign(marker.style, {
    ...{ left: percent(x1, width), top: percent(y1, height) },
    ...{ width: percent(x2 - x1, width), height: percent(y2 - y1, height) },
  });
}

/** Links rows with boxes, for pointers. */
export function linkRows(): void {
  const rowOf = ({ target }: Event) => (target instanceof Element ? target.closest('tr') : null);
  table.tBodies[0]!.addEventListener('pointerover', (event) => mark(rowOf(event)?.sectionRowIndex));
  table.addEventListener('pointerleave', () => mark(undefined));
  canvas.addEventListener('pointermove', ({ offsetX, offsetY }) => {
    const [x, y] = [(offsetX / canvas.clientWidth) * size[0], (offsetY / canvas.clientHeight) * size[1]];
    // the last drawn is the strongest
    const at = listed.findIndex(({ box: [x1, y1, x2, y2] }) => x >= x1 && x <= x2 && y >= y1 && y <= y2);
    mark(at < 0 ? undefined : at, true);
  });
  canvas.addEventListener('pointerleave', () => mark(undefined));
}

function write(id: string, ms: number | undefined): void {
  element(id, HTMLElement).textContent = ms ? `${ms.toFixed(ms < 10 ? 2 : 1)} ms` : '–';
}

/** @param timings the GPU's own, where it has them */
export function time(timings: Timings | undefined, totalMs: number | undefined, framesPerSecond?: number): void {
  write('letterbox', timings?.letterboxMs);
  write('network', timings?.networkMs);
  write('decode', timings?.facesMs);
  write('total', totalMs);
  rateRow.hidden = framesPerSecond === undefined;
  if (framesPerSecond !== undefined) element('rate', HTMLElement).textContent = framesPerSecond.toFixed(1);
}

export function describeAdapter(info: GPUAdapterInfo | undefined, features: Iterable<string>): void {
  const { vendor, architecture, description } = info ?? {};
  element('adapter', HTMLElement).textContent =
    [vendor, architecture, description].filter(Boolean).join(' · ') || 'not told by this browser';
  element('features', HTMLElement).textContent = [...features].sort().join(', ');
}
