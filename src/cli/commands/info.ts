import type { Command } from 'commander';
import type { ModelIdentity } from '../../architectures/identify.ts';
import { nodePlatform } from '../../node/platform.ts';
import { printableJson } from '../../node/printable.ts';
import { openModel } from '../../runtime/open-model.ts';
import { type Description, describeModel } from '../info/describe.ts';
import { interruptible } from '../shared/interrupt.ts';
import { modelFile, ofModel } from '../shared/model-file.ts';
import { modelOption, sizeOption } from '../shared/options.ts';
import { print } from '../shared/report.ts';
import { formatTable } from '../shared/table.ts';

interface InfoOptions {
  model: string;
  json?: true;
  size?: [number, number];
}

export function addInfo(program: Command): void {
  program
    .command('info')
    .description(
      'Describe a model, one that cannot run, too: inputs, outputs, detector layout, operators, work and memory. Needs no GPU.',
    )
    .addOption(modelOption())
    .addOption(sizeOption())
    .option('--json', 'print one JSON object')
    .action(info);
}

async function info({ model: name, json, size }: InfoOptions): Promise<void> {
  await interruptible('nothing is described', async (signal) => {
    const path = await modelFile(name, signal);
    const description = await ofModel(path, async () => {
      const { bytes, model } = await openModel(nodePlatform, path, { signal });
      return describeModel(bytes, model, size);
    });
    print(json ? `${printableJson(description, 2)}\n` : formatText(description));
  });
}

const FAMILIES: Readonly<Record<ModelIdentity['family'], string>> = { scrfd: 'SCRFD', retinaface: 'RetinaFace' };

function formatText(description: Description): string {
  const { detector, identity, missing, size, asked, reason } = description;
  const rows = [
    ...(identity ? formatIdentity(identity, description.counted) : []),
    ['producer', `${description.producer || 'unknown'}, operator set ${description.opset}`],
    ...description.inputs.map(({ name, type, dims }) => ['input', `${name} ${type} ${formatShape(dims)}`]),
    ...description.outputs.map(({ name, type, dims, computed }) => [
      'output',
      `${name} ${type} ${formatShape(computed ?? dims)}`,
    ]),
    ['size', `${size.join('×')}${asked ? `, which ${asked.join('×')} is rounded up to` : ''}`],
    [
      'detector',
      detector ? `${FAMILIES[detector.family]}, strides ${detector.strides.join(', ')}` : 'none of SCRFD or RetinaFace',
    ],
    ...(detector
      ? [
          ['anchors', `${detector.anchors} a cell`],
          ['keypoints', detector.keypoints === 0 ? 'none' : String(detector.keypoints)],
        ]
      : []),
    ...(reason === null ? [] : [['runs', `no: ${reason}`]]),
    ...(Object.keys(missing).length > 0 ? [['missing', formatCounts(missing)]] : []),
    ['operators', formatCounts(description.ops)],
    ['parameters', `${(description.parameters / 1e6).toFixed(3)} M`],
    ...formatWork(description),
  ];
  return formatTable(rows, 2);
}

function formatShape(dims: readonly (number | string | null)[] | null): string {
  return dims?.map((dim) => dim ?? '?').join('×') ?? '?';
}

function formatCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([op, count]) => `${op} ${count}`)
    .join(', ');
}

function formatWork({ macs, steps, memory, detector }: Description): string[][] {
  if (macs === null || memory === null) return [];
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const toFaces = detector?.steps ? `, ${detector.steps} from pixels to faces` : '';
  return [
    ['work', `${(macs / 1e9).toFixed(3)} GMAC`],
    ['steps', `${steps} for the network${toFaces}`],
    ['memory', `${mib(memory.constants)} of weights, ${mib(memory.activations)} of activations`],
  ];
}

function formatIdentity(
  { family, name, source, generation, norm, published }: ModelIdentity,
  counted: Description['counted'],
): string[][] {
  const architecture = name ?? `${FAMILIES[family]} of no published architecture`;
  return [
    ['model', `${architecture}, ${generation} export (known by its ${source})`],
    ['norm', norm === 'group' ? 'GroupNorm heads' : 'BatchNorm heads'],
    ...(published ? [['published', `${published.parameters} M parameters, ${published.gmacs} GFLOPs at 640×480`]] : []),
    ...(counted ? [['counted', formatCounted(counted)]] : []),
    ...Object.entries(published?.off ?? {}).map(([what, why]) => [
      'difference',
      `of ${what === 'gmacs' ? 'GFLOPs' : what}: ${why}`,
    ]),
  ];
}

/** As the table counts and as this command does: what of the difference is a matter of counting. */
function formatCounted({ parameters, macs, publishedMacs }: NonNullable<Description['counted']>): string {
  const giga = (value: number) => (value / 1e9).toFixed(3);
  return (
    `${(parameters / 1e6).toFixed(3)} M parameters, ${giga(macs)} GMAC of convolutions at 640×480, ` +
    `${giga(publishedMacs)} with biases, BatchNorm, ReLU and pools, which the table counts, too`
  );
}
