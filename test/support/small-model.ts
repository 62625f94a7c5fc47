import type { Architecture } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';

/** Every kind of convolution that SCRFD has, in a dozen shapes. */
export const SMALL_ARCHITECTURE: Architecture = {
  ...{ backbone: 'mobilenet', blocks: [1, 1, 1, 1], planes: [8, 8, 16, 24, 32, 32], neck: 24 },
  ...{ headConvs: 1, headChannels: 24, headDepthwise: true, headGroups: null },
  ...{ sharedHeads: false, boxScale: true, keypoints: true },
};

/** A detector with random weights that is quick to tune. */
export function smallModel(): Uint8Array<ArrayBuffer> {
  return synthesizeModel(SMALL_ARCHITECTURE, { seed: 1 });
}
