/**
 * What a terminal obeys instead of showing it, or what moves the text around it: control characters, C1's included, and marks of
 * lines and directions. Names of files, and what models and servers say, may hold any of them.
 */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Text on one line in which nothing is obeyed: `\n`, `\x1b`, `\u202e` and the like are spelt out. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return SHORT[character] ?? (code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`);
  });
}

/** Lines in which nothing is obeyed but their ends. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON of the same value in which nothing is obeyed; it escapes less by itself. */
export function printableJson(value: unknown, indent?: number): string {
  const spell = (character: string) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, indent).replace(UNPRINTABLE, spell);
}
