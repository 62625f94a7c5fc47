import type { Command } from 'commander';
import { ModelError } from '../../common/errors.ts';
import { modelNames } from '../../models/registry.ts';
import { locateModel, removeModel, requireModel, resolveModel } from '../../node/models/resolve.ts';
import { printable, printableJson } from '../../node/printable.ts';
import { interruptible } from '../shared/interrupt.ts';
import { showDownload } from '../shared/progress.ts';
import { notify, print, reportError } from '../shared/report.ts';
import { formatTable } from '../shared/table.ts';

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
    .action(fetchModels);
  models
    .command('path')
    .description('Print the path of a model that is on this machine; downloads nothing.')
    .argument('<name>', 'name or alias')
    .action(showPath);
  models
    .command('remove')
    .description('Delete a model from the cache.')
    .argument('<name>', 'name or alias')
    .action(remove);
  return models;
}

const PLACES = { cache: 'cached', insightface: 'in ~/.insightface', node_modules: 'in node_modules' };

async function list({ json }: { json?: true }): Promise<void> {
  const models = await Promise.all(
    modelNames().map(async (name) => {
      const entry = requireModel(name);
      const { aliases, description, bytes, sha256, licence } = entry;
      const { where = null, path = null } = (await locateModel(entry)) ?? {};
      return { name, aliases, description, bytes, sha256, licence, where, path };
    }),
  );
  const header = ['name', 'size', 'state', 'also known as', 'licence'];
  const rows = models.map(({ name, bytes, where, aliases, licence }) => {
    const state = where === null ? 'not here' : PLACES[where];
    return [name, `${(bytes / 1e6).toFixed(1)} MB`, state, aliases.join(', '), licence];
  });
  const table = formatTable([header, ...rows], header.length);
  print(json ? `${printableJson(models, 2)}\n` : table);
}

async function fetchModels(names: string[]): Promise<void> {
  // a wrong name is told before anything is downloaded
  const entries = names.map(requireModel);
  await interruptible('the same command goes on where it stopped', async (signal) => {
    for (const entry of entries) {
      const bar = await showDownload(entry.name);
      try {
        const path = await resolveModel(entry, {
          signal,
          ...(bar && { onProgress: bar.update }),
          onNotice: notify,
        });
        bar?.stop();
        printPath(path);
      } catch (error) {
        bar?.stop();
        reportError(error, entry.name);
        if (signal.aborted) break;
      }
    }
  });
}

async function showPath(name: string): Promise<void> {
  printPath(await resolveModel(requireModel(name), { offline: true }));
}

/** As it is where a program reads it. */
function printPath(path: string): void {
  process.stdout.write(`${process.stdout.isTTY ? printable(path) : path}\n`);
}

async function remove(name: string): Promise<void> {
  const entry = requireModel(name);
  if (await removeModel(entry)) return;
  const found = await locateModel(entry);
  const elsewhere = found === undefined ? 'nothing to remove' : `${found.path} was not put there by scrfd, so it stays`;
  throw new ModelError(`${entry.name}: not in the cache, ${elsewhere}`);
}
