import type { Command } from 'commander';
import { ModelError } from '../../common/errors.ts';
import type { Progress } from '../../models/download.ts';
import { modelNames } from '../../models/registry.ts';
import { locateModel, removeModel, requireModel, resolveModel } from '../../node/models/resolve.ts';
import { reportError } from '../shared/report.ts';

/** `scrfd models`, and what others add to it. */
export function addModels(program: Command): Command {
  const models = program.command('models').description('List, download and remove published models.');
  models
    .command('list')
    .description('List the models that are known by name, and which are on this machine.')
    .option('--json', 'print one JSON array')
    .action(list);
  models
    .command('fetch')
    .description('Download models, check them and print their paths.')
    .argument('<name...>', 'names, or aliases such as buffalo_s')
    .option('--offline', 'download nothing: fail unless the model is on this machine')
    .action(fetchModels);
  models
    .command('path')
    .description('Print the path of a model that is on this machine; downloads nothing.')
    .argument('<name>', 'name or alias')
    .action(printPath);
  models
    .command('remove')
    .description('Delete a model from the cache.')
    .argument('<name>', 'name or alias')
    .action(remove);
  return models;
}

async function list({ json }: { json?: true }): Promise<void> {
  const models = await Promise.all(
    modelNames().map(async (name) => {
      const entry = requireModel(name);
      const { aliases, description, bytes, sha256, licence } = entry;
      const { where = null, path = null } = (await locateModel(entry)) ?? {};
      return { name, aliases, description, bytes, sha256, licence, where, path };
    }),
  );
  if (json) process.stdout.write(`${JSON.stringify(models, null, 2)}\n`);
  else process.stdout.write(formatTable(models));
}

const PLACES = { cache: 'cached', insightface: 'in ~/.insightface', node_modules: 'in node_modules' };

interface Listed {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly bytes: number;
  readonly licence: string;
  readonly where: keyof typeof PLACES | null;
}

function formatTable(models: readonly Listed[]): string {
  const rows = [
    ['name', 'size', 'state', 'also known as', 'licence'],
    ...models.map(({ name, bytes, where, aliases, licence }) => [
      name,
      `${(bytes / 1e6).toFixed(1)} MB`,
      where === null ? 'not here' : PLACES[where],
      aliases.join(', '),
      licence,
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((text, i) => text.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

async function fetchModels(names: string[], { offline }: { offline?: true }): Promise<void> {
  // A wrong name is told before anything is downloaded.
  const entries = names.map(requireModel);
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(new Error('interrupted; the same command goes on where it stopped'));
  process.once('SIGINT', onInterrupt);
  try {
    for (const entry of entries) {
      const bar = await progressBar(entry.name);
      try {
        const path = await resolveModel(entry, {
          signal: interrupt.signal,
          ...(offline && { offline }),
          ...(bar && { onProgress: bar.update }),
          onNotice: (notice) => process.stderr.write(`scrfd: ${notice}\n`),
        });
        bar?.stop();
        process.stdout.write(`${path}\n`);
      } catch (error) {
        bar?.stop();
        reportError(error, entry.name);
        if (interrupt.signal.aborted) break;
      }
    }
  } finally {
    process.off('SIGINT', onInterrupt);
  }
  if (interrupt.signal.aborted) process.exitCode = 130;
}

/** A bar on stderr; none where stderr is not a terminal. */
async function progressBar(name: string): Promise<{ update(progress: Progress): void; stop(): void } | undefined> {
  if (!process.stderr.isTTY) return undefined;
  const { default: progress } = await import('cli-progress');
  const bar = new progress.SingleBar({
    format: `${name} {bar} {percentage}% of {megabytes} MB, {eta_formatted} left`,
    hideCursor: true,
    clearOnComplete: true,
  });
  let total = 0;
  return {
    update(now) {
      const megabytes = ((now.total ?? now.received) / 1e6).toFixed(1);
      // Another source begins anew.
      if (total !== (now.total ?? 0)) bar.start(now.total ?? 0, now.received, { megabytes });
      else bar.update(now.received, { megabytes });
      total = now.total ?? 0;
    },
    stop: () => bar.stop(),
  };
}

async function printPath(name: string): Promise<void> {
  process.stdout.write(`${await resolveModel(requireModel(name), { offline: true })}\n`);
}

async function remove(name: string): Promise<void> {
  const entry = requireModel(name);
  if (await removeModel(entry)) return;
  const found = await locateModel(entry);
  const elsewhere = found === undefined ? 'nothing to remove' : `${found.path} was not put there by scrfd, so it stays`;
  throw new ModelError(`${entry.name}: not in the cache, ${elsewhere}`);
}
