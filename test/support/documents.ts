import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A code block of the documents. */
export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'bench/RESULTS.md',
  ...readdirSync(`${root}docs`).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];

export const blocks: readonly Block[] = pages.flatMap((page) => {
  const text = readFileSync(root + page, 'utf8');
  const found = [...text.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language, 2: code }) => ({
    ...{ page, line: text.slice(0, index).split('\n').length, language: language!, code: code! },
  }));
  // declarations are generated, examples are not
  return page === 'docs/api.md' ? found.filter(({ language }) => language === 'js') : found;
});

export function inLanguage(...languages: readonly string[]): readonly Block[] {
  return blocks.filter(({ language }) => languages.includes(language));
}

/** The one block of a page that has these words. */
export function blockWith(page: string, words: string): string {
  const found = blocks.filter((block) => block.page === page && block.code.includes(words));
  if (found.length !== 1) throw new Error(`${page}: expected one block with ${words}, got ${found.length}`);
  return found[0]!.code;
}
