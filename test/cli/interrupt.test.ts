import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageNamed, modelNamed, withData } from '../support/data.ts';
import { errorLines, runCli } from './run-cli.ts';
import { runHere } from './run-here.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'scrfd-interrupt-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Runs `scrfd` with a standard output of the test's own, and with what the test does to it meanwhile. */
async function runScrfd(
  args: readonly string[],
  stdout: 'pipe' | number,
  meddle: (child: ChildProcess) => Promise<void> = async () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
    cwd: root,
    stdio: ['pipe', stdout, 'pipe'],
  });
  const [stderr, [code, signal]] = await Promise.all([text(child.stderr!), once(child, 'exit'), meddle(child)]);
  return { code: code as number | null, signal: signal as NodeJS.Signals | null, stderr };
}

test('a list on standard input that never ends is no hindrance', async () => {
  const { code, stderr } = await runScrfd(['detect', '-', '--model', 'm.onnx'], 'pipe', async (child) => {
    // more than a pipe holds: it is read once this is written
    await new Promise((resolve) => child.stdin!.write('a.jpg\n'.repeat(50_000), resolve));
    child.kill('SIGINT');
  });
  expect(code).toBe(130);
  expect(errorLines(stderr)).toEqual(['scrfd: interrupted; the results are not all there']);
});

const hasFull = existsSync('/dev/full');

