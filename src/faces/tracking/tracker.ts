import { assertKnown, type OptionNames } from '../../common/check.ts';
import { ByteTracker, type Detection, type TrackerOptions } from './byte-track.ts';

/** A face with the number of its track, from 1; without one it is in none. */
export type Tracked<F> = F & { readonly track?: number };

const TRACKER_OPTIONS: OptionNames<TrackerOptions> = {
  highScore: 1,
  lowScore: 1,
  newTrackScore: 1,
  maxLost: 1,
  confirm: 1,
};

/** Numbers the faces of a video, one number a person as long as they are in sight, by ByteTrack. Has no need of a GPU. */
export class Tracker {
  readonly #highScore: number;
  readonly #tracker: ByteTracker;

  /** For `createTracker`. */
  constructor(options: TrackerOptions) {
    assertKnown(options, TRACKER_OPTIONS);
    this.#tracker = new ByteTracker(options);
    // as the GPU compares scores
    this.#highScore = Math.fround(options.highScore ?? 0.5);
  }

  /**
   * Takes in the faces of the next frame, an empty list where there are none. Frames must not be left out.
   * @returns the faces that score `highScore`, in a track or not, and the fainter ones of a track, in their order
   */
  update<F extends Detection>(faces: readonly F[]): Tracked<F>[] {
    return numbered(faces, this.#tracker.update(faces), this.#highScore);
  }
}

/** Faces with the numbers of their tracks: all that score enough, in a track or not, and fainter ones of a track. */
export function numbered<F extends Detection>(
  faces: readonly F[],
  numbers: readonly (number | undefined)[],
  least: number,
): Tracked<F>[] {
  return faces.flatMap((face, i): Tracked<F>[] => {
    const track = numbers[i];
    if (track !== undefined) return [{ ...face, track }];
    return face.score >= least ? [face] : [];
  });
}
