import { createDetector, createWorkerDetector, type DetectOptions, isSupported, type Progress } from 'scrfd-webgpu';
import one from '../assets/astronaut.png';
import crowd from '../assets/crowd.jpg';
import group from '../assets/group.jpg';
import { explain } from './explain.ts';
import { type Choice, listModels, megabytes, onPick, picked, pickFile, settle } from './models.ts';
import { element, say, sayBusy } from './page.ts';
import { describeAdapter, linkRows, list, render, show, time } from './results.ts';
import { type AnyDetector, type Found, type Source, Studio } from './studio.ts';
import { startTheme } from './theme.ts';

const score = element('score', HTMLInputElement);
const iou = element('iou', HTMLInputElement);
const size = element('size', HTMLSelectElement);
const blur = element('blur', HTMLInputElement);
const inWorker = element('worker', HTMLInputElement);
const cameraButton = element('camera', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const copyButton = element('copy', HTMLButtonElement);
const downloadButton = element('download', HTMLButtonElement);
const stage = element('stage', HTMLElement);

/** Why a task was given up that another one has taken the place of. */
const SUPERSEDED = new Error('superseded');

const studio = new Studio({ options, onDetecting, onProgress, onFound, onFailed, onEnded });
let isUsable = true;
let used: Choice | undefined;
let loading = new AbortController();
let opening = new AbortController();
/** What was found in the picture on the stage, or in the last frame. */
let found: Pick<Found, 'faces' | 'crops'> | undefined;

function options({ fixedInputSize }: AnyDetector): DetectOptions {
  const inputSizes = size.value.split('+').map((side): [number, number] => [Number(side), Number(side)]);
  return {
    inputSizes: fixedInputSize ? [fixedInputSize] : inputSizes,
    scoreThreshold: score.valueAsNumber,
    iouThreshold: iou.valueAsNumber,
  };
}

function onDetecting({ kind }: Source): void {
  if (kind === 'picture') sayBusy('Looking for faces…');
  else sayBusy('Starting. The first frame waits for the kernels.');
}

function onProgress(now: Progress): void {
  if (now.phase === 'download') {
    const { received, total } = now;
    const text = total ? `${megabytes(received)} of ${megabytes(total)}` : megabytes(received);
    return sayBusy('Downloading the model…', { text, ...(total && { part: received / total }) });
  }
  const { compiled, total } = now;
  if (compiled < total)
    return sayBusy('Compiling kernels…', { text: `${compiled} of ${total}`, part: compiled / total });
  sayBusy('Looking for faces… The first time takes longest.');
}

function onFound(now: Found, { kind }: Source): void {
  const { faces, crops, shown, timings, ms, framesPerSecond } = now;
  found = now;
  show(shown, faces, blur.checked);
  list(faces, blur.checked ? [] : crops);
  time(timings, ms, framesPerSecond);
  copyButton.disabled = faces.length === 0;
  downloadButton.disabled = kind === 'live';
  if (kind === 'live') say('Live. Stop, or choose a picture.');
  else say(`Ready. Searched in ${ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`}.`);
}

/** Live frames do so by themselves. */
function redraw(): void {
  if (studio.source?.kind === 'picture') show(studio.source.bitmap, found?.faces ?? [], blur.checked);
}

function onFailed(error: unknown): void {
  say(explain(error), 'bad');
}

function onEnded(): void {
  stop();
  say('Ready. That was the end.');
}

/** Runs a task and says what goes wrong. */
async function attempt(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (error !== SUPERSEDED) onFailed(error);
  }
}

async function load(): Promise<void> {
  loading.abort(SUPERSEDED);
  loading = new AbortController();
  const { signal } = loading;
  const choice = picked();
  sayBusy('Reading the model…');
  try {
    const create = inWorker.checked ? createWorkerDetector : createDetector;
    // compiled when a picture comes, for its size
    const detector = await create(choice.model, {
      inputSize: 'image',
      signal,
      onProgress: (now) => signal.aborted || onProgress(now),
    });
    if (signal.aborted) {
      void detector.dispose();
      return;
    }
    await use(detector);
    used = choice;
  } finally {
    // the picker names what runs, also when another model did not come
    if (!signal.aborted) settle(used);
  }
}

async function use(detector: AnyDetector): Promise<void> {
  detector.addEventListener('devicelost', () => say('The GPU went away. The next picture starts it again.', 'bad'));
  const fixed = detector.fixedInputSize;
  size.disabled = fixed !== null;
  element('size-note', HTMLElement).textContent = fixed ? `This model takes ${fixed.join(' × ')} only.` : '';
  if (!studio.source) say('Ready. Drop a picture, paste one, choose a sample, or turn on the webcam.');
  studio.setDetector(detector);
  cameraButton.disabled = false;
  if ('device' in detector) return describeAdapter(detector.device.adapterInfo, detector.device.features);
  // a worker's device stays there
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  describeAdapter(adapter?.info, adapter?.features ?? []);
}

/** Begins to open something: what was being opened is given up, and live frames stop. */
function begin(): AbortSignal {
  opening.abort(SUPERSEDED);
  opening = new AbortController();
  if (studio.source?.kind === 'live') stop();
  return opening.signal;
}

function stop(): void {
  studio.setSource(undefined);
  cameraButton.setAttribute('aria-pressed', 'false');
  stopButton.disabled = true;
  copyButton.disabled = true;
}

async function openImage(read: () => Promise<Blob>): Promise<void> {
  const signal = begin();
  const source = await read();
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(source, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch {
    signal.throwIfAborted();
    const name = source instanceof File ? source.name : 'it';
    throw new Error(`This picture does not open: the browser cannot decode ${name}.`);
  }
  if (signal.aborted) return bitmap.close();
  found = undefined;
  show(bitmap, [], false);
  list(undefined, []);
  time(undefined, undefined);
  copyButton.disabled = downloadButton.disabled = true;
  studio.setSource({ kind: 'picture', bitmap });
}

async function openVideo(file: File): Promise<void> {
  const signal = begin();
  const video = Object.assign(document.createElement('video'), { muted: true, playsInline: true });
  const url = URL.createObjectURL(file);
  video.src = url;
  try {
    await video.play();
  } catch {
    URL.revokeObjectURL(url);
    signal.throwIfAborted();
    throw new Error(`This video does not play: the browser cannot decode ${file.name}.`);
  }
  startLive(signal, video, () => {
    video.pause();
    URL.revokeObjectURL(url);
  });
}

async function openCamera(): Promise<void> {
  const signal = begin();
  const media = navigator.mediaDevices;
  if (!media) throw new DOMException('no camera', 'NotFoundError');
  sayBusy('Asking for the webcam…');
  const camera = await media.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
  const isStarted = startLive(signal, camera, () => {
    for (const track of camera.getTracks()) track.stop();
  });
  cameraButton.setAttribute('aria-pressed', String(isStarted));
}

function startLive(signal: AbortSignal, frames: MediaStream | HTMLVideoElement, close: () => void): boolean {
  if (signal.aborted) {
    close();
    return false;
  }
  studio.setSource({ kind: 'live', frames, close });
  stopButton.disabled = false;
  return true;
}

async function openFile(file: File | undefined): Promise<void> {
  // dropped or pasted all the same
  if (!isUsable) return;
  if (file?.name.endsWith('.onnx')) {
    pickFile(file);
    return load();
  }
  if (file?.type.startsWith('video/')) return openVideo(file);
  if (file?.type.startsWith('image/')) return openImage(async () => file);
  throw new Error(`Expected a picture, a video or an .onnx file${file ? `, got ${file.name}` : ''}.`);
}

function onFile(id: string): void {
  const input = element(id, HTMLInputElement);
  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    void attempt(() => openFile(file));
    // so that the same file can be chosen again
    input.value = '';
  });
}

async function copy(): Promise<void> {
  await navigator.clipboard.writeText(JSON.stringify(found?.faces, null, 2));
  say('Ready. The faces are on the clipboard, as JSON.');
}

async function download(): Promise<void> {
  const { source } = studio;
  if (source?.kind !== 'picture') return;
  const picture = render(source.bitmap, found?.faces ?? [], blur.checked);
  const blob = await new Promise<Blob | null>((resolve) => picture.toBlob(resolve));
  const url = URL.createObjectURL(blob!);
  Object.assign(document.createElement('a'), { href: url, download: 'faces.png' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Turns off what cannot work here. */
function giveUp(): void {
  isUsable = false;
  for (const control of document.querySelectorAll<HTMLButtonElement>('main button, main input, main select')) {
    control.disabled = true;
  }
}

for (const [input, output] of [
  [score, 'score-value'],
  [iou, 'iou-value'],
] as const) {
  input.addEventListener('input', () => {
    element(output, HTMLOutputElement).value = input.valueAsNumber.toFixed(2);
    studio.refresh();
  });
}
size.addEventListener('change', () => studio.refresh());
blur.addEventListener('change', () => {
  redraw();
  if (found) list(found.faces, blur.checked ? [] : found.crops);
});
inWorker.addEventListener('change', () => void attempt(load));
onFile('picture');
onFile('model-file');
onPick(() => void attempt(load));
for (const [id, url] of Object.entries({ one, group, crowd })) {
  element(id, HTMLButtonElement).addEventListener('click', () => {
    void attempt(() => openImage(async () => (await fetch(url)).blob()));
  });
}
cameraButton.addEventListener('click', () => {
  if (cameraButton.getAttribute('aria-pressed') !== 'true') return void attempt(openCamera);
  stop();
  say('Ready. The webcam is off.');
});
stopButton.addEventListener('click', () => {
  stop();
  say('Ready. Stopped.');
});
copyButton.addEventListener('click', () => void attempt(copy));
downloadButton.addEventListener('click', () => void attempt(download));
stage.addEventListener('dragover', (event) => {
  event.preventDefault();
  stage.classList.add('over');
});
stage.addEventListener('dragleave', () => stage.classList.remove('over'));
stage.addEventListener('drop', (event) => {
  event.preventDefault();
  stage.classList.remove('over');
  const [file] = event.dataTransfer?.files ?? [];
  void attempt(() => openFile(file));
});
document.addEventListener('paste', ({ clipboardData }) => {
  const [file] = clipboardData?.files ?? [];
  if (file) void attempt(() => openFile(file));
});
addEventListener('resize', redraw);

startTheme();
linkRows();
void attempt(async () => {
  if (!(await isSupported())) {
    giveUp();
    const why = isSecureContext ? 'This browser has no WebGPU.' : 'WebGPU needs a page that is served by https.';
    throw new Error(`${why} Chrome and Edge have it, Safari from 26 on, and Firefox on Windows and macOS.`);
  }
  await listModels();
  await load();
});
