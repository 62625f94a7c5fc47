import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ImageError } from '../common/errors.ts';
import type { Pixels } from '../common/image.ts';
import { placeBeside, typeOf } from './files.ts';

/** What a video file says of its picture; upright, as players show it. */
export interface VideoInfo {
  readonly width: number;
  readonly height: number;
  /** Frames a second as a fraction, for example `30000/1001`. */
  readonly frameRate: string;
  /** How many there are at this rate, as far as the file says. */
  readonly frames?: number | undefined;
  /** Width of a pixel by its height; undefined for square ones. */
  readonly pixelAspect?: string | undefined;
  /** As far as the file says; in ffmpeg's words. */
  readonly colours: Colours;
  /** Codecs of its subtitles, in order. */
  readonly subtitles: readonly string[];
}

interface Colours {
  readonly colorspace?: string;
  readonly range?: string;
  readonly color_primaries?: string;
  readonly color_trc?: string;
}

interface Stream {
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly width?: number;
  readonly height?: number;
  readonly duration?: string;
  readonly avg_frame_rate?: string;
  readonly r_frame_rate?: string;
  readonly sample_aspect_ratio?: string;
  readonly color_space?: string;
  readonly color_range?: string;
  readonly color_primaries?: string;
  readonly color_transfer?: string;
  readonly side_data_list?: readonly { readonly rotation?: number }[];
  readonly disposition?: { readonly attached_pic?: number };
}

/** What a container takes. */
interface Container {
  readonly video: readonly string[];
  readonly audio: string;
  /** What subtitles in text become; none where it holds none. */
  readonly subtitles?: string;
}

const H264: Pick<Container, 'video' | 'audio'> = { video: ['libx264', '-crf', '20'], audio: 'aac' };
const MP4: Container = { ...H264, subtitles: 'mov_text' };
const VP9 = ['libvpx-vp9', '-crf', '24', '-b:v', '0', '-deadline', 'realtime', '-cpu-used', '5', '-row-mt', '1'];

const CONTAINERS: Readonly<Record<string, Container>> = {
  '.mp4': MP4,
  '.m4v': MP4,
  '.mov': MP4,
  '.mkv': { ...H264, subtitles: 'subrip' },
  '.webm': { video: VP9, audio: 'libopus', subtitles: 'webvtt' },
  '.avi': H264,
  '.ts': H264,
  '.flv': H264,
};

/** Subtitles that are text; others are pictures. */
const TEXTS: readonly string[] = ['subrip', 'srt', 'ass', 'ssa', 'webvtt', 'mov_text', 'text'];

/** Matrices from RGB, by their names in files and in ffmpeg's filter `scale`. */
const MATRICES: Readonly<Record<string, string>> = {
  bt709: 'bt709',
  smpte170m: 'smpte170m',
  bt470bg: 'bt601',
  smpte240m: 'smpte240m',
  fcc: 'fcc',
  bt2020nc: 'bt2020',
};

/** @throws RangeError for a name of no container that videos are written in */
export function assertContainer(path: string): void {
  if (Object.hasOwn(CONTAINERS, extname(path).toLowerCase())) return;
  throw new RangeError(`${path}: expected the extension ${Object.keys(CONTAINERS).join(', ')}, got '${extname(path)}'`);
}

const MISSING =
  'videos need ffmpeg and ffprobe: apt-get install ffmpeg, brew install ffmpeg, or see https://ffmpeg.org/download.html';

/** A file, or whatever else ffmpeg reads, as its argument: a name with a dash or a colon would be an option or a protocol. */
function sourceArgument(path: string): string {
  return existsSync(path) ? `file:${path}` : path.replace(/^-/, './-');
}

/** The last line that ffmpeg wrote: what went wrong. */
function lastLine(stderr: string): string {
  return stderr.trim().split('\n').at(-1) ?? '';
}

