import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDetector, type Face, type Pixels, paintFaces, type Tracked } from '../../src/index.node.ts';
import { probeVideo, readFrames } from '../../src/node/video.ts';
import { dataDir, imageNamed, modelNamed } from '../support/data.ts';
import { openGpu } from '../support/gpu.ts';
import { schemaErrors } from '../support/output-schema.ts';
import { errorLines, runNode } from './run-cli.ts';
import { runHere } from './run-here.ts';

const run = promisify(execFile);
const hasFfmpeg = ['/usr/bin/ffmpeg', '/usr/local/bin/ffmpeg', '/opt/homebrew/bin/ffmpeg'].some(existsSync);

interface Line {
  readonly frame: number;
  readonly time: number;
  readonly faces: readonly { readonly score: number; readonly box: readonly number[]; readonly track?: number }[];
}

test('without ffmpeg the error says how to get it', async () => {
  const { code, stderr } = await runHere(['video', 'a.mp4', '--json'], { PATH: '/nowhere' });
  expect(code).toBe(1);
  expect(stderr).toContain('videos need ffmpeg and ffprobe: apt-get install ffmpeg');
});

describe.skipIf(!hasFfmpeg || !dataDir)('scrfd video (needs ffmpeg and SCRFD_DATA)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'scrfd-video-'));
  const clip = join(folder, 'clip.mp4');
  const options = () => ['--model', modelNamed('scrfd_500m_kps.onnx'), '--size', '320x256'];
  afterAll(() => rmSync(folder, { recursive: true }));

  // 20 frames of a person, odd-sized, with sound
  beforeAll(async () => {
    const source = join(dataDir!, 'video/intel_asl_again.mkv');
    const sound = ['-f', 'lavfi', '-i', 'sine=duration=1'];
    const codecs = ['-c:v', 'libx264', '-pix_fmt', 'yuv444p', '-c:a', 'aac'];
    const args = [
      '-v',
      'error',
      '-i',
      source,
      ...sound,
      '-frames:v',
      '20',
      '-vf',
      'format=yuv444p,crop=601:451',
      ...codecs,
      '-shortest',
      clip,
    ];
    await run('ffmpeg', args);
  }, 60_000);

  async function streamsOf(path: string): Promise<Record<string, unknown>[]> {
    const { stdout } = await run('ffprobe', ['-v', 'error', '-show_streams', '-count_frames', '-of', 'json', path]);
    return (JSON.parse(stdout) as { streams: Record<string, unknown>[] }).streams;
  }

  async function framesOf(path: string): Promise<Pixels[]> {
    const frames = [];
    for await (const frame of readFrames(path, await probeVideo(path))) frames.push(frame);
    return frames;
  }

  test('finds in every frame what a detector finds in it', { timeout: 60_000 }, async () => {
    const { code, stdout } = await runHere(['video', clip, '--json', ...options()]);
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    const frames = await framesOf(clip);
    expect(lines.map(({ frame }) => frame)).toEqual([...frames.keys()]);
    expect(lines.flatMap((line) => schemaErrors('frame', line))).toEqual([]);
    // what the bar counts to
    expect((await probeVideo(clip)).frames).toBe(frames.length);
    expect(lines[10]!.time).toBeGreaterThan(lines[9]!.time);
    const { device } = await openGpu();
    const model = modelNamed('scrfd_500m_kps.onnx');
    await using detector = await createDetector(model, { device, inputSize: [320, 256] });
    for (const i of [0, 7, frames.length - 1]) {
      expect(frames[i]).toMatchObject({ width: 601, height: 451 });
      expect(lines[i]!.faces).toEqual(JSON.parse(JSON.stringify(await detector.detect(frames[i]!))));
      expect(lines[i]!.faces.length).toBeGreaterThan(0);
    }
  });

  test('marks faces in a copy, keeps sound, rate and length; numbers stay with people', {
    timeout: 60_000,
  }, async () => {
    const out = join(folder, 'marked.mp4');
    const { code, stdout } = await runHere(['video', clip, '--out', out, '--json', '--track', ...options()]);
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    expect(new Set(lines.flatMap(({ faces }) => faces.map(({ track }) => track)))).toEqual(new Set([1]));
    expect(lines.flatMap((line) => schemaErrors('frame', line))).toEqual([]);
    const [source, drawn] = await Promise.all([framesOf(clip), framesOf(out)]);
    const faces = lines[9]!.faces as readonly Tracked<Face>[];
    const numbered = await paintFaces(source[9]!, faces);
    const scored = await paintFaces(
      source[9]!,
      faces.map(({ track: _, ...face }) => face),
    );
    const errors = [0, 0];
    for (const [i, value] of numbered.data.entries()) {
      if (value === scored.data[i]) continue;
      // the copy has even sides
      const [x, y] = [Math.floor(i / 3) % 601, Math.floor(i / 3 / 601)];
      const shown = drawn[9]!.data[(y * 602 + x) * 3 + (i % 3)]!;
      errors[0]! += Math.abs(shown - value);
      errors[1]! += Math.abs(shown - scored.data[i]!);
    }
    expect(errors[1]).toBeGreaterThan(2 * errors[0]!);
    const [before, after] = await Promise.all([streamsOf(clip), streamsOf(out)]);
    expect(after.map((stream) => stream.codec_type)).toEqual(['video', 'audio']);
    expect(after[0]).toMatchObject({
      codec_name: 'h264',
      width: 602,
      height: 452,
      avg_frame_rate: before[0]!.avg_frame_rate,
    });
    expect(after[0]!.nb_read_frames).toBe(before[0]!.nb_read_frames);
  });

  test('hides faces', { timeout: 60_000 }, async () => {
    const out = join(folder, 'hidden.mp4');
    expect(await runHere(['video', clip, '--out', out, '--blur', ...options()])).toMatchObject({ code: 0 });
    const { device } = await openGpu();
    const model = modelNamed('scrfd_500m_kps.onnx');
    await using detector = await createDetector(model, { device, inputSize: [320, 256] });
    const [shown, hidden] = await Promise.all([framesOf(clip), framesOf(out)]);
    const [face] = await detector.detect(shown[5]!);
    const [x1, y1, x2, y2] = face!.box.map(Math.round) as [number, number, number, number];
    const difference = (left: number, top: number, right: number, bottom: number) => {
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          // the copy has even sides
          sum += Math.abs(shown[5]!.data[(y * 601 + x) * 3]! - hidden[5]!.data[(y * 602 + x) * 3]!);
        }
      }
      return sum / ((right - left) * (bottom - top));
    };
    expect(difference(x1, y1, x2, y2)).toBeGreaterThan(10);
    expect(difference(0, 300, 600, 450)).toBeLessThan(4);
  });

  test('the video and the model are never written over, whatever their names', { timeout: 60_000 }, async () => {
    const own = join(folder, '-own.mp4');
    copyFileSync(clip, own);
    symlinkSync(own, join(folder, 'link.mp4'));
    linkSync(own, join(folder, 'hard.mp4'));
    const model = join(folder, 'model.onnx');
    copyFileSync(modelNamed('scrfd_500m_kps.onnx'), model);
    const outs = [own, `${folder}/./-own.mp4`, join(folder, 'link.mp4'), join(folder, 'hard.mp4'), model];
    const args = ['video', own, '--blur', '--model', model, '--size', '160'];
    for (const { code, stderr } of await Promise.all(outs.map((out) => runHere([...args, '--out', out])))) {
      expect(code).toBe(2);
      expect(stderr).toMatch(/--out: expected another file than .*, which is read/);
    }
    expect(readFileSync(own).equals(readFileSync(clip))).toBe(true);
    expect(readFileSync(model).equals(readFileSync(modelNamed('scrfd_500m_kps.onnx')))).toBe(true);
    // a name that begins with a dash is no option of ffmpeg's
    const script =
      "import { probeVideo } from './src/node/video.ts'; process.chdir(process.argv[1]); console.log(await probeVideo('-own.mp4'))";
    const probe = await runNode(['--input-type=module', '--eval', script, folder]);
    expect(probe.stdout).toContain('width: 601');
  });

  test('a failure and a signal leave what stood at --out, and nothing beside it', { timeout: 60_000 }, async () => {
    const place = mkdtempSync(join(folder, 'kept-'));
    const kept = join(place, 'kept.mp4');
    writeFileSync(kept, 'kept');
    // of a run that was killed
    const stale = `.kept.mp4.${randomUUID()}.part.mp4`;
    writeFileSync(join(place, stale), '');
    const cut = join(folder, 'half.mp4');
    const bytes = readFileSync(clip);
    writeFileSync(cut, bytes.subarray(0, bytes.length / 2));
    expect((await runHere(['video', cut, '--out', kept, ...options()])).code).toBe(1);
    const long = join(folder, 'long.mp4');
    await run('ffmpeg', ['-v', 'error', '-stream_loop', '40', '-i', clip, '-c', 'copy', long]);
    for (const [signal, exitCode] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const args = ['--import', 'tsx', 'src/cli/main.ts', 'video', long, '--out', kept, '--json', ...options()];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      child.stdout.resume();
      const isWritten = () => readdirSync(place).some((name) => /\.part\.mp4$/.test(name) && name !== stale);
      await vi.waitUntil(isWritten, { timeout: 20_000 });
      child.kill(signal);
      expect(await ended).toEqual([exitCode, null]);
      expect(readdirSync(place)).toEqual(['kept.mp4']);
      expect(readFileSync(kept, 'utf8')).toBe('kept');
    }
  });

  /** A red video with subtitles, turned by 90°, whose pixels are 4:3. */
  async function redVideo(matrix: string, range: string): Promise<string> {
    const path = join(folder, `red-${matrix}-${range}.mp4`);
    const texts = join(folder, 'texts.srt');
    writeFileSync(texts, '1\n00:00:00,000 --> 00:00:00,400\nred\n');
    const upright = join(folder, 'upright.mp4');
    const filter = `scale=out_color_matrix=${matrix === 'bt709' ? matrix : 'bt601'}:out_range=${range},format=yuv420p,setsar=4/3`;
    const colours = ['-colorspace', matrix, '-color_primaries', 'bt709', '-color_trc', 'bt709', '-color_range', range];
    await run('ffmpeg', [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'color=c=0xC81E1E:size=640x360:rate=5', '-i', texts, '-t', '0.4'],
      ...['-vf', filter, ...colours, '-c:v', 'libx264', '-crf', '5', '-c:s', 'mov_text', upright],
    ]);
    const turned = ['-metadata:s:v', 'rotate=90', '-map', '0', '-c', 'copy'];
    await run('ffmpeg', ['-v', 'error', '-y', '-i', upright, ...turned, path]);
    return path;
  }

  /** Luma and chroma of the first frame, as they are in the file. */
  async function firstPixel(path: string): Promise<number[]> {
    const raw = ['-frames:v', '1', '-f', 'rawvideo', '-'];
    const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', path, ...raw], {
      encoding: 'buffer',
      maxBuffer: 2 ** 24,
    });
    const pixels = stdout.length / 1.5;
    return [stdout[0]!, stdout[pixels]!, stdout[pixels * 1.25]!];
  }

  test.each([
    ['bt709', 'tv', '.mp4', 'h264', 'mov_text'],
    ['smpte170m', 'pc', '.mkv', 'h264', 'subrip'],
    ['bt709', 'tv', '.webm', 'vp9', 'webvtt'],
  ])(
    'colours of %s, %s, pixels, turn and subtitles stay in %s',
    { timeout: 60_000 },
    async (matrix, range, extension, codec, texts) => {
      const source = await redVideo(matrix, range);
      const out = join(folder, `copy${extension}`);
      const model = ['--model', modelNamed('scrfd_500m_kps.onnx'), '--size', '160'];
      expect(await runHere(['video', source, '--out', out, ...model])).toMatchObject({ code: 0 });
      const streams = await streamsOf(out);
      expect(streams.map(({ codec_name }) => codec_name)).toEqual([codec, texts]);
      expect(streams[0]).toMatchObject({
        ...{ width: 360, height: 640, sample_aspect_ratio: '3:4' },
        ...{ color_space: matrix, color_range: range, color_primaries: 'bt709', color_transfer: 'bt709' },
      });
      const [before, after] = await Promise.all([source, out].map(firstPixel));
      for (const [i, value] of before!.entries()) expect(Math.abs(after![i]! - value)).toBeLessThanOrEqual(2);
    },
  );

  test('a source without tags stays without', { timeout: 60_000 }, async () => {
    const out = join(folder, 'untagged.mkv');
    expect(await runHere(['video', clip, '--out', out, ...options()])).toMatchObject({ code: 0 });
    const [stream] = await streamsOf(out);
    expect(stream).not.toHaveProperty('color_space');
    expect(stream).not.toHaveProperty('color_primaries');
  });

  test('tracking takes no face away that is found without it', { timeout: 60_000 }, async () => {
    // nobody for five frames, then a person: a face of its first frame has no track yet
    const enter = join(folder, 'enter.mp4');
    const portrait = imageNamed('astronaut_nasa.png');
    const inputs = ['-f', 'lavfi', '-i', 'color=c=gray:s=320x320:r=10:d=1', '-loop', '1', '-t', '1', '-r', '10'];
    const filter = "[1]scale=320:320[f];[0][f]overlay=enable='gte(n,5)'";
    const codecs = ['-c:v', 'libx264', '-crf', '12', '-pix_fmt', 'yuv420p'];
    await run('ffmpeg', ['-v', 'error', ...inputs, '-i', portrait, '-filter_complex', filter, ...codecs, enter]);
    const model = ['--model', modelNamed('scrfd_500m_kps.onnx')];
    for (const track of [[], ['--track']]) {
      const { stdout } = await runHere(['video', enter, '--json', ...model, ...track]);
      const counts = stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as Line).faces.length);
      expect(counts).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    }
  });

  test('a face that is missed inside a track stays hidden', { timeout: 60_000 }, async () => {
    // a person; in frames 6 and 7 stripes in the place of the face, which nobody takes for one
    const gap = join(folder, 'gap.mp4');
    const stripes = "geq=lum='255*mod(floor(X/8)+floor(Y/8),2)':cb=128:cr=128";
    const inputs = ['-loop', '1', '-t', '1.2', '-r', '10', '-i', imageNamed('astronaut_nasa.png')];
    const filter = `[0]scale=320:320,format=yuv420p[f];[1]${stripes}[s];[f][s]overlay=80:0:enable='between(n,6,7)'`;
    const codecs = ['-c:v', 'libx264', '-crf', '12', '-pix_fmt', 'yuv420p'];
    const pattern = ['-f', 'lavfi', '-i', 'color=s=160x160:r=10:d=1.2'];
    await run('ffmpeg', ['-v', 'error', ...inputs, ...pattern, '-filter_complex', filter, ...codecs, gap]);
    const model = ['--model', modelNamed('scrfd_500m_kps.onnx')];
    const { stdout } = await runHere(['video', gap, '--json', ...model]);
    const faces = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as Line).faces);
    expect(faces.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]);
    const [x1, y1, x2, y2] = faces[5]![0]!.box.map(Math.round) as [number, number, number, number];
    const contrast = ({ data }: Pixels) => {
      let sum = 0;
      const [left, right] = [x1 + (x2 - x1) / 4, x2 - (x2 - x1) / 4].map(Math.round) as [number, number];
      const y = Math.round((y1 + y2) / 2);
      for (let x = left; x < right; x++) sum += Math.abs(data[(y * 320 + x) * 3]! - data[(y * 320 + x + 8) * 3]!);
      return sum / (right - left);
    };
    for (const [track, shown] of [
      [[], true],
      [['--track'], false],
    ] as const) {
      const out = join(folder, `gap-${track.length}.mp4`);
      expect((await runHere(['video', gap, '--blur', '--out', out, ...model, ...track])).code).toBe(0);
      const frames = await framesOf(out);
      for (const i of [6, 7]) {
        if (shown) expect(contrast(frames[i]!)).toBeGreaterThan(150);
        else expect(contrast(frames[i]!)).toBeLessThan(60);
      }
    }
  });

  test('what is no video, and what leads nowhere, is said; no half file stays', { timeout: 60_000 }, async () => {
    const text = join(folder, 'text.mp4');
    writeFileSync(text, 'no video');
    const cut = join(folder, 'cut.mp4');
    writeFileSync(cut, readFileSync(clip).subarray(0, 3000));
    const pipe = join(folder, 'pipe.mp4');
    execFileSync('mkfifo', [pipe]);
    const absent = join(folder, 'absent.mp4');
    const bad = join(folder, 'bad.unknown');
    const cases: [args: string[], code: number, error: string][] = [
      ...[text, cut, absent].map((path): [string[], number, string] => [[path, '--json'], 1, path]),
      [[pipe, '--json'], 1, 'expected a video, got a pipe'],
      [[clip], 2, 'scrfd: Expected --out, --json or both.'],
      [[clip, '--blur', '--json'], 2, 'scrfd: --blur: expected --out with it.'],
      [[clip, '--json', '--colour', '#ff0000'], 2, 'scrfd: --colour: expected --out with it'],
      [
        [clip, '--out', bad],
        2,
        "bad.unknown: expected the extension .mp4, .m4v, .mov, .mkv, .webm, .avi, .ts, .flv, got '.unknown'",
      ],
    ];
    const outcomes = await Promise.all(cases.map(([args]) => runHere(['video', ...args, ...options()])));
    for (const [i, [, code, error]] of cases.entries()) {
      expect(outcomes[i]!.code, error).toBe(code);
      expect(errorLines(outcomes[i]!.stderr).join()).toContain(error);
    }
    expect(existsSync(bad)).toBe(false);
  });
});
