import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ImageError } from '../../src/common/errors.ts';
import type { Pixels } from '../../src/common/image.ts';
import { openEncoded, readImage } from '../../src/node/images.ts';
import { dataDir } from '../support/data.ts';
import { FaultServer } from '../support/fault-server.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-images-'));
});
afterAll(() => rm(folder, { recursive: true }));

function png(data: Uint8Array | Uint16Array, channels: 1 | 2 | 3 | 4, space: string): Promise<Buffer> {
  return sharp(data, { raw: { width: data.length / channels, height: 1, channels } })
    .toColourspace(space)
    .png()
    .toBuffer();
}

async function values(bytes: Uint8Array): Promise<number[]> {
  return [...(await readImage(bytes)).data];
}

function meanDifference(a: Pixels, b: Pixels): number {
  expect([a.width, a.height]).toEqual([b.width, b.height]);
  let sum = 0;
  for (const [i, value] of a.data.entries()) sum += Math.abs(value - b.data[i]!);
  return sum / a.data.length;
}

describe('pixels are what imread gives', () => {
  test('RGB as plain bytes of exactly width × height × 3', async () => {
    const image = await readImage(await png(Uint8Array.of(1, 2, 3, 250, 128, 0), 3, 'srgb'));
    expect(image).toEqual({ data: Uint8Array.of(1, 2, 3, 250, 128, 0), width: 2, height: 1, channels: 3 });
  });

  test('one pixel', async () => {
    expect(await values(await png(Uint8Array.of(9, 8, 7), 3, 'srgb'))).toEqual([9, 8, 7]);
  });

  test('alpha is dropped, not composited', async () => {
    expect(await values(await png(Uint8Array.of(10, 20, 30, 0, 200, 100, 50, 128), 4, 'srgb'))).toEqual([
      10, 20, 30, 200, 100, 50,
    ]);
  });

  test('grey and alpha', async () => {
    expect(await values(await png(Uint8Array.of(10, 0, 200, 128), 2, 'b-w'))).toEqual([10, 10, 10, 200, 200, 200]);
  });

  test('16 bits: the high byte', async () => {
    const samples = Uint16Array.of(0, 255, 256, 0x12ff, 0xfeff, 0xffff);
    const encoded = await png(samples, 3, 'rgb16');
    expect((await sharp(encoded).metadata()).depth).toBe('ushort');
    expect(await values(encoded)).toEqual([0, 0, 1, 0x12, 0xfe, 0xff]);
    expect(await values(await png(Uint16Array.of(0x12ff, 0xfeff), 1, 'grey16'))).toEqual([18, 18, 18, 254, 254, 254]);
  });

  test('an RGB profile is not applied', async () => {
    const samples = Uint8Array.of(200, 100, 50, 20, 180, 90);
    const tagged = await sharp(samples, { raw: { width: 2, height: 1, channels: 3 } })
      .withIccProfile('p3', { attach: true })
      .png()
      .toBuffer();
    const { data } = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
    expect(data).not.toEqual(Buffer.from(samples));
    expect(await values(tagged)).toEqual([...data]);
  });

  test('CMYK without a profile has the right colours', async () => {
    const colours = Uint8Array.of(200, 150, 120, 255, 255, 255, 20, 20, 20);
    const cmyk = await sharp(colours, { raw: { width: 3, height: 1, channels: 3 } })
      .resize(48, 16, { kernel: 'nearest', fit: 'fill' })
      .toColourspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const { data } = await readImage(cmyk);
    const middles = [8, 24, 40].flatMap((x) => [...data.subarray((8 * 48 + x) * 3, (8 * 48 + x) * 3 + 3)]);
    // Out and back through the built-in CMYK profile.
    for (const [i, value] of middles.entries()) expect(Math.abs(value - colours[i]!)).toBeLessThan(24);
  });

  test('an animation is its first frame', async () => {
    const frames = await Promise.all(
      ['red', 'blue'].map((background) =>
        sharp({ create: { width: 8, height: 6, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const image = await readImage(
      await sharp(frames, { join: { animated: true } })
        .gif()
        .toBuffer(),
    );
    expect([image.width, image.height]).toEqual([8, 6]);
    expect([...image.data.subarray(0, 3)]).toEqual([255, 0, 0]);
  });
});

describe('sources', () => {
  test('path, file: URL, data: URL, bytes and a slice of bytes are the same picture', async () => {
    const encoded = await png(Uint8Array.of(1, 2, 3), 3, 'srgb');
    const path = join(folder, 'one pixel.png');
    await writeFile(path, encoded);
    const padded = Uint8Array.of(0, 0, ...encoded, 0);
    const sources = [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      `data:image/png;base64,${encoded.toString('base64')}`,
      new Uint8Array(encoded),
      new Uint8Array(encoded).buffer,
      padded.subarray(2, -1),
    ];
    for (const source of sources) expect([...(await readImage(source)).data]).toEqual([1, 2, 3]);
  });

  test('an aborted signal rejects with its reason', async () => {
    const reason = new Error('enough');
    await expect(readImage(join(folder, 'any.png'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(
      readImage(await png(Uint8Array.of(1, 2, 3), 3, 'srgb'), { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });

  test('other types are a TypeError', async () => {
    await expect(readImage(42 as unknown as string)).rejects.toThrow(TypeError);
  });
});

describe('errors name the file and what it is', () => {
  const noise = () =>
    sharp({
      create: {
        width: 64,
        height: 64,
        channels: 3,
        background: 'grey',
        noise: { type: 'gaussian', mean: 128, sigma: 30 },
      },
    });

  test.each([
    ['an absent file', 'absent.jpg', undefined, /absent\.jpg: no such file/],
    ['an empty file', 'empty.jpg', Buffer.alloc(0), /empty\.jpg: .*got 0 bytes/],
    ['text', 'notes.jpg', Buffer.from('not a picture at all'), /notes\.jpg: expected a JPEG.*got text/],
    ['HTML', 'page.jpg', Buffer.from('<!DOCTYPE html><p>404'), /got an HTML page/],
    ['an LFS pointer', 'lfs.png', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /Git LFS pointer/],
    ['PDF', 'paper.png', Buffer.from('%PDF-1.7\n\0'), /got PDF/],
    ['zeros', 'zeros.bin', Buffer.alloc(1000), /got unknown data/],
  ])('%s', async (_, name, content, message) => {
    const path = join(folder, name);
    if (content) await writeFile(path, content);
    const error = await readImage(path).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as Error).message).toMatch(message);
  });

  test('a folder', async () => {
    await expect(readImage(folder)).rejects.toThrow(/expected a file, got a folder/);
  });

  test.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)('a truncated %s', async (format) => {
    const whole = await noise().toFormat(format).toBuffer();
    await readImage(whole);
    for (const part of [0.3, 0.6, 0.95]) {
      const error = await readImage(whole.subarray(0, whole.length * part)).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(ImageError);
      expect((error as Error).message).toMatch(/^picture: .*damaged or cut short/);
    }
  });

  test('more pixels than can be held', async () => {
    // A PNG header alone: 60000 × 60000, RGB.
    const header = await png(Uint8Array.of(1, 2, 3), 3, 'srgb');
    header.writeUInt32BE(60000, 16);
    header.writeUInt32BE(60000, 20);
    header.writeUInt32BE(crc32(header.subarray(12, 29)), 29);
    await expect(readImage(header)).rejects.toThrow(
      'picture: expected at most 268402689 pixels (maxPixels), got PNG of 60000×60000; scale it down first',
    );
  });
});

describe('what would never end, or take the machine', () => {
  const server = new FaultServer();
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  test.skipIf(process.platform === 'win32')('pipes and devices are no files, and stall nothing', async () => {
    const pipes = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg', 'e.jpg'].map((name) => join(folder, name));
    execFileSync('mkfifo', pipes);
    for (const pipe of pipes) await expect(readImage(pipe)).rejects.toThrow(`${pipe}: expected a file, got a pipe`);
    await symlink('/dev/zero', join(folder, 'zero.jpg'));
    await expect(readImage(join(folder, 'zero.jpg'))).rejects.toThrow(/zero\.jpg: expected a file, got a device/);
  });

  test('SVG is refused under any name, whatever it begins with', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
    for (const text of [svg, `<?xml version="1.0"?>${svg}`, ` \n<!DOCTYPE svg>${svg}`, `\ufeff${svg}`]) {
      await expect(readImage(Buffer.from(text))).rejects.toThrow(/expected a JPEG, .* picture, got SVG or other XML/);
    }
    await expect(readImage(Buffer.from(`<!-- ${'x'.repeat(80)} -->${svg}`))).rejects.toThrow(/got text/);
    await expect(readImage(gzipSync(svg))).rejects.toThrow(/got unknown data/);
  });

  test('limits of bytes and pixels, by path, URL and bytes', async () => {
    const bytes = await png(new Uint8Array(3000), 3, 'srgb');
    const path = join(folder, 'long.png');
    await writeFile(path, bytes);
    const url = server.whole('/long.png', bytes);
    for (const source of [path, url]) {
      expect((await readImage(source, { limits: { maxBytes: bytes.length } })).width).toBe(1000);
      const refused = readImage(source, { limits: { maxBytes: bytes.length - 1 } });
      await expect(refused).rejects.toThrow(new RegExp(`long\\.png: expected .*at most ${bytes.length - 1} bytes`));
      await expect(refused).rejects.toThrow(ImageError);
    }
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect((await readImage(shared)).width).toBe(1000);
    const blob = new Blob([new Uint8Array(bytes)]);
    expect((await readImage(blob)).width).toBe(1000);
    await expect(readImage(blob, { limits: { maxBytes: 9 } })).rejects.toThrow('picture: expected at most 9 bytes');
    await expect(readImage(bytes, { limits: { maxPixels: 999 } })).rejects.toThrow(
      'picture: expected at most 999 pixels (maxPixels), got PNG of 1000×1; scale it down first',
    );
    for (const maxPixels of [0, -1, 1.5, Number.NaN, '9' as never, null as never]) {
      await expect(readImage(bytes, { limits: { maxPixels } })).rejects.toThrow(RangeError);
    }
  });

  test('servers that never end, unpack without end, stall or lead nowhere', async () => {
    const endless = server.on('/endless', (_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(new Uint8Array(65536)));
      };
      response.on('drain', more);
      more();
    });
    const bomb = server.whole('/bomb', gzipSync(new Uint8Array(2 ** 25)), { 'content-encoding': 'gzip' });
    for (const url of [endless, bomb]) {
      await expect(readImage(url, { limits: { maxBytes: 2 ** 20 } })).rejects.toThrow(
        `${url}: expected a file of at most 1048576 (maxBytes) bytes, got more`,
      );
    }
    const slow = server.on('/slow', (_, response) => void response.write('x'));
    await expect(readImage(slow, { limits: { timeout: 200 } })).rejects.toThrow(
      `${slow}: expected all of it within 0.2 s (timeout), got 1 bytes`,
    );
    const path = '/loop';
    const loop = server.on(path, (_, response) => response.writeHead(302, { location: path }).end());
    server.requests = [];
    await expect(readImage(loop, { limits: { maxRedirects: 3 } })).rejects.toThrow(/at most 3 redirects/);
    const out = server.on('/out', (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end());
    await expect(readImage(out)).rejects.toThrow(/expected a redirect to http, got file:/);
  });

  test('an abort is heard while a picture is decoded', async () => {
    const large = await sharp({ create: { width: 6000, height: 6000, channels: 3, background: 'red' } })
      .png({ compressionLevel: 1 })
      .toBuffer();
    const reason = new Error('enough');
    const controller = new AbortController();
    const whole = readImage(large).then(() => 'decoded');
    const image = await openEncoded(large, { signal: controller.signal });
    const aborted = image.decode().catch((error: unknown) => error);
    setTimeout(() => controller.abort(reason), 1);
    expect(await Promise.race([whole, aborted])).toBe(reason);
    await whole;
  });
});

describe.skipIf(!dataDir)('real photographs', () => {
  const read = (name: string) => readImage(join(dataDir!, 'images', name));

  test.each([
    ['astronaut_nasa.png', 512, 512],
    ['biden_tall.jpg', 970, 2204],
    ['camera_gray_profile.png', 512, 512],
    ['cmyk_park.jpg', 500, 333],
    ['dark_concert_gray.jpg', 400, 267],
    ['exif6_person_from_behind.jpg', 1200, 1800],
    ['hopper.avif', 128, 128],
    ['hopper.gif', 128, 128],
    ['hopper.jpg', 128, 128],
    ['hopper.png', 128, 128],
    ['hopper.webp', 128, 128],
    ['hopper_gray.jpg', 128, 128],
    ['insightface_t1.jpg', 1280, 886],
    ['inspire_rot_0.jpg', 325, 402],
    ['inspire_rot_90.jpg', 402, 325],
    ['newton_painting.png', 768, 432],
    ['noface_cat_chelsea.png', 451, 300],
    ['noface_coffee.png', 600, 400],
    ['worlds_largest_selfie_progressive.jpg', 2048, 1150],
  ])('%s is %d × %d', async (name, width, height) => {
    const image = await read(name);
    expect([image.width, image.height, image.channels]).toEqual([width, height, 3]);
    expect(image.data.length).toBe(width * height * 3);
  });

  test.each([2, 3, 5, 6, 8])('EXIF orientation %d comes out upright', async (orientation) => {
    // The files were compressed anew after turning.
    expect(meanDifference(await read(`hopper_orientation_${orientation}.jpg`), await read('hopper.jpg'))).toBeLessThan(
      6,
    );
  });

  test.each(['png', 'webp', 'avif', 'gif'])('hopper.%s looks like hopper.jpg', async (extension) => {
    expect(meanDifference(await read(`hopper.${extension}`), await read('hopper.jpg'))).toBeLessThan(8);
  });

  test('grey has three equal channels, its profile not applied', async () => {
    const { data } = await read('dark_concert_gray.jpg');
    const stored = await sharp(join(dataDir!, 'images', 'dark_concert_gray.jpg'), { ignoreIcc: true })
      .toColourspace('b-w')
      .raw()
      .toBuffer();
    expect(data.every((value, i) => value === stored[Math.floor(i / 3)])).toBe(true);
  });

  test('CMYK is converted by its profile', async () => {
    const { data, width } = await read('cmyk_park.jpg');
    const at = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
    const [lawn, dress] = [at(40, 215), at(320, 205)];
    expect(lawn[1]).toBeGreaterThan(lawn[2]!);
    expect(dress[0]).toBeGreaterThan(dress[1]! + 50);
  });

  test('a photograph cut short is an error, not half a picture', async () => {
    const bytes = await readFile(join(dataDir!, 'images', 'insightface_t1.jpg'));
    await expect(readImage(bytes.subarray(0, bytes.length / 2))).rejects.toThrow(ImageError);
  });
});

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
