/** What the letterbox, decode and NMS kernels know of one image on one canvas: the shaders' `Frame`. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Bytes a pixel: 3 or 4. */
  readonly channels: 3 | 4;
  /** From one row to the next. */
  readonly rowBytes: number;
  /** Whether a pixel's bytes are blue, green, red. */
  readonly blueFirst: boolean;
  /** 32-bit words of pixel data before this image's. */
  readonly firstWord: number;
  /** Size after the keep-ratio resize. */
  readonly newWidth: number;
  readonly newHeight: number;
  /** Letterbox taps before this image's. */
  readonly firstTap: number;
  /** Resized pixels per original pixel, along x and y. */
  readonly scale: readonly [x: number, y: number];
  /** What the canvas holds beyond the image, after normalisation. */
  readonly padding: number;
  readonly scoreThreshold: number;
  readonly iouThreshold: number;
  /** Whether boxes end where the resized image ends. */
  readonly clip: boolean;
  /** Whether areas count a box's last pixel, as insightface does; mmdet does not. */
  readonly includeLastPixel: boolean;
  /** 0: all. */
  readonly maxFaces: number;
  /** Whether `maxFaces` prefers faces near the image centre to merely large ones. */
  readonly preferCentral: boolean;
}

export const FRAME_BYTES = 64;

/** The bits of `flags` in frame.wgsl. */
const FLAGS = ['preferCentral', 'blueFirst', 'clip'] as const;

export function packFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(frames.length * FRAME_BYTES));
  frames.forEach((frame, i) => {
    const { width, height, channels, rowBytes, firstWord, newWidth, newHeight, firstTap } = frame;
    const flags = FLAGS.reduce((bits, name, bit) => bits | (frame[name] ? 1 << bit : 0), 0);
    const at = i * FRAME_BYTES;
    [width, height, channels, rowBytes, firstWord, newWidth, newHeight, firstTap].forEach((value, k) => {
      view.setInt32(at + k * 4, value, true);
    });
    [...frame.scale, frame.scoreThreshold, frame.iouThreshold].forEach((value, k) => {
      view.setFloat32(at + 32 + k * 4, value, true);
    });
    view.setInt32(at + 48, frame.maxFaces, true);
    view.setInt32(at + 52, flags, true);
    view.setFloat32(at + 56, frame.padding, true);
    view.setFloat32(at + 60, frame.includeLastPixel ? 1 : 0, true);
  });
  return new Uint8Array(view.buffer);
}
