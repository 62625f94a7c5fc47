/** What distinguishes one SCRFD detector from another; plain data, as a JSON file gives it. */
export interface Architecture {
  /** `mobilenet`: depthwise-separable blocks; `basic`: two 3×3 convolutions and a shortcut; `bottleneck`: 1×1, 3×3, 1×1 to four times the planes. */
  readonly backbone: 'mobilenet' | 'basic' | 'bottleneck';
  /** Blocks in the stages of strides 4, 8, 16, 32. */
  readonly blocks: readonly number[];
  /** Channels of the four stages; `mobilenet` has two more in front, of the stem's convolution and of its block. */
  readonly planes: readonly number[];
  /** Channels of the feature pyramid (PAFPN) at strides 8, 16, 32. */
  readonly neck: number;
  /** Stacked convolutions of a head's tower. */
  readonly headConvs: number;
  readonly headChannels: number;
  /** Tower of depthwise 3×3 and pointwise 1×1 pairs. */
  readonly headDepthwise: boolean;
  /** Groups of the tower's GroupNorm; null for BatchNorm, which exports fold into the convolutions. */
  readonly headGroups: number | null;
  /** One set of head weights for all strides. */
  readonly sharedHeads: boolean;
  /** A learned factor a stride on the box distances. */
  readonly boxScale: boolean;
  readonly keypoints: boolean;
}

/** Figures of the published tables: parameters in millions, GFLOPs (multiply-accumulates) at 640×480. */
export interface Published {
  readonly parameters: number;
  readonly gmacs: number;
  /** Why what `scrfd info` counts is more than 2 % off, where it is. */
  readonly off?: { readonly parameters?: string; readonly gmacs?: string };
}

export interface PublishedArchitecture extends Architecture {
  /** Absent where a configuration was published and no figures. */
  readonly published?: Published;
}

const MOBILENET = { backbone: 'mobilenet', headConvs: 2, headDepthwise: true } as const;
const BASIC = { backbone: 'basic', headDepthwise: false } as const;
const BOTTLENECK = { backbone: 'bottleneck', headDepthwise: false } as const;

const BOXES = { headGroups: 16, sharedHeads: true, boxScale: true, keypoints: false } as const;
const KEYPOINTS = { headGroups: null, sharedHeads: false, boxScale: true, keypoints: true } as const;

// the members without what their heads differ in, then the other rows, MobileNet and ResNet
const B500M = { ...MOBILENET, blocks: [2, 3, 2, 6], planes: [16, 16, 40, 72, 152, 288], neck: 16, headChannels: 64 };
const B1G = { ...MOBILENET, blocks: [3, 2, 1, 5], planes: [32, 48, 48, 160, 216, 312], neck: 24, headChannels: 96 };
const B1_3G = { ...BASIC, blocks: [3, 5, 3, 2], planes: [16, 32, 40, 72], neck: 24, headConvs: 2, headChannels: 48 };
const B2_5G = { ...BASIC, blocks: [3, 5, 3, 2], planes: [24, 48, 48, 80], neck: 24, headConvs: 2, headChannels: 64 };
const B10G = { ...BASIC, blocks: [3, 4, 2, 3], planes: [56, 88, 88, 224], neck: 56, headConvs: 3, headChannels: 80 };
const WIDE = { ...BOTTLENECK, ...BOXES, headGroups: 32, neck: 128, headConvs: 2, headChannels: 256 } as const;
const B34G = { ...WIDE, blocks: [17, 16, 2, 8], planes: [56, 56, 144, 184] };

const M0_5G = { ...MOBILENET, blocks: [2, 2, 6, 3], planes: [8, 16, 32, 64, 128, 256], neck: 32, headChannels: 80 };
const R2_5G = { ...BASIC, blocks: [3, 4, 6, 3], planes: [16, 32, 64, 128], neck: 48, headConvs: 2, headChannels: 96 };
const R10G = { ...BASIC, blocks: [3, 4, 6, 3], planes: [32, 64, 128, 256], neck: 128, headConvs: 2, headChannels: 160 };
const R34G = { ...WIDE, blocks: [3, 8, 4, 3], planes: [64, 128, 256, 512] };

