/** What the letterbox, decode and NMS kernels know of one image: the shaders' `Frame`. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Bytes a pixel: 3 or 4. */
  readonly channels: 3 | 4;
  /** 32-bit words of pixel data before this image's. */
  readonly firstWord: number;
  /** Size after the keep-ratio resize. */
  readonly newWidth: number;
  readonly newHeight: number;
  /** Letterbox taps before this image's. */
  readonly firstTap: number;
  /** Resized pixels per original pixel, one for both axes. */
  readonly scale: number;
  readonly scoreThreshold: number;
  readonly iouThreshold: number;
  /** 0: all. */
  readonly maxFaces: number;
  /** Whether `maxFaces` prefers faces near the image centre to merely large ones. */
  readonly preferCentral: boolean;
}

export const FRAME_BYTES = 48;

export function packFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(frames.length * FRAME_BYTES));
  frames.forEach((frame, i) => {
    const at = i * FRAME_BYTES;
    view.setInt32(at, frame.width, true);
    view.setInt32(at + 4, frame.height, true);
    view.setInt32(at + 8, frame.channels, true);
    view.setInt32(at + 12, frame.firstWord, true);
    view.setInt32(at + 16, frame.newWidth, true);
    view.setInt32(at + 20, frame.newHeight, true);
    view.setInt32(at + 24, frame.firstTap, true);
    view.setFloat32(at + 28, frame.scale, true);
    view.setFloat32(at + 32, frame.scoreThreshold, true);
    view.setFloat32(at + 36, frame.iouThreshold, true);
    view.setInt32(at + 40, frame.maxFaces, true);
    view.setInt32(at + 44, frame.preferCentral ? 1 : 0, true);
  });
  return new Uint8Array(view.buffer);
}
