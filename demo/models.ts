import { findModel, type ModelInput, modelNames } from 'scrfd-webgpu';
import { element } from './page.ts';

const select = element('model', HTMLSelectElement);
const licence = element('licence', HTMLParagraphElement);

/** What the build put beside the page, if there was a model on that machine: see vite.config.ts. */
interface LocalModel {
  readonly file: string;
  readonly name: string;
  readonly licence: string;
}

/** A line of the picker. */
export interface Choice {
  readonly name: string;
  readonly licence: string;
  readonly model: ModelInput;
}

const LOCAL = './models/local.json';
const choices = new Map<HTMLOptionElement, Choice>();

function add(text: string, choice: Choice): HTMLOptionElement {
  const option = new Option(text);
  choices.set(option, choice);
  select.append(option);
  return option;
}

/** Fills the picker: the model beside the page first, then those that are downloaded. */
export async function listModels(): Promise<void> {
  const response = await fetch(LOCAL).catch(() => undefined);
  const isJson = response?.headers.get('content-type')?.includes('json');
  const local = response?.ok && isJson ? ((await response.json()) as LocalModel) : undefined;
  if (local) add(`${local.name} (here)`, { ...local, model: `./models/${local.file}` });
  for (const name of modelNames()) {
    const { sources, bytes, licence } = findModel(name)!;
    // what comes from npm alone is no download for a page
    const isFile = sources.some(({ kind }) => kind === 'file');
    if (isFile && name !== local?.name) add(`${name} (${megabytes(bytes)})`, { name, licence, model: name });
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Adds a file of the visitor's, and picks it. */
export function pickFile(file: File): void {
  add(file.name, { name: file.name, licence: '', model: file }).selected = true;
}

export function picked(): Choice {
  return choices.get(select.selectedOptions[0]!)!;
}

/** Shows the choice that is in use, and lets go of files that are not. */
export function settle(used: Choice | undefined): void {
  choices.forEach((choice, option) => {
    if (choice === used) option.selected = true;
    else if (choice.model instanceof File) {
      choices.delete(option);
      option.remove();
    }
  });
  licence.textContent = used?.licence ?? '';
}

export function onPick(action: () => void): void {
  select.addEventListener('change', action);
}
