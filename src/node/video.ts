import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ImageError } from '../common/errors.ts';
import type { Pixels } from '../common/image.ts';
import { placeBeside } from './files.ts';

/** What a video file says of its picture; upright, as players show it. */
export interface VideoInfo {
  readonly width: number;
  readonly height: number;
  /** Frames a second as a fraction, for example `30000/1001`. */
  readonly frameRate: string;
}

interface Stream {
  readonly width?: number;
  readonly height?: number;
  readonly avg_frame_rate?: string;
  readonly r_frame_rate?: string;
  readonly side_data_list?: readonly { readonly rotation?: number }[];
}

const MISSING =
  'videos need ffmpeg and ffprobe: apt-get install ffmpeg, brew install ffmpeg, or see https://ffmpeg.org/download.html';

/** A path as an argument of ffmpeg's: what begins with a dash would be an option. */
function fileArgument(path: string): string {
  return path.startsWith('-') ? `./${path}` : path;
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
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_streams', '-of', 'json', fileArgument(path)];
  const child = spawn('ffprobe', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [json] = await Promise.all([text(child.stdout), finished(child, path)]);
  const [stream] = (JSON.parse(json) as { streams?: Stream[] }).streams ?? [];
  const { width, height } = stream ?? {};
  if (!width || !height) throw new ImageError(`${path}: expected a video, it has no video stream`);
  const rates = [stream?.avg_frame_rate, stream?.r_frame_rate];
  const frameRate = rates.find((rate) => rate !== undefined && Number.parseInt(rate, 10) > 0) ?? '25/1';
  const rotation = stream?.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  return Math.abs(rotation) % 180 === 90 ? { width: height, height: width, frameRate } : { width, height, frameRate };
}

/** The frames of a video as RGB pixels, at its rate without gaps. Never more than a few are in memory. */
export async function* readFrames(path: string, { width, height, frameRate }: VideoInfo): AsyncGenerator<Pixels> {
  const output = ['-map', '0:v:0', '-r', frameRate, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
  const child = spawn('ffmpeg', ['-v', 'error', '-i', fileArgument(path), ...output], {
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
 * A file of RGB frames, H.264 in the container that its name says, with the sound of another file. It is written beside its
 * place until `end`: what is there stays whole until then, and where `abort` comes instead.
 */
export function writeVideo(path: string, { width, height, frameRate }: VideoInfo, soundOf: string) {
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', frameRate, '-i', '-'];
  // H.264 with the chroma that every player knows wants even sides
  const video = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-crf', '20', '-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2'];
  const sound = ['-map', '0:v:0', '-map', '1:a?', '-c:a', 'aac'];
  const temporary = placeBeside(path);
  const args = [
    '-v',
    'error',
    '-n',
    ...input,
    '-i',
    fileArgument(soundOf),
    ...sound,
    ...video,
    fileArgument(temporary),
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
