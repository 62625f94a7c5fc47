import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { lockFile } from '../../../src/cli/shared/lock.ts';
import { assertNotRead, type Format, openOutput, type Result } from '../../../src/cli/shared/output.ts';
import { planOutputs } from '../../../src/cli/shared/plan-outputs.ts';

const root = mkdtempSync(join(tmpdir(), 'scrfd-output-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'test-'));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});

const result = (image: string): Result => ({ image, width: 9, height: 9, faces: [{ box: [1, 2, 3, 4], score: 0.5 }] });
const line = (image: string) => `${JSON.stringify(result(image))}\n`;

describe('a file of results', () => {
  test.each<[Format, RegExp]>([
    ['json', /^\[\n\{.*\},\n\{.*\}\n\]\n$/],
    ['csv', /^image,.*\na,9,.*\nb,9,.*\n$/],
    ['table', /^a {2}9×9 {2}1 face\n.*b {2}9×9 {2}1 face\n/s],
  ])('%s is written beside its place as results come, and put there whole', async (format, pattern) => {
    const path = join(folder, 'results');
    writeFileSync(path, 'before');
    const failed = await openOutput(format, path, false);
    await failed.write(result('a'));
    const [beside] = readdirSync(folder).filter((name) => name.includes('.part'));
    expect(readFileSync(join(folder, beside!), 'utf8')).toContain('a');
    await failed.abandon();
    expect(readdirSync(folder)).toEqual(['results']);
    expect(readFileSync(path, 'utf8')).toBe('before');

    const output = await openOutput(format, path, false);
    for (const image of ['a', 'b']) await output.write(result(image));
    expect(readFileSync(path, 'utf8')).toBe('before');
    await output.end();
    expect(readdirSync(folder)).toEqual(['results']);
    expect(readFileSync(path, 'utf8')).toMatch(pattern);
  });

  test.each([
    [4, '1,2,3,4,5,6,7,8'],
    [0, ',,,,,,,,,'],
  ])('CSV has columns for the points of a model of %i', async (count, coordinates) => {
    const path = join(folder, 'results');
    const output = await openOutput('csv', path, false, count);
    const keypoints = Array.from({ length: count }, (_, k) => [2 * k + 1, 2 * k + 2] as const);
    const [face] = result('a').faces;
    await output.write({ ...result('a'), faces: [{ ...face!, ...(count > 0 && { keypoints }) }] });
    await output.end();
    const [header, row] = readFileSync(path, 'utf8').split('\n') as [string, string];
    expect(row).toBe(`a,9,9,1,0.5,1,2,3,4,${coordinates}`);
    expect(header).toMatch(count === 4 ? /,y2,kx1,ky1,kx2,ky2,kx3,ky3,kx4,ky4$/ : /,kx5,ky5$/);
    expect(header.split(',').length).toBe(row.split(',').length);
  });

  test.each<Format>(['json', 'ndjson'])('%s has as many points as a face', async (format) => {
    const path = join(folder, 'results');
    const keypoints = Array.from({ length: 98 }, (_, k) => [k, k + 0.5] as const);
    const faces = [{ ...result('a').faces[0]!, keypoints }];
    const output = await openOutput(format, path, false, 98);
    await output.write({ ...result('a'), faces });
    await output.end();
    const [written] = [JSON.parse(readFileSync(path, 'utf8'))].flat();
    expect(written).toEqual({ ...result('a'), faces });
  });

  test('no results are an empty array', async () => {
    const path = join(folder, 'results');
    await (await openOutput('json', path, false)).end();
    expect(readFileSync(path, 'utf8')).toBe('[]\n');
  });

  test('a link stays one; a pipe is written as it is', async () => {
    writeFileSync(join(folder, 'real'), '');
    symlinkSync('real', join(folder, 'link'));
    await (await openOutput('json', join(folder, 'link'), false)).end();
    expect(readFileSync(join(folder, 'real'), 'utf8')).toBe('[]\n');
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = spawn('cat', [pipe]);
    const output = await openOutput('ndjson', pipe, false);
    await output.write(result('a'));
    await output.end();
    const [text] = (await once(reader.stdout, 'data')) as [Buffer];
    expect(text.toString()).toBe(line('a'));
    expect(readdirSync(folder).sort()).toEqual(['link', 'pipe', 'real']);
  });

  test('names that a spreadsheet would compute or a terminal obey', async () => {
    const path = join(folder, 'results');
    const output = await openOutput('csv', path, false);
    for (const image of ['=1+1', '+1', '-a,b', '@x', 'a\x1b\n"b"', '\t=1', 'plain']) await output.write(result(image));
    await output.end();
    const names = readFileSync(path, 'utf8').split('\n').slice(1, -1);
    expect(names.map((row) => row.slice(0, row.indexOf(',9,9,1')))).toEqual([
      ...[`"'=1+1"`, `"'+1"`, `"'-a,b"`, `"'@x"`, '"a\\x1b\\n""b"""', `"'\\t=1"`, 'plain'],
    ]);
  });

  test('a full disk leaves no half line, and room makes it go on', async (context) => {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder], { stdio: 'pipe' });
    } catch {
      context.skip('needs the right to mount a file system');
    }
    try {
      const path = join(folder, 'results');
      const output = await openOutput('ndjson', path, false);
      const names = Array.from({ length: 40 }, (_, i) => String(i).padStart(1000, 'x'));
      const kept: string[] = [];
      for (const [i, name] of names.entries()) {
        if (i === 30) execFileSync('mount', ['-o', 'remount,size=1m', folder]);
        await output.write(result(name)).then(
          () => kept.push(name),
          () => {},
        );
      }
      await output.end();
      expect(kept.length).toBeGreaterThan(15);
      expect(kept.length).toBeLessThan(35);
      expect(readFileSync(path, 'utf8')).toBe(kept.map(line).join(''));
    } finally {
      execFileSync('umount', [folder]);
    }
  });
});

