import { createDetector, type Detector, findModel, modelNames } from 'scrfd-webgpu';
import { element } from './page.ts';

const select = element('model', HTMLSelectElement);
const licence = element('licence', HTMLParagraphElement);
const progress = element('progress', HTMLProgressElement);

/** What the build put beside the page, if there was a model on that machine: see vite.config.ts. */
interface LocalModel {
  readonly file: string;
  readonly name: string;
  readonly licence: string;
}

const LOCAL = './models/local';
let fileOption: HTMLOptionElement | undefined;
let file: File | undefined;
let local: LocalModel | undefined;

function addOption(value: string, text: string): HTMLOptionElement {
  const option = new Option(text, value);
  select.append(option);
  return option;
}

/** Fills the picker: the model beside the page first, then those that are downloaded. */
export async function listModels(): Promise<void> {
  const response = await fetch(`${LOCAL}.json`).catch(() => undefined);
  const isJson = response?.headers.get('content-type')?.includes('json');
  local = response?.ok && isJson ? ((await response.json()) as LocalModel) : undefined;
  if (local) addOption(LOCAL, `${local.name} (here)`);
  for (const name of modelNames()) {
    const entry = findModel(name);
    // what comes from npm alone is no download for a page
    const size = entry?.sources.some(({ kind }) => kind === 'file') && `${(entry.bytes / 1e6).toFixed(1)} MB`;
    if (size && name !== local?.name) addOption(name, `${name} (${size})`);
  }
}

/** Adds a file of the visitor's to the picker and picks it. */
export function pickFile(opened: File): void {
  file = opened;
  fileOption ??= addOption('file', '');
  fileOption.textContent = opened.name;
  fileOption.selected = true;
  describe();
}

/** The value that `pick` gets back to. */
export function picked(): string {
  return select.value;
}

export function pick(value: string): void {
  select.value = value;
  describe();
}

export function onPick(action: () => void): void {
  select.addEventListener('change', () => {
    describe();
    action();
  });
}

function describe(): void {
  const entry = findModel(select.value);
  licence.textContent = select.value === LOCAL ? (local?.licence ?? '') : (entry?.licence ?? '');
}

/** Loads what is picked. Reports progress where something is downloaded. Sizes are compiled when a picture comes. */
export async function loadPicked(signal: AbortSignal): Promise<Detector> {
  describe();
  const model = select.value === LOCAL ? `./models/${local!.file}` : select.value === 'file' ? file! : select.value;
  progress.removeAttribute('value');
  progress.hidden = false;
  try {
    return await createDetector(model, {
      inputSize: 'image',
      signal,
      onProgress: (now) => {
        if (now.phase === 'download' && now.total) progress.value = now.received / now.total;
      },
    });
  } finally {
    progress.hidden = true;
  }
}
