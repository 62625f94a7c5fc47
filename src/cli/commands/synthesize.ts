import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { countLayers } from '../../architectures/layers.ts';
import { type Architecture, findArchitecture } from '../../architectures/published.ts';
import { parseArchitecture, sampleArchitecture } from '../../architectures/sample.ts';
import { synthesizeModel } from '../../architectures/synthesize.ts';
import { ModelError } from '../../common/errors.ts';
import { readRegularFile } from '../../node/files.ts';
import { printable, printableJson } from '../../node/printable.ts';
import { parseNatural, parsePositive, parseSize } from '../shared/options.ts';
import { assertNotRead, STDOUT, writeResult } from '../shared/output.ts';
import { print } from '../shared/report.ts';

interface SynthesizeOptions {
  out: string;
  architecture?: string;
  gmacs?: number;
  seed: number;
  shape?: [number, number];
  unfolded?: true;
  force?: true;
}

/** An architecture in JSON has a kilobyte. */
const MAX_TEXT = 2 ** 20;

export function addSynthesize(models: Command): void {
  models
    .command('synthesize')
    .description(
      'Write an SCRFD model with random weights: a published architecture, one of a JSON file or a random one.',
    )
    .argument('[name]', 'published architecture, for example 2.5g_kps')
    .requiredOption('-o, --out <file>', 'where to write the .onnx file')
    .addOption(new Option('--architecture <file>', 'JSON file of an architecture').conflicts('gmacs'))
    .option('--gmacs <G>', 'random architecture of this many billion multiply-accumulates at 640x480', parsePositive)
    .option('--seed <N>', 'another seed gives other weights, and another random architecture', parseNatural, 0)
    .option('--shape <WxH>', 'fix the size of the input (default: any)', parseSize)
    .option('--unfolded', 'keep BatchNormalization nodes, which exports fold into convolutions')
    .option('--force', 'replace a file that exists')
    .action(synthesize);
}

async function synthesize(name: string | undefined, options: SynthesizeOptions, command: Command): Promise<void> {
  const { out, architecture: file, gmacs, seed, shape, unfolded, force } = options;
  if ([name, file, gmacs].filter((given) => given !== undefined).length !== 1) {
    command.error('error: expected a name, --architecture or --gmacs');
  }
  await assertNotRead({ '--out': out, 'standard output': STDOUT }, file === undefined ? [] : [file]);
  if (!force && existsSync(out)) throw new ModelError(`${out}: exists already; --force replaces it`);
  const architecture = file === undefined ? choose(name, gmacs, seed) : await readArchitecture(file);
  const bytes = synthesizeModel(architecture, { seed, foldBatchNorm: !unfolded, ...(shape && { shape }) });
  await writeResult(out, () => bytes, ModelError);
  const { parameters, macs } = countLayers(architecture);
  const work = `${(parameters / 1e6).toFixed(2)} M parameters, ${(macs / 1e9).toFixed(3)} GMAC at 640×480`;
  print(`${printable(out)}: ${work}\n`);
  if (gmacs !== undefined) print(`${printableJson(architecture)}\n`);
}

function choose(name: string | undefined, gmacs: number | undefined, seed: number): Architecture {
  return name === undefined ? sampleArchitecture({ gmacs: gmacs!, seed }) : findArchitecture(name);
}

async function readArchitecture(file: string): Promise<Architecture> {
  try {
    const bytes = await readRegularFile(file, MAX_TEXT, undefined);
    return parseArchitecture(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new ModelError(`${file}: ${(error as Error).message}`, { cause: error });
  }
}
