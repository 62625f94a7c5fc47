import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { paintOptionsOf, parseCount, parseFraction, parseSize } from '../../src/cli/shared/options.ts';
import { runCli } from './run-cli.ts';
import { runHere } from './run-here.ts';

describe('option values', () => {
  test.each([
    ['640', [640, 640]],
    ['640x480', [640, 480]],
    ['1280X960', [1280, 960]],
    ['33×64', [33, 64]],
  ])('--size %s', (text, size) => {
    expect(parseSize(text)).toEqual(size);
  });

  test.each(['', '0', '640x0', '-640', '640x', 'x640', '640.5', '640x480x3', '1e3', 'big'])(
    '--size %j is refused',
    (text) => {
      expect(() => parseSize(text)).toThrow(/Expected WxH or one side in pixels/);
    },
  );

  test.each(['0', '1', '0.5', '.25', '5e-1'])('a fraction of %s', (text) => {
    expect(parseFraction(text)).toBe(Number(text));
  });

  test.each(['', ' ', '-0.1', '1.01', 'NaN', 'half', '0,5'])('a fraction of %j is refused', (text) => {
    expect(() => parseFraction(text)).toThrow(/from 0 to 1/);
  });

  test('counts', () => {
    expect(parseCount('12')).toBe(12);
    for (const text of ['', '0', '-1', '1.5', '1e2', '99999999999999999999']) {
      expect(() => parseCount(text)).toThrow(/at least 1/);
    }
  });
});

describe('drawing options', () => {
  test('are those of what is drawn', () => {
    expect(paintOptionsOf({ labels: true }, false)).toEqual({ labels: true });
    expect(paintOptionsOf({ labels: false, colour: '#fc0', thickness: 3 }, true)).toEqual({
      ...{ labels: false, colours: { box: '#fc0' }, lineWidth: 3 },
    });
    expect(() => paintOptionsOf({ labels: false }, false)).toThrow('--no-labels: expected --out with it');
    expect(() => paintOptionsOf({ labels: true, colour: '#fc0' }, false)).toThrow('--colour: expected --out');
  });
});

describe('usage', () => {
  test('--version is the package version', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('--help names the commands and gives examples', async () => {
    const { code, stdout } = await runHere(['--help']);
    expect(code).toBe(0);
    for (const text of ['detect', 'verify', 'Examples:', '--json']) expect(stdout).toContain(text);
  });

  test.each([
    ['no command', [], /Usage: scrfd/],
    ['an unknown command', ['detct'], /unknown command 'detct'.*\n.*detect/],
    ['no picture', ['detect', '--model', 'm.onnx'], /missing required argument 'image'/],
    ['no model', ['info'], /'-m, --model <model>' not specified/],
    ['an unknown option', ['detect', 'a.jpg', '-m', 'm', '--jsn'], /unknown option '--jsn'.*\n.*--json/],
    ['a bad size', ['detect', 'a.jpg', '-m', 'm', '--size', '6.5'], /argument '6.5' is invalid.*in pixels/],
    ['a bad score', ['detect', 'a.jpg', '-m', 'm', '--score', '50'], /argument '50' is invalid.*from 0 to 1/],
    ['a bad overlap', ['detect', 'a.jpg', '-m', 'm', '--iou', 'x'], /argument 'x' is invalid/],
    ['a bad count', ['detect', 'a.jpg', '-m', 'm', '--max-faces', '0'], /argument '0' is invalid.*at least 1/],
    ['a bad batch', ['verify', '-m', 'm', '--batch', '-2'], /argument '-2' is invalid/],
    ['a surplus argument', ['verify', 'm.onnx', '-m', 'm'], /too many arguments/],
  ])('%s exits with 2', async (_, args, message) => {
    const { code, stdout, stderr } = await runHere(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
  });
});
