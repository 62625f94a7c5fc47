import { type Dispatch, packParams } from '../dispatch.ts';
import { dispatch } from './dispatch.ts';

const WORKGROUP = 64;

export interface ImportFrameSpec {
  /** Size of the frame, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Bytes from one row to the next, whole words. */
  readonly rowBytes: number;
  /** Words of all pixels before the frame. */
  readonly firstWord: number;
}

/** Bindings: parameters, the frame as a `GPUExternalTexture`, the pixels of images. */
export function importFrame({ width, height, rowBytes, firstWord }: ImportFrameSpec): Dispatch {
  return dispatch('import-frame', {
    params: packParams([width, height, rowBytes / 4, firstWord]),
    bindingBytes: [0, firstWord * 4 + height * rowBytes],
    workgroups: [Math.ceil(width / WORKGROUP), height, 1],
    overrides: { WORKGROUP },
  });
}