describe('going on with a file', () => {
  async function resume(text: string): Promise<[done: string[], text: string]> {
    const path = join(folder, 'results');
    writeFileSync(path, text);
    const output = await openOutput('ndjson', path, true);
    await output.write(result('new'));
    await output.end();
    return [[...output.done], readFileSync(path, 'utf8')];
  }
  const half = line('h').slice(0, 30);

  test.each([
    ['whole lines', line('a') + line('b'), ['a', 'b'], line('a') + line('b')],
    ['an empty file', '', [], ''],
    ['half a line at the end', line('a') + half, ['a'], line('a')],
    ['one at the start', `${half}\n${line('b')}`, ['b'], line('b')],
    ['one that another is glued to', line('a') + half + line('b') + line('c'), ['a', 'c'], line('a') + line('c')],
    ['a very short one, glued', `${line('a')}{"im${line('b')}{`, ['a'], line('a')],
    ['a line without its end', line('a') + line('b').trimEnd(), ['a', 'b'], line('a') + line('b')],
  ])('%s', async (_, text, done, kept) => {
    expect(await resume(text)).toEqual([done, kept + line('new')]);
    expect(readdirSync(folder)).toEqual(['results']);
  });

  test.each([
    ['JSON', '{\n  "image": "a"\n}\n', 1],
    ['text at the end', `${line('a')}notes`, 2],
    ['another NDJSON', `${half}\n{"no": "result"}\n`, 2],
  ])('%s is refused and stays', async (_, text, number) => {
    await expect(resume(text)).rejects.toThrow(`expected a result in line ${number}; is this another file?`);
    expect(readFileSync(join(folder, 'results'), 'utf8')).toBe(text);
    expect(readdirSync(folder)).toEqual(['results']);
  });

  test('more than a string can hold', { timeout: 60_000 }, async () => {
    const path = join(folder, 'results');
    const file = createWriteStream(path);
    const padding = 'x'.repeat(2 ** 20);
    for (let i = 0; i < 540; i++) {
      if (!file.write(`{"image":"${i}","padding":"${padding}"}\n`)) await once(file, 'drain');
    }
    file.end(half);
    await finished(file);
    const output = await openOutput('ndjson', path, true);
    expect(output.done.size).toBe(540);
    await output.end();
    rmSync(path);
  });
});