/** Rejects when the program is missing or ends in failure. */
async function finished(
  child: ChildProcessByStdio<Writable | null, Readable | null, Readable>,
  what: string,
): Promise<void> {
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  const [code, signal] = (await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    throw new ImageError(error.code === 'ENOENT' ? MISSING : `${what}: ${error.message}`, { cause: error });
  })) as [number | null, string | null];
  if (code !== 0) throw new ImageError(`${what}: ${lastLine(stderr) || `ffmpeg ended with ${signal ?? code}`}`);
}

/** @throws ImageError for what is no video, and when ffmpeg is missing */
export async function probeVideo(path: string): Promise<VideoInfo> {
  const stats = await stat(path).catch(() => undefined);
  if (stats && !stats.isFile()) throw new ImageError(`${path}: expected a video, got ${typeOf(stats)}`);
  const args = ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', sourceArgument(path)];
  const child = spawn('ffprobe', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [json] = await Promise.all([text(child.stdout), finished(child, path)]);
  const { streams = [], format = {} } = JSON.parse(json) as { streams?: Stream[]; format?: { duration?: string } };
  const stream = streams.find(({ codec_type }) => codec_type === 'video');
  const { width, height } = stream ?? {};
  if (!width || !height) throw new ImageError(`${path}: expected a video, it has no video stream`);
  const rates = [stream?.avg_frame_rate, stream?.r_frame_rate];
  const frameRate = rates.find((rate) => rate !== undefined && Number.parseInt(rate, 10) > 0) ?? '25/1';
  const rotation = stream?.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  const turned = Math.abs(rotation) % 180 === 90;
  return {
    ...(turned ? { width: height, height: width } : { width, height }),
    frameRate,
    frames: countFrames(frameRate, stream?.duration ?? format.duration),
    pixelAspect: readAspect(stream?.sample_aspect_ratio, turned),
    colours: readColours(stream ?? {}),
    subtitles: streams.flatMap(({ codec_type, codec_name = '' }) => (codec_type === 'subtitle' ? [codec_name] : [])),
  };
}

/** Frames a second. */
export function rateOf({ frameRate }: Pick<VideoInfo, 'frameRate'>): number {
  const [frames, seconds = 1] = frameRate.split('/').map(Number) as [number, number?];
  return frames / seconds;
}

/** Frames are read at a rate without gaps: what the file counts may be fewer. */
function countFrames(frameRate: string, duration: string | undefined): number | undefined {
  const count = Math.round(Number(duration) * rateOf({ frameRate }));
  return count > 0 ? count : undefined;
}

function readAspect(text: string | undefined, turned: boolean): string | undefined {
  const [, x, y] = /^(\d+):(\d+)$/.exec(text ?? '') ?? [];
  if (!Number(x) || !Number(y) || x === y) return undefined;
  return turned ? `${y}/${x}` : `${x}/${y}`;
}

function readColours(stream: Stream): Colours {
  const { color_space, color_range, color_primaries, color_transfer } = stream;
  const known = { colorspace: color_space, range: color_range, color_primaries, color_trc: color_transfer };
  const told = Object.entries(known).filter(
    ([, value]) => value !== undefined && /^(?!unknown|reserved)[\w-]+$/.test(value),
  );
  return Object.fromEntries(told);
}

/** The filters that make of RGB frames what the source's colours and pixels were, in a size that every player knows. */
function filtersOf({ pixelAspect, colours }: VideoInfo): string {
  const { colorspace, range } = colours;
  // what ffmpeg takes a source without a tag for; RGB and rarer ones become HD's
  const known = colorspace === undefined ? 'smpte170m' : colorspace in MATRICES ? colorspace : 'bt709';
  const tags = { ...colours, ...(colorspace !== undefined && { colorspace: known }) };
  const params = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
  return [
    'pad=ceil(iw/2)*2:ceil(ih/2)*2',
    `scale=out_color_matrix=${MATRICES[known]}:out_range=${range === 'pc' ? 'pc' : 'tv'}:flags=bicubic+accurate_rnd`,
    'format=yuv420p',
    ...(params.length > 0 ? [`setparams=${params.join(':')}`] : []),
    ...(pixelAspect === undefined ? [] : [`setsar=${pixelAspect}`]),
  ].join(',');
}

/** Arguments that take the source's subtitles along, where the container can. */
function subtitleArguments(subtitles: readonly string[], path: string): string[] {
  const { subtitles: codec } = CONTAINERS[extname(path).toLowerCase()]!;
  if (codec === undefined) return [];
  const holdsPictures = extname(path).toLowerCase() === '.mkv';
  const taken = subtitles.flatMap((name, i) => {
    if (holdsPictures && name !== 'mov_text') return [{ i, as: 'copy' }];
    return TEXTS.includes(name) ? [{ i, as: codec }] : [];
  });
  return taken.flatMap(({ i, as }, n) => ['-map', `1:s:${i}`, `-c:s:${n}`, as]);
}

/** The frames of a video as RGB pixels, at its rate without gaps. Never more than a few are in memory. */
export async function* readFrames(path: string, { width, height, frameRate }: VideoInfo): AsyncGenerator<Pixels> {
  const output = ['-map', '0:v:0', '-r', frameRate, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
  const child = spawn('ffmpeg', ['-v', 'error', '-i', sourceArgument(path), ...output], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = finished(child, path);
  end.catch(() => {});
  const bytes = width * height * 3;
  let frame = new Uint8Array(bytes);
  let filled = 0;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      let from = 0;
      while (from < chunk.length) {
        const count = Math.min(bytes - filled, chunk.length - from);
        frame.set(chunk.subarray(from, from + count), filled);
        filled += count;
        from += count;
        if (filled < bytes) continue;
        yield { data: frame, width, height, channels: 3 };
        frame = new Uint8Array(bytes);
        filled = 0;
      }
    }
    await end;
  } finally {
    child.kill();
  }
}

/**
 * A file of RGB frames in the container that its name says, with the sound, the subtitles, the colours and the shape of pixels of
 * another file. It is written beside its place until `end`: what is there stays whole until then, and where `abort` comes instead.
 * @throws RangeError for a name of another container
 */
export function writeVideo(path: string, info: VideoInfo, source: string) {
  assertContainer(path);
  const { width, height, frameRate, subtitles } = info;
  const { video, audio } = CONTAINERS[extname(path).toLowerCase()]!;
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', frameRate, '-i', '-'];
  const temporary = placeBeside(path);
  const args = [
    ...['-v', 'error', '-n', ...input, '-i', sourceArgument(source), '-map', '0:v:0', '-map', '1:a?'],
    ...['-c:v', ...video, '-vf', filtersOf(info), '-c:a', audio, ...subtitleArguments(subtitles, path)],
    `file:${temporary}`,
  ];
  const child = spawn('ffmpeg', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const end = finished(child, path);
  const ended = new AbortController();
  end.catch(() => {}).finally(() => ended.abort());
  // `end` tells what ffmpeg says of a broken pipe
  child.stdin.on('error', () => {});
  return {
    async write({ data }: Pixels): Promise<void> {
      if (child.exitCode !== null) await end;
      if (child.stdin.write(data)) return;
      // a closed pipe says less than ffmpeg does of why it closed it
      await once(child.stdin, 'drain', { signal: ended.signal }).catch(() => end);
    },
    /** Ends the file and puts it into its place. */
    async end(): Promise<void> {
      child.stdin.end();
      await end;
      await rename(temporary, path);
    },
    /** Ends ffmpeg; what it wrote is of no use. */
    async abort(): Promise<void> {
      // it hears of others only between frames
      child.kill('SIGKILL');
      await end.catch(() => {});
      await rm(temporary, { force: true });
    },
  };
}
