import sharp from 'sharp';
import { ImageError } from '../../../src/common/errors.ts';
import { readImage } from '../../../src/index.node.ts';
import type { Rng } from '../../support/rng.ts';
import { Finding, mutateBytes, refusal, type Target, withinTime } from '../target.ts';

const FORMATS = ['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const;
/** What a decoder of pictures may be told to do by a few bytes: two seconds of one core at 250 megapixels. */
const USUAL_BYTES = 2e6;

/** Small pictures of every format that is decoded, damaged. */
export const pictures: Target = {
  async make(rng) {
    const format = rng.uniform(0, 1) < 0.02 ? 'avif' : rng.pick(FORMATS.slice(0, -1));
    const encoded = await encode(rng, format);
    if (format === 'png' && rng.uniform(0, 1) < 0.3) return changeSize(rng, encoded);
    return rng.uniform(0, 1) < 0.02 ? encoded : mutateBytes(rng, encoded);
  },

  async run(bytes) {
    try {
      const { data, width, height, channels } = await withinTime(Math.max(bytes.length, USUAL_BYTES), 'decoding', () =>
        readImage(bytes),
      );
      if (data.length !== width * height * channels || data.length === 0) {
        throw new Finding(`${width}×${height} pixels of ${channels} in ${data.length} bytes`);
      }
      return 'decoded';
    } catch (error) {
      return refusal(error, ImageError);
    }
  },
};

function encode(rng: Rng, format: (typeof FORMATS)[number]): Promise<Uint8Array> {
  const [width, height, channels] = [rng.int(1, 40), rng.int(1, 40), rng.pick([1, 3, 4] as const)];
  const picture = sharp(rng.bytes(width * height * channels), { raw: { width, height, channels } });
  if (rng.uniform(0, 1) < 0.2) picture.withMetadata({ orientation: rng.int(1, 8) });
  const options = format === 'png' ? { progressive: rng.uniform(0, 1) < 0.3 } : {};
  return picture.toFormat(format, options).toBuffer();
}

/** A PNG whose header claims another size. */
function changeSize(rng: Rng, png: Uint8Array): Uint8Array {
  const bytes = Buffer.from(png);
  const side = () => rng.pick([0, 1, 7, 65_535, 100_000, 2 ** 20, 2 ** 31 - 1, 2 ** 32 - 1]);
  bytes.writeUInt32BE(side(), 16);
  if (rng.uniform(0, 1) < 0.5) bytes.writeUInt32BE(side(), 20);
  // with a checksum that fits
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return new Uint8Array(bytes);
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