test.skipIf(!hasFull)('a full standard output is one sentence', async () => {
  const full = openSync('/dev/full', 'w');
  try {
    for (const args of [
      ['models', 'list'],
      ['doctor', '--json'],
    ]) {
      const { code, stderr } = await runScrfd(args, full);
      expect(code).toBe(1);
      expect(errorLines(stderr)).toEqual([
        expect.stringMatching(/^scrfd: standard output: cannot be written \(ENOSPC: no space left on device/),
      ]);
      expect(stderr).not.toContain('    at ');
    }
  } finally {
    closeSync(full);
  }
});

withData('scrfd detect', () => {
  const options = () => ['--model', modelNamed('scrfd_500m_kps.onnx'), '--size', '64'];
  const pictures = join(folder, 'pictures');
  beforeAll(() => {
    mkdirSync(pictures);
    for (let i = 0; i < 400; i++) copyFileSync(imageNamed('hopper.png'), join(pictures, `${i}.png`));
  });

  test.skipIf(!hasFull)(
    'ends at a full standard output, and quietly at a closed one',
    { timeout: 60_000 },
    async () => {
      const full = openSync('/dev/full', 'w');
      const args = ['detect', pictures, ...options(), '--format', 'ndjson'];
      const { code, stderr } = await runScrfd(args, full);
      closeSync(full);
      expect(code).toBe(1);
      expect(errorLines(stderr)).toHaveLength(1);
      expect(stderr).toContain('standard output: cannot be written');
      const closed = await runScrfd(args, 'pipe', async (child) => {
        await once(child.stdout!, 'data');
        child.stdout!.destroy();
      });
      expect(closed).toMatchObject({ code: 0, signal: null });
      expect(errorLines(closed.stderr)).toEqual([]);
    },
  );

  test.skipIf(!hasFull)('goes on where nobody can be told of errors', async () => {
    const full = openSync('/dev/full', 'w');
    const bad = join(folder, 'bad.png');
    writeFileSync(bad, 'text');
    const args = ['detect', bad, imageNamed('hopper.png'), ...options(), '--format', 'ndjson'];
    const stdio = ['ignore', 'pipe', full] as const;
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
      cwd: root,
      stdio: [...stdio],
    });
    const [lines, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')]);
    closeSync(full);
    expect(code).toBe(1);
    expect(lines).toMatch(/^\{"image":".*hopper\.png".*\}\n$/);
  });

  test('ends in order at a signal: NDJSON has whole lines, other files are as they were', {
    timeout: 120_000,
  }, async () => {
    const place = join(folder, 'place');
    mkdirSync(place);
    for (const [format, name, exitCode] of [
      ['ndjson', 'SIGINT', 130],
      ['json', 'SIGTERM', 143],
    ] as const) {
      const file = join(place, `results.${format}`);
      writeFileSync(file, 'before');
      // standard output tells when it is under way
      const out = join(folder, `out-${format}`);
      const args = ['detect', pictures, ...options(), '--format', format, '--output', file, '--out', out];
      const ended = await runScrfd(args, 'pipe', async (child) => {
        while (!existsSync(out) || readdirSync(out).length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
        child.kill(name);
      });
      expect(ended).toMatchObject({ code: exitCode, signal: null });
      expect(errorLines(ended.stderr)).toEqual([
        format === 'json'
          ? `scrfd: interrupted; nothing is written to ${file}`
          : 'scrfd: interrupted; the same command with --resume goes on where it stopped',
      ]);
      const written = readFileSync(file, 'utf8');
      if (format === 'json') expect(written).toBe('before');
      else {
        const lines = written.split('\n');
        expect(lines.pop()).toBe('');
        expect(lines.length).toBeGreaterThan(1);
        for (const line of lines) expect(JSON.parse(line)).toMatchObject({ width: 128 });
      }
      expect(readdirSync(out).filter((each) => each.startsWith('.'))).toEqual([]);
    }
    expect(readdirSync(place).sort()).toEqual(['results.json', 'results.ndjson']);
  });

  test('a file that another process writes is refused', async () => {
    const file = join(folder, 'shared.ndjson');
    writeFileSync(`${file}.lock`, JSON.stringify({ pid: process.pid, host: hostname() }));
    const args = ['detect', pictures, ...options(), '--format', 'ndjson', '--output', file, '--shard', '1/2'];
    const { code, stderr } = await runCli(args);
    expect(code).toBe(1);
    expect(errorLines(stderr)).toEqual([
      expect.stringContaining(`shared.ndjson: process ${process.pid} is writing it; give each run a file of its own`),
    ]);
    expect(existsSync(file)).toBe(false);
  });

  test('a picture that standard output goes to is not read', async () => {
    const picture = join(folder, 'appended.png');
    copyFileSync(imageNamed('hopper.png'), picture);
    const stdout = openSync(picture, 'a');
    const { code, stderr } = await runScrfd(['detect', picture, ...options(), '--json'], stdout);
    closeSync(stdout);
    expect(code).toBe(2);
    expect(stderr).toContain('standard output: expected another file than');
    expect(readFileSync(picture)).toEqual(readFileSync(imageNamed('hopper.png')));
  });

  test('names obey nobody', async () => {
    const names = ['a\x1b[2K\rscrfd: all is well.png', 'b\n"x".png', 'c\x9b1m.png'];
    const odd = join(folder, 'odd');
    mkdirSync(odd);
    for (const name of names) copyFileSync(imageNamed('hopper.png'), join(odd, name));
    writeFileSync(join(odd, 'd\x1b.png'), 'text');
    const formats = ['table', 'json', 'ndjson', 'csv'];
    const outcomes = formats.map((format) => runHere(['detect', odd, ...options(), '--format', format]));
    for (const [i, { code, stdout, stderr }] of (await Promise.all(outcomes)).entries()) {
      expect(code).toBe(1);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
      expect(stdout + errorLines(stderr).join('')).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
      expect(errorLines(stderr)).toEqual([expect.stringMatching(/d\\x1b\.png: expected a JPEG/)]);
      const images = names.map((name) => join(odd, name)).sort();
      if (formats[i] === 'json')
        expect((JSON.parse(stdout) as { image: string }[]).map(({ image }) => image)).toEqual(images);
    }
  });

  test('a command that only prints ends at a signal', { timeout: 60_000 }, async () => {
    const args = [
      'bench',
      '--models',
      modelNamed('scrfd_500m_kps.onnx'),
      '--runs',
      '1000',
      '--providers',
      'scrfd-network',
    ];
    const { code, signal, stderr } = await runScrfd(args, 'pipe', async (child) => {
      // until it measures, whose name it prints
      await new Promise<void>((resolve) => {
        child.stderr!.on('data', (data) => {
          if (String(data).includes('500m_kps')) resolve();
        });
      });
      child.kill('SIGINT');
    });
    expect([code, signal]).toEqual([130, null]);
    expect(errorLines(stderr).at(-1)).toBe('scrfd: interrupted');
  });
});