describe('one writer a file', () => {
  test('another is refused while one is under way, and told by whom', async () => {
    const path = join(folder, 'results');
    const output = await openOutput('ndjson', path, false);
    writeFileSync(join(folder, 'results.lock'), JSON.stringify({ pid: process.ppid, host: hostname() }));
    await expect(openOutput('ndjson', path, true)).rejects.toThrow(
      `${path}: process ${process.ppid} is writing it; give each run a file of its own`,
    );
    await output.end();
    await (await openOutput('ndjson', path, true)).end();
    expect(readdirSync(folder)).toEqual(['results']);
  });

  test("a dead process's lock is taken over, by one of many; another machine's is not", async () => {
    const path = join(folder, 'results');
    const lock = join(folder, 'results.lock');
    const child = spawn('true');
    await once(child, 'exit');
    writeFileSync(lock, JSON.stringify({ pid: child.pid, host: hostname() }));
    const outputs = await Promise.allSettled(Array.from({ length: 8 }, () => openOutput('json', path, false)));
    const opened = outputs.flatMap((output) => (output.status === 'fulfilled' ? [output.value] : []));
    expect(opened).toHaveLength(1);
    await opened[0]!.end();
    writeFileSync(lock, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    await expect(openOutput('json', path, false)).rejects.toThrow(/results: process 1 of elsewhere is writing it/);
    // it has shown no sign of life for an hour
    utimesSync(lock, Date.now() / 1000 - 3600, Date.now() / 1000 - 3600);
    await (await openOutput('json', path, false)).end();
    expect(readdirSync(folder)).toEqual(['results']);
  });

  test('of many that come one after another to a dead lock one has it', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    const come = async (path: string, turns: number) => {
      for (let i = 0; i < turns; i++) await setImmediate();
      return lockFile(path);
    };
    for (let round = 0; round < 300; round++) {
      const path = join(folder, `results ${round}`);
      writeFileSync(`${path}.lock`, JSON.stringify({ pid: child.pid, host: hostname() }));
      const comers = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => come(path, (i * round) % 7)));
      const owners = comers.flatMap((comer) => (comer.status === 'fulfilled' ? [comer.value] : []));
      expect(owners, `round ${round}`).toHaveLength(1);
      await owners[0]!();
    }
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('what is written is nothing that is read, nor written twice', async () => {
  const at = (name: string) => join(folder, name);
  writeFileSync(at('a'), '');
  symlinkSync('a', at('link'));
  await expect(assertNotRead({ '--x': at('link') }, [at('b'), at('a')])).rejects.toThrow(
    /--x: expected another file than .*a, which is read/,
  );
  await expect(assertNotRead({ '--x': at('new'), '--y': at('./new') }, [])).rejects.toThrow(
    /--y: expected another file than that of --x/,
  );
  await assertNotRead({ '--x': at('new'), '--y': undefined }, [at('a')]);
});

describe('what killed processes left', () => {
  const beside = (name: string) => `.${name}.${randomUUID()}.part${extname(name)}`;
  const write = (name: string, minutes = 0) => {
    const path = join(folder, name);
    writeFileSync(path, '');
    const time = Date.now() / 1000 - 60 * minutes;
    utimesSync(path, time, time);
    return name;
  };

  test.each<Format>(['json', 'ndjson'])(
    'beside a file of results goes with the next %s of its name',
    async (format) => {
      write(beside('results.json'));
      const others = [beside('other.json'), beside('results.jso'), 'results.json.part', '.results.json.part'].map(
        (name) => write(name),
      );
      // while another process has it nothing is touched
      writeFileSync(join(folder, 'results.json.lock'), JSON.stringify({ pid: process.ppid, host: hostname() }));
      await expect(openOutput(format, join(folder, 'results.json'), false)).rejects.toThrow('is writing it');
      expect(readdirSync(folder)).toHaveLength(6);
      rmSync(join(folder, 'results.json.lock'));
      await (await openOutput(format, join(folder, 'results.json'), false)).end();
      expect(readdirSync(folder).sort()).toEqual([...others, 'results.json'].sort());
    },
  );

  test('in a folder of pictures goes after an hour, because others may write there', async () => {
    write(beside('a.jpg'), 61);
    const kept = [write(beside('a.jpg'), 59), write('.a.part.jpg', 99)];
    await planOutputs(['a.jpg'], { out: folder }, []);
    expect(readdirSync(folder).sort()).toEqual(kept.sort());
  });
});

describe('places of pictures', () => {
  const at = (name: string) => join(folder, name);
  const names = async (images: string[], folders: { out?: string; crops?: string }, reserved: string[] = []) => {
    const { pictures, crops } = await planOutputs(images, folders, reserved);
    return images.map((_, i) => (pictures ?? crops)!(i).slice(folder.length + 1));
  };

  // minutes where the time grows with the square
  test('many of one name', { timeout: 60_000 }, async () => {
    const images = Array.from({ length: 50_000 }, (_, i) => `/pictures/${i}/same.jpg`);
    const start = performance.now();
    const paths = new Set(await names(images, { out: at('out'), crops: at('crops') }));
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(paths.size).toBe(50_000);
    expect(paths.has('out/same-50000.jpg')).toBe(true);
  });

  test('nothing that is read is written over, under its own name or by a link', async () => {
    mkdirSync(at('in'));
    for (const name of ['a.jpg', 'b-1.png', 'c.jpg']) writeFileSync(at(name), name);
    writeFileSync(at('in/d.jpg'), '');
    symlinkSync('in/d.jpg', at('d.jpg'));
    symlinkSync('../c.jpg', at('in/other.jpg'));
    const images = ['a.jpg', 'in/other.jpg', 'd.jpg', 'in/c.jpg', 'in/b.png'].map(at);
    expect(await names(images, { out: folder }, [at('b.png')])).toEqual([
      ...['a-2.jpg', 'other.jpg', 'd-2.jpg', 'c-2.jpg', 'b-2.png'],
    ]);
    // crops are numbered from 1
    expect(await names([...images, at('b-1.png')], { crops: folder })).toEqual(['a', 'other', 'd', 'c', 'b-2', 'b-1']);
  });

  test('crops of pictures that differ by extension, or lie beside annotated pictures', async () => {
    const images = ['x/a.jpg', 'x/a.png', 'y/a.png'];
    expect(await names(images, { crops: folder })).toEqual(['a', 'a-2', 'a-3']);
    const { pictures, crops } = await planOutputs(images, { out: folder, crops: folder }, []);
    expect(images.map((_, i) => pictures!(i))).toEqual(['a.jpg', 'a.png', 'a-2.png'].map(at));
    // a-2.png would be the second face's
    expect(images.map((_, i) => crops!(i))).toEqual(['a-2', 'a-3', 'a-4'].map(at));
  });
});
