import type { DetectOptions, Detector, Timings } from 'scrfd-webgpu';
import sample from '../assets/astronaut.png';
import { explain } from './explain.ts';
import { listModels, loadPicked, onPick, pick, picked, pickFile } from './models.ts';
import { element, say } from './page.ts';
import { describeAdapter, list, type Shown, show, time } from './results.ts';
import { startTheme } from './theme.ts';

const score = element('score', HTMLInputElement);
const iou = element('iou', HTMLInputElement);
const size = element('size', HTMLSelectElement);
const cameraButton = element('camera', HTMLButtonElement);
const stage = element('stage', HTMLElement);

let detector: Detector | undefined;
let works = '';
let loading = new AbortController();
let live = new AbortController();
// the picture on the stage, which sliders detect in again
let picture: ImageBitmap | undefined;

function options(): DetectOptions {
  const inputSizes = size.value.split('+').map((side): [number, number] => [Number(side), Number(side)]);
  const fixed = detector?.fixedInputSize;
  return {
    inputSizes: fixed ? [fixed] : inputSizes,
    scoreThreshold: score.valueAsNumber,
    iouThreshold: iou.valueAsNumber,
  };
}

/** Runs a task and says what goes wrong. */
async function attempt(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (error !== SUPERSEDED) say(explain(error), 'bad');
  }
}

/** Why a task was given up that another one has taken the place of. */
const SUPERSEDED = new Error('superseded');

async function load(): Promise<void> {
  loading.abort(SUPERSEDED);
  loading = new AbortController();
  const { signal } = loading;
  say('Loading the model…');
  try {
    const loaded = await loadPicked(signal);
    signal.throwIfAborted();
    void detector?.dispose();
    detector = loaded;
    works = picked();
  } catch (error) {
    // what worked before still does
    if (error !== SUPERSEDED && works) pick(works);
    throw error;
  }
  detector.addEventListener('devicelost', () => say('The GPU went away. The next picture starts it again.', 'bad'));
  detector.addEventListener('devicerestored', () => describeAdapter(detector!.device));
  describeAdapter(detector.device);
  const fixed = detector.fixedInputSize;
  size.disabled = fixed !== null;
  element('size-note', HTMLElement).textContent = fixed ? `This model takes ${fixed.join(' × ')} only.` : '';
  say('Ready. Drop a picture, paste one, or turn on the webcam.');
  if (picture) await detectPicture();
}

let detecting = false;
let again = false;

/** Detects in the picture on the stage; asked for again meanwhile, once more with the newest settings. */
async function detectPicture(): Promise<void> {
  again = true;
  if (detecting) return;
  detecting = true;
  try {
    while (again && picture && detector) {
      again = false;
      const shown = picture;
      let timings: Timings | undefined;
      const start = performance.now();
      const faces = await detector.detect(shown, {
        ...options(),
        onTimings: (times) => {
          timings = times;
        },
      });
      if (shown !== picture || isLive()) continue;
      show(shown, faces);
      list(faces);
      time(timings, performance.now() - start);
      say('Ready.');
    }
  } finally {
    detecting = false;
  }
}

async function openImage(source: Blob): Promise<void> {
  stopCamera();
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(source, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch {
    const name = source instanceof File ? source.name : 'it';
    throw new Error(`This picture does not open: the browser cannot decode ${name}.`);
  }
  picture?.close();
  picture = bitmap;
  show(bitmap, []);
  if (detector) await detectPicture();
}

function isLive(): boolean {
  return cameraButton.getAttribute('aria-pressed') === 'true';
}

function stopCamera(): void {
  live.abort(SUPERSEDED);
  cameraButton.setAttribute('aria-pressed', 'false');
}

async function startCamera(): Promise<void> {
  if (!detector) throw new Error('Choose a model first.');
  const media = navigator.mediaDevices;
  if (!media) throw new DOMException('no camera', 'NotFoundError');
  live = new AbortController();
  const { signal } = live;
  const camera = await media.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
  try {
    signal.throwIfAborted();
    cameraButton.setAttribute('aria-pressed', 'true');
    say('The webcam is on.');
    await follow(camera, signal);
  } finally {
    for (const track of camera.getTracks()) track.stop();
    if (live.signal === signal) cameraButton.setAttribute('aria-pressed', 'false');
  }
}

/** Frames one by one rather than as one stream, so that every one takes the newest settings. */
async function follow(camera: MediaStream, signal: AbortSignal): Promise<void> {
  let last = performance.now();
  let rate = 0;
  while (!signal.aborted) {
    const current = detector!;
    const settings = JSON.stringify(options());
    let timings: Timings | undefined;
    const onTimings = (times: Timings) => {
      timings = times;
    };
    for await (const { frame, faces } of current.stream(camera, { ...options(), signal, onTimings })) {
      const now = performance.now();
      rate = rate === 0 ? 1000 / (now - last) : rate * 0.9 + (0.1 * 1000) / (now - last);
      show(frame as Shown, faces);
      list(faces);
      time(timings, now - last, rate);
      last = now;
      if (current !== detector || settings !== JSON.stringify(options())) break;
    }
    if (camera.getVideoTracks().every(({ readyState }) => readyState === 'ended')) return;
  }
}

function openDropped(data: DataTransfer | null): void {
  const file = [...(data?.files ?? [])].find(({ name, type }) => name.endsWith('.onnx') || type.startsWith('image/'));
  if (!file) {
    say('Expected a picture or an .onnx file.', 'bad');
    return;
  }
  void attempt(() => openFile(file));
}

async function openFile(file: File): Promise<void> {
  if (!file.name.endsWith('.onnx')) return openImage(file);
  pickFile(file);
  await load();
}

function onFile(id: string): void {
  const input = element(id, HTMLInputElement);
  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    if (file) void attempt(() => openFile(file));
    // so that the same file can be chosen again
    input.value = '';
  });
}

for (const [input, output] of [
  [score, 'score-value'],
  [iou, 'iou-value'],
] as const) {
  input.addEventListener('input', () => {
    element(output, HTMLOutputElement).value = input.valueAsNumber.toFixed(2);
    void attempt(detectPicture);
  });
}
size.addEventListener('change', () => void attempt(detectPicture));
onFile('picture');
onFile('model-file');
onPick(() => void attempt(load));
element('sample', HTMLButtonElement).addEventListener('click', () => {
  void attempt(async () => openImage(await (await fetch(sample)).blob()));
});
cameraButton.addEventListener('click', () => {
  if (!isLive()) return void attempt(startCamera);
  stopCamera();
  say('The webcam is off.');
});
stage.addEventListener('dragover', (event) => {
  event.preventDefault();
  stage.classList.add('over');
});
stage.addEventListener('dragleave', () => stage.classList.remove('over'));
stage.addEventListener('drop', (event) => {
  event.preventDefault();
  stage.classList.remove('over');
  openDropped(event.dataTransfer);
});
document.addEventListener('paste', ({ clipboardData }) => {
  if (clipboardData?.files.length) openDropped(clipboardData);
});
addEventListener('resize', () => {
  if (!isLive()) void attempt(detectPicture);
});

startTheme();
void attempt(async () => {
  await listModels();
  await load();
});
