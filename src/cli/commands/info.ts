import type { Command } from 'commander';
import { identifyModel, type ModelIdentity } from '../../architectures/identify.ts';
import { ModelError } from '../../common/errors.ts';
import { compileDetector } from '../../detector/compile.ts';
import { headLayoutOf } from '../../detector/heads.ts';
import { compileNetwork } from '../../graph/compile.ts';
import { countWork, planMemory } from '../../graph/count-work.ts';
import { loadTarget } from '../../graph/load-target.ts';
import type { Target } from '../../graph/target.ts';
import type { AdapterTraits } from '../../kernels/dispatch.ts';
import { declaredSize, type Model } from '../../loader/model.ts';
import { nodePlatform } from '../../node/platform.ts';
import { printableJson } from '../../node/printable.ts';
import { openModel } from '../../runtime/open-model.ts';
import { modelOption, sizeOption } from '../shared/options.ts';
import { print } from '../shared/report.ts';
import { formatTable } from '../shared/table.ts';

interface InfoOptions {
  model: string;
  json?: true;
  size?: [number, number];
}

/** No device is opened: steps are counted for an adapter with nothing special. */
const PLAIN_ADAPTER: AdapterTraits = { software: false, subgroupSize: 0 };

export function addInfo(program: Command): void {
  program
    .command('info')
    .description('Describe a model: inputs, outputs, detector layout, operators, work and memory. Needs no GPU.')
    .addOption(modelOption())
    .addOption(sizeOption())
    .option('--json', 'print one JSON object')
    .action(info);
}

async function info({ model: path, json, size }: InfoOptions): Promise<void> {
  const { bytes, model } = await openModel(nodePlatform, path);
  const layout = headLayoutOf(model);
  const identity = layout && (await identifyModel(bytes, model, layout));
  const target = await loadTarget(PLAIN_ADAPTER);
  const description = { identity, ...describe(model, target, size ?? declaredSize(model) ?? [640, 640]) };
  print(json ? `${printableJson(description, 2)}\n` : formatText(description));
}

type Description = ReturnType<typeof describe> & { readonly identity: ModelIdentity | null };

function describe(model: Model, target: Target, [width, height]: [number, number]) {
  const dims = [1, 3, height, width] as const;
  const { macs, parameters } = countWork(model, dims);
  const network = compileNetwork(model, dims, target);
  const ops: Record<string, number> = {};
  for (const { op } of model.nodes) ops[op] = (ops[op] ?? 0) + 1;
  return {
    producer: model.producer,
    opset: model.opset,
    inputs: model.inputs,
    outputs: model.outputs.map((output, i) => ({ ...output, computed: network.outputs[i]?.dims })),
    size: [width, height],
    detector: describeDetector(model, target, width, height),
    ops,
    parameters,
    macs,
    steps: network.steps.length,
    memory: planMemory(network),
  };
}

/** What the heads are; null for a network that is not an SCRFD detector, or not at this size. */
function describeDetector(model: Model, target: Target, width: number, height: number) {
  try {
    const { heads, steps } = compileDetector(model, { batch: 1, inputSizes: [[width, height]] }, target);
    const { levels, anchors, keypoints } = heads[0]!;
    return {
      strides: levels.map(({ stride }) => stride),
      anchors,
      keypoints,
      steps: steps.length,
    };
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
}

function formatText(description: Description): string {
  const { detector, identity, memory, size } = description;
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const shape = (dims: readonly (number | string | null)[] | null) => dims?.map((dim) => dim ?? '?').join('×') ?? '?';
  const rows = [
    ...(identity ? formatIdentity(identity) : []),
    ['producer', `${description.producer || 'unknown'}, operator set ${description.opset}`],
    ...description.inputs.map(({ name, type, dims }) => ['input', `${name} ${type} ${shape(dims)}`]),
    ...description.outputs.map(({ name, computed }) => ['output', `${name} ${computed?.join('×') ?? '?'}`]),
    ['size', `${size.join('×')}`],
    ['detector', detector ? `SCRFD, strides ${detector.strides.join(', ')}` : 'not an SCRFD detector at this size'],
    ...(detector
      ? [
          ['anchors', `${detector.anchors} a cell`],
          ['keypoints', detector.keypoints === 0 ? 'none' : String(detector.keypoints)],
        ]
      : []),
    [
      'operators',
      Object.entries(description.ops)
        .map(([op, count]) => `${op} ${count}`)
        .join(', '),
    ],
    ['parameters', `${(description.parameters / 1e6).toFixed(3)} M`],
    ['work', `${(description.macs / 1e9).toFixed(3)} GMAC`],
    ['steps', `${description.steps} for the network${detector ? `, ${detector.steps} from pixels to faces` : ''}`],
    ['memory', `${mib(memory.constants)} of weights, ${mib(memory.activations)} of activations`],
  ];
  return formatTable(rows, 2);
}

function formatIdentity({ name, source, generation, norm, published }: ModelIdentity): string[][] {
  const architecture = name ?? 'SCRFD of no published architecture';
  return [
    ['model', `${architecture}, ${generation} export (known by its ${source})`],
    ['norm', norm === 'group' ? 'GroupNorm heads' : 'BatchNorm heads'],
    ...(published ? [['published', `${published.parameters} M parameters, ${published.gmacs} GFLOPs at 640×480`]] : []),
  ];
}
