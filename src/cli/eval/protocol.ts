import type { Compat } from '../../detector/options.ts';

/** Whose way of preparing pictures: `mmdet` made the published figures, `insightface` is the Python package's for one picture. */
export type Protocol = 'mmdet' | 'insightface';

/** A curve needs faces of all scores, so both take scores from where mmdet's evaluation does. */
const SCORE_THRESHOLD = 0.02;

const PROTOCOLS = {
  mmdet: { compat: 'mmdet', iouThreshold: 0.45 },
  insightface: { compat: '0.7', iouThreshold: 0.4 },
} as const satisfies Record<Protocol, { compat: Compat; iouThreshold: number }>;

/** A protocol's options of `detect`, the thresholds spelled out. */
export function protocolOptions(protocol: Protocol) {
  return { ...PROTOCOLS[protocol], scoreThreshold: SCORE_THRESHOLD };
}
