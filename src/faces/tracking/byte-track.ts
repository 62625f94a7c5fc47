import { assertFraction } from '../../common/check.ts';
import { assign } from './assignment.ts';
import { type Box, KalmanBox } from './kalman-box.ts';

export interface Detection {
  readonly box: Box;
  readonly score: number;
}

/** Scores from 0 to 1. */
export interface TrackerOptions {
  /** Detections that score more are associated first. Default 0.5. */
  readonly highScore?: number;
  /** Detections that score more may continue a track that is still without one. Default 0.1. */
  readonly lowScore?: number;
  /** Least score of a detection that begins a track. Default `highScore` + 0.1, at most 1. */
  readonly newTrackScore?: number;
  /** Frames that a track is remembered for while it is out of sight. Default 30: one second at 30 frames a second. */
  readonly maxLost?: number;
  /** Whether a track counts only once it is found a second time. Default true, as in ByteTrack; off, one that was seen once is followed, too. */
  readonly confirm?: boolean;
}

/** Distances below which a track and a detection are the same; as in the authors' code. */
const FIRST_LIMIT = 0.8;
const SECOND_LIMIT = 0.5;
const TENTATIVE_LIMIT = 0.7;
/** Overlap above which two tracks are one. */
const SAME_TRACK = 0.85;

interface Track {
  readonly id: number;
  readonly motion: KalmanBox;
  readonly firstFrame: number;
  lastFrame: number;
  /** Where it was found in that frame. */
  lastBox: Box;
  /** Tentative until it is found a second time; lost while it is out of sight. */
  state: 'tentative' | 'tracked' | 'lost';
}

/**
 * Follows objects from frame to frame: ByteTrack (Zhang et al., ECCV 2022, arXiv:2110.06864) after its authors' code.
 * Predicted boxes are matched with the detections of high score first, by overlap and score; tracks that are left over
 * then with those of low score, by overlap alone, which keeps hold of what is half hidden or blurred. Boxes are
 * areas without an additional pixel. A track that is seen once only is never told of, save in the first frame.
 */
export class ByteTracker {
  readonly #options: Required<TrackerOptions>;
  #tracks: Track[] = [];
  #frame = 0;
  #lastId = 0;

  /** @throws RangeError for an option out of its range */
  constructor({
    highScore = 0.5,
    lowScore = Math.min(0.1, highScore),
    newTrackScore = Math.min(1, highScore + 0.1),
    maxLost = 30,
    confirm = true,
  }: TrackerOptions = {}) {
    for (const [name, value] of Object.entries({ highScore, lowScore, newTrackScore })) {
      assertFraction(name, value);
    }
    if (lowScore > highScore) {
      throw new RangeError(`lowScore: expected at most highScore ${highScore}, got ${lowScore}`);
    }
    if (!Number.isInteger(maxLost) || maxLost < 0) {
      throw new RangeError(`maxLost: expected a non-negative integer, got ${maxLost}`);
    }
    this.#options = { highScore, lowScore, newTrackScore, maxLost, confirm };
  }

