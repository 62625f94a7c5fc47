import { sha256 } from '../common/sha256.ts';
import type { Model } from '../loader/model.ts';
import type { HeadLayout } from './head-layout.ts';
import { walkConvs } from './layers.ts';
import { ARCHITECTURES, PRODUCER, type Published, type PublishedArchitecture } from './published.ts';

/** How a file was made, as far as its graph tells. */
type Generation =
  | 'official-2021'
  | '2022'
  | 'simplified'
  | 'half-folded'
  | 'renamed'
  | 'synthesized'
  | 'mxnet'
  | 'unknown';

export interface ModelIdentity {
  readonly family: HeadLayout['family'];
  /** Member such as `scrfd_2.5g_kps`; null for a detector of another architecture. */
  readonly name: string | null;
  readonly source: 'hash' | 'graph';
  /** Points of a face, 0 for boxes alone. */
  readonly keypoints: number;
  /** Norm of the heads; BatchNorm is folded into the convolutions mostly. */
  readonly norm: 'group' | 'batch';
  /** Anchors a cell. */
  readonly anchors: number;
  readonly strides: readonly number[];
  readonly generation: Generation;
  /** What the published tables say of the member. */
  readonly published: Published | null;
}

/** SHA-256 of files met in the wild. */
const KNOWN: Readonly<Record<string, readonly [name: string, generation: Generation]>> = {
  '5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91': ['scrfd_10g_kps', 'official-2021'],
  '041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9': ['scrfd_2.5g_kps', 'official-2021'],
  '5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a': ['scrfd_500m_kps', 'official-2021'],
  '76522ba15eecb0712780509e912884aba066e9834be0c85761918cdcf76de5b5': ['scrfd_person_2.5g', 'official-2021'],
  '372ec832de65e8de9830894800bf2fd6a4807561e4188c9604480d158614447e': ['scrfd_500m', '2022'],
  a3562ef62592bf387f6ef19151282ac127518e51c77696e62e0661bee95ba1ad: ['scrfd_500m_kps', '2022'],
  fed8414314326bb875e2a8a19da9a75e1ca604980dda195c61f7308115108795: ['scrfd_1g', '2022'],
  c5ace6e90b683f74a7736e917fed766308809145f1fe73e829700da7462b10e8: ['scrfd_2.5g', '2022'],
  '81a65738b3829e5265fe2636cdee7781dbb8db75ff14b88f3a0a9121eb0ecd68': ['scrfd_2.5g_kps', '2022'],
  cd1acf4887eff165497762346fcafbdec58f662a2ceb01e5edb979f54b9875b6: ['retinaface_mnet025', 'mxnet'],
  e450c92c5d0d998b73ef8d421a24bcab730f5f02192b9ca4f52dc6382f45739a: ['scrfd_500m_kps', 'simplified'],
  '32d20c77b9e2dc1d07e94c2ab9d25bdd5cd05eddbe0b46e7b38e7a1eca22e99a': ['scrfd_2.5g_kps', 'renamed'],
};

/**
 * What a model is: from the SHA-256 of its file where that is known, else from its graph.
 * @param bytesOrHash the file, or its SHA-256 in hexadecimal; without either the graph alone decides
 * @param layout what its heads are
 */
export async function identifyModel(
  bytesOrHash: Uint8Array | string | undefined,
  model: Model,
  layout: HeadLayout,
): Promise<ModelIdentity> {
  const hash = typeof bytesOrHash === 'string' ? bytesOrHash.toLowerCase() : bytesOrHash && (await sha256(bytesOrHash));
  const [name, generation] = KNOWN[hash ?? ''] ?? [];
  const member = name ?? (layout.family === 'scrfd' ? matchMember(model) : undefined);
  const architectures: Readonly<Record<string, PublishedArchitecture>> = ARCHITECTURES;
  return {
    name: member ?? null,
    source: name === undefined ? 'graph' : 'hash',
    ...layout,
    norm: model.nodes.some(({ op }) => /^(Instance|Group)Normalization$/.test(op)) ? 'group' : 'batch',
    generation: generation ?? (layout.family === 'scrfd' ? recogniseGeneration(model) : 'mxnet'),
    published: architectures[member ?? '']?.published ?? null,
  };
}

/** The member whose convolutions have the shapes of the file's, in its order. */
function matchMember(model: Model): string | undefined {
  const shapes = model.nodes.flatMap(({ op, inputs }) =>
    op === 'Conv' ? [model.initializers.get(inputs[1] ?? '')?.dims.join('×') ?? '?'] : [],
  );
  const signature = shapes.join(' ');
  return Object.entries(ARCHITECTURES).find(([, member]) => {
    const layers = walkConvs(member);
    return layers.length === shapes.length && layers.map(({ weight }) => weight.join('×')).join(' ') === signature;
  })?.[0];
}

function recogniseGeneration(model: Model): Generation {
  if (model.producer.startsWith(PRODUCER)) return 'synthesized';
  const producers = new Map(model.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const producer = (name: string) => producers.get(name);
  let tail = producer(model.outputs[0]!.name);
  while (tail && /^(Sigmoid|Reshape|Identity|Cast)$/.test(tail.op)) tail = producer(tail.inputs[0]!);
  if (tail?.op === 'Conv') return 'half-folded';
  if (tail?.op !== 'Transpose') return 'unknown';
  const [, , height, width] = model.inputs[0]?.dims ?? [];
  const computesShapes = model.nodes.some(({ op }) => op === 'Shape');
  if (typeof height === 'number' && typeof width === 'number' && !computesShapes) return 'simplified';
  switch (tail.attributes.ints('perm', []).join()) {
    case '2,3,0,1':
      return 'official-2021';
    case '0,2,3,1':
      return model.outputs.every(({ name }) => /^(score|bbox|kps)_\d+$/.test(name)) ? '2022' : 'renamed';
    default:
      return 'unknown';
  }
}
