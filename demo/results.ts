import { type DrawingContext, drawFaces, type Face, type Timings } from 'scrfd-webgpu';
import { element } from './page.ts';

const stage = element('stage', HTMLElement);
const canvas = element('canvas', HTMLCanvasElement);
const count = element('count', HTMLParagraphElement);
const table = element('faces', HTMLTableElement);
const rateRow = element('rate-row', HTMLDivElement);

/** What is on the stage: a picture's bitmap, or a frame of the camera's. */
export type Shown = ImageBitmap | VideoFrame;

function sizeOf(shown: Shown): [width: number, height: number] {
  return 'displayWidth' in shown ? [shown.displayWidth, shown.displayHeight] : [shown.width, shown.height];
}

/** Draws the picture and its faces with as many pixels as the screen has for them. */
export function show(shown: Shown, faces: readonly Face[]): void {
  const [width, height] = sizeOf(shown);
  stage.classList.add('filled');
  const available = stage.clientWidth - 16;
  const cssWidth = Math.min(
    available,
    width * Math.min(2, (innerHeight * 0.82) / height),
    (width / height) * innerHeight * 0.82,
  );
  const pixelRatio = devicePixelRatio;
  const [canvasWidth, canvasHeight] = [cssWidth, (cssWidth * height) / width].map((side) =>
    Math.round(side * pixelRatio),
  );
  if (canvas.width !== canvasWidth || canvas.height !== canvasHeight) {
    canvas.width = canvasWidth!;
    canvas.height = canvasHeight!;
    canvas.style.width = `${cssWidth}px`;
  }
  const context = canvas.getContext('2d') as DrawingContext;
  context.drawImage(shown, 0, 0, canvas.width, canvas.height);
  drawFaces(context, faces, { scale: canvas.width / width, pixelRatio });
}

function plural(faces: number): string {
  return faces === 1 ? '1 face' : `${faces || 'No'} faces`;
}

/** Lists the faces in words and numbers. */
export function list(faces: readonly Face[]): void {
  const text = plural(faces.length);
  // a screen reader need not hear the same sentence for every frame
  if (count.textContent !== text) {
    count.textContent = text;
    canvas.setAttribute('aria-label', `Picture with ${text.toLowerCase()}`);
  }
  table.hidden = faces.length === 0;
  const rows = faces.map(({ box: [x1, y1, x2, y2], score }) => {
    const row = document.createElement('tr');
    for (const value of [score.toFixed(3), ...[x1, y1, x2 - x1, y2 - y1].map((number) => number.toFixed(1))]) {
      row.append(Object.assign(document.createElement('td'), { textContent: value }));
    }
    return row;
  });
  table.tBodies[0]!.replaceChildren(...rows);
}

function write(id: string, ms: number | undefined): void {
  element(id, HTMLElement).textContent = ms === undefined ? '–' : `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
}

/** @param timings the GPU's own, where it has them */
export function time(timings: Timings | undefined, totalMs: number, framesPerSecond?: number): void {
  write('letterbox', timings?.letterboxMs);
  write('network', timings?.networkMs);
  write('decode', timings?.facesMs);
  write('total', totalMs);
  rateRow.hidden = framesPerSecond === undefined;
  if (framesPerSecond !== undefined) element('rate', HTMLElement).textContent = framesPerSecond.toFixed(1);
}

export function describeAdapter(device: GPUDevice): void {
  const { vendor, architecture, description } = device.adapterInfo;
  element('adapter', HTMLElement).textContent =
    [vendor, architecture, description].filter(Boolean).join(' · ') || 'not told by this browser';
  element('features', HTMLElement).textContent = [...device.features].sort().join(', ');
}
