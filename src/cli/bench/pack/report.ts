import { formatTable, type TableStyle } from '../../shared/table.ts';
import type { Results } from '../results.ts';
import { fixed, formatResults } from '../tables.ts';

/** `pack.json`: what a pack was made of. */
export interface PackInfo {
  readonly version: string;
  readonly commit: string | null;
  /** Published architectures, which get random weights, and paths in the pack. */
  readonly models: readonly string[];
}

/** What became of one file of the kernel tests; of one that was not begun all counts are 0. */
export interface TestFile {
  readonly file: string;
  readonly passed: number;
  /** For what the adapter lacks. */
  readonly skipped: number;
  /** Left out because the time was up. */
  readonly notRun: number;
  readonly failures: readonly { readonly test: string; readonly message: string }[];
  readonly seconds: number;
}

/** How kernels are run: as they are by default, as tuned ones, on half floats. */
export const MODES = ['default', 'f16', 'tuned'] as const;
export type Mode = (typeof MODES)[number];

/** `results.json`: what a pack found on a machine. */
export interface PackResults {
  readonly pack: PackInfo;
  readonly machine: {
    readonly node: string;
    readonly system: string;
    /** What nvidia-smi says; null without it. */
    readonly nvidia: string | null;
    /** Of `scrfd doctor --json`; null where it did not end. */
    readonly doctor: unknown;
  };
  seconds: number;
  readonly results: Partial<Record<Mode, Results>>;
  kernelTests: readonly TestFile[];
  /** What went wrong. */
  readonly failures: string[];
  /** What is not in here, and why. */
  readonly missing: string[];
}

const TITLES: Readonly<Record<Mode, string>> = {
  default: 'As it is by default',
  f16: 'Half floats between layers',
  tuned: 'Tuned',
};

function formatTests(files: readonly TestFile[], style: TableStyle): string {
  const line = (name: string, members: readonly TestFile[]) => {
    const sum = (count: (file: TestFile) => number) => members.reduce((all, file) => all + count(file), 0);
    const counts = [(file: TestFile) => file.passed, (file: TestFile) => file.failures.length];
    const rest = [(file: TestFile) => file.skipped, (file: TestFile) => file.notRun];
    return [
      name,
      ...[...counts, ...rest].map((count) => String(sum(count))),
      fixed(
        sum(({ seconds }) => seconds),
        1,
      ),
    ];
  };
  const header = ['kernel tests', 'passed', 'failed', 'skipped', 'not run', 's'];
  return formatTable([header, ...files.map((file) => line(file.file, [file])), line('all', files)], 1, style);
}

/** All that a pack found; as text without the tables of launches, which are long. */
export function formatPackResults(found: PackResults, style: TableStyle): string {
  const { pack, machine, seconds, results, kernelTests, failures, missing } = found;
  const isText = style === 'text';
  const title = (text: string) => (isText ? `\n${text}\n\n` : `\n## ${text}\n\n`);
  const list = (name: string, lines: readonly string[]) =>
    lines.length === 0 ? '' : title(name) + lines.map((text) => `- ${text}\n`).join('');
  const commit = pack.commit === null ? '' : `, commit ${pack.commit}`;
  const tests = kernelTests.flatMap(({ file, failures }) =>
    failures.map(({ test, message }) => `${file}: ${test}: ${message.replaceAll(/\s*\n\s*/g, ' ')}`),
  );
  return [
    `${isText ? '' : '# '}scrfd-webgpu ${pack.version}${commit}, measured in ${seconds.toFixed(0)} s\n\n`,
    `- ${machine.system}, Node ${machine.node}\n`,
    machine.nvidia === null ? '' : `- ${machine.nvidia}\n`,
    ...MODES.map((mode) => {
      const measured = results[mode];
      return measured
        ? title(TITLES[mode]) + formatResults(isText ? { ...measured, kernels: [] } : measured, style)
        : '';
    }),
    kernelTests.length === 0 ? '' : title('Kernel tests') + formatTests(kernelTests, style),
    list('Failed', [...failures, ...tests]),
    list('Not in here', missing),
  ].join('');
}