// mmcv's counter, which made the tables, adds an operation an element for biases, ReLUs and pools, and two for BatchNorm;
// convolutions are what `scrfd info` counts. `countLayers` gives both, and the tables' own to three digits.
const ALL_LAYERS =
  'the table counts biases, BatchNorm, ReLU and pools too, which weigh most beside depthwise convolutions';
const REPEATED = 'the table repeats the row of SCRFD_500M, which has neither keypoints nor heads of their own a stride';
const CUT = 'the configuration has 0.379 M, which the table cuts to two digits';
// the configuration is base_34g: depth 56, blocks 3, 8, 4, 3, a stem of three convolutions, style pytorch, whose stride is in the second
// convolution of a block. It has the table's parameters, 24.814 M, and 37.07 GFLOPs as the table counts. With the stride in the first
// convolution that is 35.64, with ResNet's stem of one 7×7 convolution 35.59, with both 34.16, and then 24.795 M parameters
const OTHER_NETWORK =
  'the table has the parameters of the configuration (24.814 M; 37.07 GFLOPs as the table counts) beside the operations of a network with a 7×7 stem and the stride in the first convolution of a block (34.16; 24.795 M)';

const BOTH_REPEATED = { parameters: REPEATED, gmacs: REPEATED };
const CUT_ALL_LAYERS = { parameters: CUT, gmacs: ALL_LAYERS };

/** The published detectors, and the plain ResNet and MobileNet rows of the same tables. */
export const ARCHITECTURES = {
  scrfd_500m: { ...B500M, ...BOXES, published: { parameters: 0.57, gmacs: 0.508, off: { gmacs: ALL_LAYERS } } },
  scrfd_500m_kps: {
    ...B500M,
    ...KEYPOINTS,
    boxScale: false,
    published: { parameters: 0.57, gmacs: 0.508, off: BOTH_REPEATED },
  },
  scrfd_1g: { ...B1G, ...BOXES, headGroups: 8, published: { parameters: 0.64, gmacs: 1, off: { gmacs: ALL_LAYERS } } },
  'scrfd_1.3g': { ...B1_3G, ...BOXES },
  'scrfd_2.5g': { ...B2_5G, ...BOXES, published: { parameters: 0.67, gmacs: 2.53 } },
  'scrfd_2.5g_kps': { ...B2_5G, ...KEYPOINTS, published: { parameters: 0.82, gmacs: 2.53 } },
  scrfd_10g: { ...B10G, ...BOXES, published: { parameters: 3.86, gmacs: 9.98 } },
  scrfd_10g_kps: { ...B10G, ...KEYPOINTS, published: { parameters: 4.23, gmacs: 9.98 } },
  scrfd_34g: { ...B34G, published: { parameters: 9.8, gmacs: 34.13 } },
  'mobilenet_0.5g': { ...M0_5G, ...BOXES, published: { parameters: 0.37, gmacs: 0.507, off: CUT_ALL_LAYERS } },
  'resnet_2.5g': { ...R2_5G, ...BOXES, published: { parameters: 1.62, gmacs: 2.57 } },
  resnet_10g: { ...R10G, ...BOXES, headGroups: 32, published: { parameters: 6.85, gmacs: 10.18 } },
  resnet_34g: { ...R34G, published: { parameters: 24.81, gmacs: 34.16, off: { gmacs: OTHER_NETWORK } } },
} as const satisfies Readonly<Record<string, PublishedArchitecture>>;

/** A published architecture by its name, `scrfd_` optional. @throws RangeError listing the names */
export function findArchitecture(name: string): PublishedArchitecture {
  const found = [name, `scrfd_${name}`].find((each) => Object.hasOwn(ARCHITECTURES, each));
  if (found !== undefined) return ARCHITECTURES[found as keyof typeof ARCHITECTURES];
  throw new RangeError(`model: expected one of ${Object.keys(ARCHITECTURES).join(', ')}, got "${name}"`);
}

/** Producer of generated files, by which they are known. */
export const PRODUCER = 'scrfd-webgpu';
