/** An element of the page by id, of the class that is expected. */
export function element<T extends HTMLElement>(id: string, Class: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof Class) return found;
  throw new Error(`#${id}: expected a ${Class.name}, got ${String(found)}`);
}

const state = element('state', HTMLDivElement);
const status = element('status', HTMLParagraphElement);
const work = element('work', HTMLDivElement);
const progress = element('progress', HTMLProgressElement);
const amount = element('amount', HTMLSpanElement);

/** How far something is; without a part of the whole, nobody knows. */
export interface Amount {
  readonly text: string;
  /** 0 to 1. */
  readonly part?: number;
}

/** What the page has to say, in a sentence; `bad` for what went wrong. */
export function say(text: string, kind: 'good' | 'bad' = 'good'): void {
  // the same sentence again is no news to a screen reader
  if (status.textContent !== text) status.textContent = text;
  state.classList.toggle('bad', kind === 'bad');
  work.hidden = true;
}

/** What the page is busy with. */
export function sayBusy(text: string, { text: how, part }: Amount = { text: '' }): void {
  say(text);
  work.hidden = false;
  amount.textContent = how;
  if (part === undefined) progress.removeAttribute('value');
  else progress.value = part;
}
