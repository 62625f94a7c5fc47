import { expect, test } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/node/printable.ts';

test('what a terminal would obey is spelt out', () => {
  expect(printable('a\x1b[2Kb\x9b1m\r\n\t\x7f\x00\u202eé–😀')).toBe('a\\x1b[2Kb\\x9b1m\\r\\n\\t\\x7f\\x00\\u202eé–😀');
  expect(printable('\u2028\u0085\u200f')).toBe('\\u2028\\x85\\u200f');
  expect(printableLines('a\x1b\nb\r\n')).toBe('a\\x1b\nb\\r\n');
});

test('JSON keeps its value', () => {
  const value = { 'na\x9bme': ['\x7f\u2028\u202e', '\x1b\n"é'] };
  for (const indent of [undefined, 2]) {
    const text = printableJson(value, indent);
    expect(JSON.parse(text)).toEqual(value);
    expect(text).toMatch(/^[\n\x20-\x7eé]*$/);
  }
});
