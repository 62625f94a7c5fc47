/** What the letterbox, decode and NMS kernels know of one image at one input size, see `image-params.wgsl`. */
export interface ImageParams {
  readonly width: number;
  readonly height: number;
  /** Bytes a pixel: 3 or 4. */
  readonly channels: 3 | 4;
  /** Bytes from one row to the next. */
  readonly rowBytes: number;
  /** Whether a pixel's bytes are blue, green, red. */
  readonly blueFirst: boolean;
  /** 32-bit words of pixel data before this image's. */
  readonly firstWord: number;
  /** Size after the keep-ratio resize, in pixels. */
  readonly newWidth: number;
  readonly newHeight: number;
  /** Entries of the resize table before this image's. */
  readonly firstEntry: number;
  /** Resized pixels per original pixel, along x and y. */
  readonly scale: readonly [x: number, y: number];
  /** What the input holds beyond the image, after normalisation. */
  readonly padding: number;
  readonly scoreThreshold: number;
  readonly iouThreshold: number;
  /** Whether boxes end where the resized image ends. */
  readonly clip: boolean;
  /** Whether areas count a box's last pixel, as insightface does; mmdet does not. */
  readonly includeLastPixel: boolean;
  /** How many faces are kept at most; 0: all. */
  readonly maxFaces: number;
  /** Whether `maxFaces` prefers faces near the image centre to merely large ones. */
  readonly preferCentral: boolean;
}

/** Bytes of one `ImageParams`. */
export const IMAGE_PARAMS_BYTES = 64;

/** The bits of `flags` in image-params.wgsl. */
const FLAGS = ['preferCentral', 'blueFirst', 'clip'] as const;

export function packImageParams(images: readonly ImageParams[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(images.length * IMAGE_PARAMS_BYTES));
  images.forEach((image, i) => {
    const { width, height, channels, rowBytes, firstWord, newWidth, newHeight, firstEntry } = image;
    const flags = FLAGS.reduce((bits, name, bit) => bits | (image[name] ? 1 << bit : 0), 0);
    const at = i * IMAGE_PARAMS_BYTES;
    [width, height, channels, rowBytes, firstWord, newWidth, newHeight, firstEntry].forEach((value, k) => {
      view.setInt32(at + k * 4, value, true);
    });
    [...image.scale, image.scoreThreshold, image.iouThreshold].forEach((value, k) => {
      view.setFloat32(at + 32 + k * 4, value, true);
    });
    view.setInt32(at + 48, image.maxFaces, true);
    view.setInt32(at + 52, flags, true);
    view.setFloat32(at + 56, image.padding, true);
    view.setFloat32(at + 60, image.includeLastPixel ? 1 : 0, true);
  });
  return new Uint8Array(view.buffer);
}
