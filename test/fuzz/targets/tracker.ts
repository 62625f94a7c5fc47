import { ByteTracker, type Detection } from '../../../src/faces/tracking/byte-track.ts';
import { Finding, refusal, type Target, withinTime } from '../target.ts';

const MOST_DETECTIONS = 30;

/** Frames of detections: four float32 of a box and one of a score each, of any bits, after two counts. */
export const tracker: Target = {
  make(rng) {
    const frames = rng.int(1, 12);
    const count = rng.int(0, MOST_DETECTIONS);
    const bytes = new Uint8Array(2 + frames * count * 20);
    bytes.set([frames, count]);
    const view = new DataView(bytes.buffer);
    const number = () => rng.pick([rng.uniform(-10, 700), rng.uniform(0, 1), 0, 1e30, 1e-30, NaN, Infinity, -Infinity]);
    const [x, y] = [rng.uniform(0, 500), rng.uniform(0, 500)];
    for (let i = 0; i < frames * count; i++) {
      const wild = rng.uniform(0, 1) < 0.3;
      const box = [x, y, x + rng.uniform(0, 90), y + rng.uniform(0, 90), rng.uniform(0, 1)];
      box.forEach((value, k) => {
        view.setFloat32(2 + i * 20 + k * 4, wild ? number() : value, true);
      });
    }
    return bytes;
  },

  run: (bytes) =>
    withinTime(bytes.length, 'tracking', () => {
      const [frames = 0, count = 0] = bytes;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      if (bytes.length < 2 + frames * count * 20) return 'too short';
      const byteTracker = new ByteTracker();
      try {
        for (let frame = 0; frame < frames; frame++) {
          const detections = Array.from({ length: count }, (_, i): Detection => {
            const value = (k: number) => view.getFloat32(2 + (frame * count + i) * 20 + k * 4, true);
            return { box: [value(0), value(1), value(2), value(3)], score: value(4) };
          });
          const ids = byteTracker.update(detections);
          const told = ids.filter((id) => id !== undefined);
          if (ids.length !== count) throw new Finding(`${ids.length} numbers for ${count} detections`);
          if (new Set(told).size !== told.length) throw new Finding(`one track for two detections: ${ids}`);
          if (told.some((id) => !Number.isInteger(id) || id < 1)) throw new Finding(`numbers ${ids}`);
        }
        return 'tracked';
      } catch (error) {
        return refusal(error, RangeError);
      }
    }),
};
