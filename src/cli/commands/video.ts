import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Face } from '../../common/face.ts';
import type { Pixels } from '../../common/image.ts';
import { blurFaces } from '../../faces/blur.ts';
import { ByteTracker } from '../../faces/tracking/byte-track.ts';
import { numbered, type Tracked } from '../../faces/tracking/tracker.ts';
import { type PaintOptions, paintFaces } from '../../node/draw.ts';
import { sweepBeside } from '../../node/files.ts';
import { printableJson } from '../../node/printable.ts';
import { assertContainer, probeVideo, rateOf, readFrames, type VideoInfo, writeVideo } from '../../node/video.ts';
import { chooseDefault } from '../shared/default-model.ts';
import { interruptible } from '../shared/interrupt.ts';
import { lockFile } from '../shared/lock.ts';
import { modelFile, ofModel } from '../shared/model-file.ts';
import {
  addDrawingOptions,
  type DrawingOptions,
  modelOption,
  paintOptionsOf,
  parseFraction,
  sizeOption,
} from '../shared/options.ts';
import { assertNotRead, STDOUT } from '../shared/output.ts';
import { showRate } from '../shared/progress.ts';
import { notify } from '../shared/report.ts';
import { standardOutput } from '../shared/result-file.ts';

interface VideoOptions extends DrawingOptions {
  model?: string;
  out?: string;
  json?: true;
  track?: true;
  blur?: true;
  size?: [number, number];
  score: number;
  iou?: number;
}

/** Weak faces continue a track that is known; see byte-track.ts. */
const LOW_SCORE = 0.1;

export function addVideo(program: Command): void {
  const command = program
    .command('video')
    .description('Find faces in a video file, frame by frame, through ffmpeg.')
    .argument('<video>', 'any file that ffmpeg reads')
    .addOption(modelOption().makeOptionMandatory(false))
    .option(
      '-o, --out <file>',
      'write the video with its faces marked or hidden, sound kept: .mp4, .m4v, .mov, .mkv, .webm, .avi, .ts or .flv',
    )
    .option('--json', 'print a line of JSON a frame: { frame, time, faces }')
    .option('--track', 'number the faces: one number a person, as long as they are in sight (ByteTrack)')
    .option(
      '--blur',
      'hide the faces in --out instead of marking them; with --track also those missed for up to 30 frames',
    )
    .addOption(sizeOption())
    .option('--score <S>', 'lowest score of a face, 0 to 1', parseFraction, 0.5)
    .option('--iou <I>', 'highest overlap of two faces, 0 to 1 (default: 0.4)', parseFraction);
  addDrawingOptions(command).action((path: string, options: VideoOptions) =>
    interruptible('nothing is written', (signal) => searchVideo(path, options, signal)),
  );
}

async function searchVideo(path: string, options: VideoOptions, signal: AbortSignal): Promise<void> {
  const { out, json, track, blur, size, score, iou } = options;
  if (out === undefined && !json) throw new InvalidArgumentError('Expected --out, --json or both.');
  if (blur && out === undefined) throw new InvalidArgumentError('--blur: expected --out with it.');
  const painting = paintOptionsOf(options, out !== undefined && !blur);
  const read = options.model === undefined ? [path] : [path, options.model];
  await assertNotRead({ '--out': out, 'standard output': STDOUT }, read);
  if (out !== undefined) checkContainer(out);
  const model = options.model === undefined ? await chooseDefault(signal) : await modelFile(options.model, signal);
  const info = await probeVideo(path);
  const { createDetector } = await import('../../index.node.ts');
  const detector = await ofModel(model, () =>
    createDetector(model, {
      signal,
      ...(size && { inputSize: size }),
      ...(iou !== undefined && { iouThreshold: iou }),
      scoreThreshold: track ? Math.min(LOW_SCORE, score) : score,
    }),
  );
  const scores = { highScore: score, lowScore: Math.min(LOW_SCORE, score) };
  const tracker = track && new ByteTracker(scores);
  // of one's own, because what was seen once has no number, and is to be hidden all the same where it is missed then
  const hider = track && blur && new ByteTracker({ ...scores, newTrackScore: score, confirm: false });
  // as the GPU compares them
  const least = Math.fround(score);
  const secondsPerFrame = 1 / rateOf(info);
  const bar = json ? undefined : await showRate('frames', info.frames);
  let count = 0;
  let writer: VideoWriter | undefined;
  try {
    if (out !== undefined) writer = await openWriter(out, info, path);
    for await (const { frame, faces } of detector.stream(readFrames(path, info), { signal })) {
      const numbers = tracker?.update(faces) ?? [];
      const shown = numbered(faces, numbers, least);
      if (json) {
        const time = Number((count * secondsPerFrame).toFixed(6));
        await standardOutput.put(`${printableJson({ frame: count, time, faces: shown })}\n`);
      }
      const followed = hider?.update(faces) ?? [];
      const hidden = faces.filter((face, i) => face.score >= least || (numbers[i] ?? followed[i]) !== undefined);
      const missed = hider?.outOfSight ?? [];
      await writer?.write(await (blur ? hideFaces(frame, [...hidden, ...missed]) : markFaces(frame, shown, painting)));
      count++;
      bar?.increment();
    }
    await writer?.end();
  } catch (error) {
    await writer?.abort();
    // ffmpeg hears of Ctrl-C too, and may be the first to say so
    signal.throwIfAborted();
    throw error;
  } finally {
    bar?.stop();
    await detector.dispose();
  }
  notify(`${path}: ${count} frames${out === undefined ? '' : `, written to ${out}`}`);
}

type VideoWriter = ReturnType<typeof writeVideo>;

/** A video that this process alone writes. */
async function openWriter(out: string, info: VideoInfo, path: string): Promise<VideoWriter> {
  const unlock = await lockFile(out);
  await sweepBeside(out);
  const writer = writeVideo(out, info, path);
  return {
    write: (frame) => writer.write(frame),
    async end() {
      await writer.end();
      await unlock();
    },
    async abort() {
      await writer.abort();
      await unlock();
    },
  };
}

function checkContainer(out: string): void {
  try {
    assertContainer(out);
  } catch (error) {
    throw new InvalidArgumentError(`--out: ${(error as Error).message}.`);
  }
}

function hideFaces(frame: Pixels, faces: readonly Pick<Face, 'box'>[]): Pixels {
  return faces.length === 0 ? frame : blurFaces(frame, faces);
}

async function markFaces(frame: Pixels, faces: readonly Tracked<Face>[], options: PaintOptions): Promise<Pixels> {
  return faces.length === 0 ? frame : paintFaces(frame, faces, options);
}
