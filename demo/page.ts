/** An element of the page by id, of the class that is expected. */
export function element<T extends HTMLElement>(id: string, Class: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof Class) return found;
  throw new Error(`#${id}: expected a ${Class.name}, got ${String(found)}`);
}

const status = element('status', HTMLParagraphElement);

/** What the page has to say, in a sentence; `bad` for what went wrong. */
export function say(text: string, kind: 'good' | 'bad' = 'good'): void {
  status.textContent = text;
  status.classList.toggle('bad', kind === 'bad');
}
