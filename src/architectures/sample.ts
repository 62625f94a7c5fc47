import { isRecord } from '../common/check.ts';
import { createRandom, type Random } from '../common/random.ts';
import { countLayers } from './layers.ts';
import type { Architecture } from './published.ts';

const BACKBONES = ['mobilenet', 'basic', 'bottleneck'] as const;
const MAX_BLOCKS = 64;
const MAX_CHANNELS = 4096;
const MAX_HEAD_CONVS = 8;

/** For an architecture that no network can be built from. */
function refusal(field: string, expected: string, got: unknown): RangeError {
  const shown = JSON.stringify(got) ?? String(got);
  return new RangeError(`architecture${field && `.${field}`}: expected ${expected}, got ${shown}`);
}

const isCount = (value: unknown, max: number): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max;

const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

const isBackbone = (value: unknown): value is Architecture['backbone'] => BACKBONES.some((name) => name === value);

/**
 * Checks what a JSON file gave; a field that is missing or unknown is refused too.
 * @throws RangeError naming the field
 */
export function parseArchitecture(json: unknown): Architecture {
  if (!isRecord(json)) throw refusal('', 'an object', json);
  const rest = new Map(Object.entries(json));
  const take = <T>(field: keyof Architecture, expected: string, fits: (value: unknown) => value is T): T => {
    const value = rest.get(field);
    rest.delete(field);
    if (!fits(value)) throw refusal(field, expected, value);
    return value;
  };
  const count = (field: keyof Architecture, max: number) =>
    take(field, `an integer from 1 to ${max}`, (value): value is number => isCount(value, max));
  const counts = (field: keyof Architecture, length: number, max: number) =>
    take(
      field,
      `${length} integers from 1 to ${max}`,
      (value): value is number[] =>
        Array.isArray(value) && value.length === length && value.every((item) => isCount(item, max)),
    );
  const flag = (field: keyof Architecture) => take(field, 'true or false', isFlag);

  const backbone = take('backbone', `one of ${BACKBONES.join(', ')}`, isBackbone);
  const architecture: Architecture = {
    backbone,
    blocks: counts('blocks', 4, MAX_BLOCKS),
    planes: counts('planes', backbone === 'mobilenet' ? 6 : 4, MAX_CHANNELS),
    neck: count('neck', MAX_CHANNELS),
    headConvs: count('headConvs', MAX_HEAD_CONVS),
    headChannels: count('headChannels', MAX_CHANNELS),
    headDepthwise: flag('headDepthwise'),
    headGroups: take(
      'headGroups',
      'an integer from 1, or null for BatchNorm',
      (value): value is number | null => value === null || isCount(value, MAX_CHANNELS),
    ),
    sharedHeads: flag('sharedHeads'),
    boxScale: flag('boxScale'),
    keypoints: flag('keypoints'),
  };
  const [unknown] = rest.keys();
  if (unknown !== undefined) throw refusal(unknown, 'no such field', rest.get(unknown));
  checkChannels(architecture);
  return architecture;
}

function checkChannels({ backbone, planes, neck, headChannels, headDepthwise, headGroups }: Architecture): void {
  if (backbone !== 'mobilenet' && planes[0]! % 2 !== 0) {
    throw refusal('planes', 'an even number first, which the stem halves', planes);
  }
  const normed = headDepthwise ? [neck, headChannels] : [headChannels];
  if (headGroups !== null && normed.some((channels) => channels % headGroups !== 0)) {
    throw refusal('headGroups', `a divisor of ${normed.join(' and ')}`, headGroups);
  }
}

interface SampleOptions {
  /** Multiply-accumulates at 640×480, in billions, met within 5 %. */
  readonly gmacs: number;
  readonly seed: number;
  /** Default: any of them. */
  readonly backbone?: Architecture['backbone'];
}

const TOLERANCE = 0.05;
const ATTEMPTS = 500;

/**
 * An architecture of the space that SCRFD's search draws from, of the work that is asked for: 1 to 10 blocks a stage,
 * stages up to four times as wide as the one before, and any neck and heads.
 * @throws RangeError for a budget that nothing met
 */
export function sampleArchitecture({ gmacs, seed, backbone }: SampleOptions): Architecture {
  if (!(gmacs > 0 && Number.isFinite(gmacs))) throw new RangeError(`gmacs: expected a positive number, got ${gmacs}`);
  const random = createRandom(seed);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    let candidate = draw(random, backbone ?? random.pick(BACKBONES));
    // work grows with the square of the widths, short of rounding: a few corrections reach the budget or never will
    for (let step = 0; step < 8; step++) {
      const ratio = (gmacs * 1e9) / countLayers(candidate).macs;
      if (Math.abs(1 / ratio - 1) <= TOLERANCE) return parseArchitecture(candidate);
      candidate = widen(candidate, Math.sqrt(ratio));
    }
  }
  throw new RangeError(`gmacs: no architecture of ${gmacs} ± ${TOLERANCE * 100} % found in ${ATTEMPTS} attempts`);
}

const toMultiple = (value: number, of: number) => Math.min(MAX_CHANNELS, Math.max(of, Math.round(value / of) * of));

function draw(random: Random, backbone: Architecture['backbone']): Architecture {
  const planes = [random.int(8, 64)];
  const count = backbone === 'mobilenet' ? 6 : 4;
  while (planes.length < count) planes.push(planes.at(-1)! * random.uniform(1, backbone === 'mobilenet' ? 2 : 4));
  const headGroups = random.pick([null, 4, 8]);
  return widen(
    {
      backbone,
      blocks: Array.from({ length: 4 }, () => random.int(1, 10)),
      planes,
      neck: random.int(8, 128),
      headConvs: random.int(1, 4),
      headChannels: random.int(8, 256),
      headDepthwise: backbone === 'mobilenet' || random.pick([true, false]),
      headGroups,
      sharedHeads: random.pick([true, false]),
      boxScale: random.pick([true, false]),
      keypoints: random.pick([true, false]),
    },
    1,
  );
}

/** Every width times `factor`, in steps that the norm's groups divide. */
function widen(architecture: Architecture, factor: number): Architecture {
  return {
    ...architecture,
    planes: architecture.planes.map((width) => toMultiple(width * factor, 4)),
    neck: toMultiple(architecture.neck * factor, 8),
    headChannels: toMultiple(architecture.headChannels * factor, 8),
  };
}