  /**
   * Takes in the detections of the next frame, an empty list where there are none.
   * @returns for every detection the number of its track, from 1; undefined for one that belongs to none
   */
  update(detections: readonly Detection[]): (number | undefined)[] {
    const { highScore, lowScore, newTrackScore, maxLost } = this.#options;
    this.#frame++;
    const ids = new Array<number | undefined>(detections.length).fill(undefined);
    const indexed = [...detections.entries()].filter(([, { box }]) => box[2] > box[0] && box[3] > box[1]);
    const high = indexed.filter(([, { score }]) => score > highScore);
    const low = indexed.filter(([, { score }]) => score > lowScore && score <= highScore);

    const known = this.#tracks.filter(({ state }) => state !== 'tentative');
    const tentative = this.#tracks.filter(({ state }) => state === 'tentative');
    for (const { motion, state } of known) motion.predict(state === 'tracked');

    const first = this.#associate(known, high, ids, FIRST_LIMIT, scoredDistance);
    const inSight = first.tracks.filter(({ state }) => state === 'tracked');
    for (const track of this.#associate(inSight, low, ids, SECOND_LIMIT, distance).tracks) track.state = 'lost';

    const second = this.#associate(tentative, first.detections, ids, TENTATIVE_LIMIT, scoredDistance);
    const dropped = new Set(second.tracks);
    for (const [index, { box, score }] of second.detections) {
      if (score >= newTrackScore) ids[index] = this.#begin(box);
    }
    this.#tracks = this.#tracks.filter(
      (track) => !dropped.has(track) && !(track.state === 'lost' && this.#frame - track.lastFrame > maxLost),
    );
    const doubles = this.#findDoubles();
    this.#tracks = this.#tracks.filter((track) => !doubles.has(track));
    const told = new Set(this.#tracks.filter(({ state }) => state === 'tracked').map(({ id }) => id));
    return ids.map((id) => (id !== undefined && told.has(id) ? id : undefined));
  }

  /**
   * Where tracks that the last frame had no detection for may be, as long as they are remembered: from where each was last found
   * to where its motion has brought it since.
   */
  get outOfSight(): readonly { readonly track: number; readonly box: Box }[] {
    const lost = this.#tracks.filter(({ state }) => state === 'lost');
    return lost.map(({ id, lastBox, motion }) => ({ track: id, box: hull(lastBox, motion.box) }));
  }

  /** Gives tracks their detections; returns the tracks and the detections that are left over. */
  #associate(
    tracks: readonly Track[],
    detections: readonly (readonly [index: number, Detection])[],
    ids: (number | undefined)[],
    limit: number,
    cost: (track: Track, detection: Detection) => number,
  ) {
    const { pairs, unmatchedRows, unmatchedColumns } = assign(
      tracks.length,
      detections.length,
      (row, column) => cost(tracks[row]!, detections[column]![1]),
      limit,
    );
    for (const [row, column] of pairs) {
      const track = tracks[row]!;
      const [index, { box }] = detections[column]!;
      track.motion.correct(box);
      track.state = 'tracked';
      track.lastFrame = this.#frame;
      track.lastBox = box;
      ids[index] = track.id;
    }
    return {
      tracks: unmatchedRows.map((row) => tracks[row]!),
      detections: unmatchedColumns.map((column) => detections[column]!),
    };
  }

  #begin(box: Box): number {
    const id = ++this.#lastId;
    const state = this.#frame === 1 || !this.#options.confirm ? 'tracked' : 'tentative';
    const frame = this.#frame;
    this.#tracks.push({ id, motion: new KalmanBox(box), firstFrame: frame, lastFrame: frame, lastBox: box, state });
    return id;
  }

  /** Where a track in sight and a lost one lie on each other: the one that was followed for less long. */
  #findDoubles(): Set<Track> {
    const doubles = new Set<Track>();
    const lost = this.#tracks.filter(({ state }) => state === 'lost');
    for (const track of this.#tracks.filter(({ state }) => state !== 'lost')) {
      for (const other of lost) {
        if (overlap(track.motion.box, other.motion.box) <= SAME_TRACK) continue;
        doubles.add(ageOf(track) > ageOf(other) ? other : track);
      }
    }
    return doubles;
  }
}

function ageOf({ firstFrame, lastFrame }: Track): number {
  return lastFrame - firstFrame;
}

function distance({ motion }: Track, { box }: Detection): number {
  return 1 - overlap(motion.box, box);
}

function scoredDistance({ motion }: Track, { box, score }: Detection): number {
  return 1 - overlap(motion.box, box) * score;
}

/** Intersection over union. */
function overlap(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (areaOf(a) + areaOf(b) - width * height);
}

function hull(a: Box, b: Box): Box {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

function areaOf([x1, y1, x2, y2]: Box): number {
  return (x2 - x1) * (y2 - y1);
}
