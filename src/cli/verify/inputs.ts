import { ModelError } from '../../common/errors.ts';
import { toHalf, widenFloat16 } from '../../common/float16.ts';
import type { Size } from '../../common/geometry.ts';
import { createRandom } from '../../common/random.ts';
import { type Dims, sizeOf } from '../../common/tensor.ts';
import { checkValue } from '../../graph/shapes.ts';
import type { Model, ModelValue } from '../../loader/model.ts';
import { readImage } from '../../node/images.ts';
import { loadSharp } from '../../node/sharp.ts';

/** What a network is run on, by the name that the file has for it. */
export interface InputTensor {
  readonly name: string;
  readonly dims: Dims;
  readonly data: Float32Array<ArrayBuffer>;
}

/** What is asked for. */
export interface InputOptions {
  readonly size?: Size | undefined;
  readonly batch?: number | undefined;
  readonly image?: string | undefined;
}

/** Seeded noise from -1 to 1 for every input, in numbers that its type has; the first image is the picture, where there is one. */
export async function makeInputs({ inputs }: Model, options: InputOptions): Promise<InputTensor[]> {
  const { uniform } = createRandom(1);
  const tensors: InputTensor[] = [];
  for (const input of inputs) {
    const dims = checkValue(`input "${input.name}"`, chooseDims(input, options));
    const noise = Float32Array.from({ length: sizeOf(dims) }, () => uniform(-1, 1));
    if (options.image !== undefined && tensors.length === 0) noise.set(await readPicture(options.image, dims));
    tensors.push({ name: input.name, dims, data: input.type === 'float16' ? widenFloat16(toHalf(noise)) : noise });
  }
  return tensors;
}

const UNDECLARED = [null, null, null, null];

/** Where the axes of images are: in NCHW, or in NHWC where the file's dimensions say so. */
function axesOf(dims: NonNullable<ModelValue['dims']>): { channels: number; height: number; width: number } {
  const isColour = (dim: unknown) => dim === 3 || dim === 1;
  const channelsLast = isColour(dims[3]) && !isColour(dims[1]);
  return channelsLast ? { channels: 3, height: 1, width: 2 } : { channels: 1, height: 2, width: 3 };
}

/** The shape that is asked for; what is left open is the file's, or else that of a picture of three channels. */
function chooseDims({ dims }: ModelValue, { size, batch }: InputOptions): Dims {
  const declared = dims ?? UNDECLARED;
  const chosen = declared.map((dim) => (typeof dim === 'number' ? dim : undefined));
  if (batch !== undefined && chosen.length > 0) chosen[0] = batch;
  if (chosen.length === 4) {
    const { channels, height, width } = axesOf(declared);
    chosen[channels] ??= 3;
    chosen[height] = size?.[1] ?? chosen[height] ?? 640;
    chosen[width] = size?.[0] ?? chosen[width] ?? 640;
  }
  return chosen.map((dim) => dim ?? 1);
}

/** The picture at the top left of black, normalised, in the layout of the input. */
async function readPicture(path: string, dims: Dims): Promise<Float32Array<ArrayBuffer>> {
  const axes = axesOf(dims);
  const [channels = 0, height = 0, width = 0] = [dims[axes.channels], dims[axes.height], dims[axes.width]];
  if (dims.length !== 4 || (channels !== 3 && channels !== 1)) {
    throw new ModelError(`--image: expected an input of images of 3 channels or 1, got ${dims.join('×')}`);
  }
  const sharp = await loadSharp();
  const picture = await readImage(path);
  const pixels = await sharp(picture.data, { raw: picture })
    .resize(width, height, { fit: 'contain', position: 'left top', background: 'black' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer();
  const area = width * height;
  const planar = axes.channels === 1;
  return Float32Array.from(pixels, (_, i) => {
    const at = planar ? (i % area) * channels + Math.floor(i / area) : i;
    return (pixels[at]! - 127.5) / 128;
  });
}
