import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../.recipes/node_modules/', import.meta.url));
const platform = `${process.platform}-${process.arch}`;

export interface Runtime {
  readonly name: string;
  /** The executable; null where scripts/install-recipes.sh has not been here. */
  readonly command: string | null;
  /** What it needs before a program's name. */
  readonly args: readonly string[];
}

function installed(...paths: readonly string[]): string | null {
  return paths.map((path) => folder + path).find((path) => existsSync(path)) ?? null;
}

/** Kubernetes' schemas as a package; null where that script has not been here. */
export const kubernetesModels = installed('kubernetes-models');
export const leastNode = installed('least-node/bin/node');

/** What runs programs for Node. */
export const runtimes: readonly Runtime[] = [
  { name: 'Node', command: process.execPath, args: [] },
  { name: 'the least Node', command: leastNode, args: [] },
  { name: 'Node 22', command: installed('node-22/bin/node'), args: [] },
  { name: 'Node 24', command: installed('node-24/bin/node'), args: [] },
  {
    name: 'Bun',
    command: installed(`@oven/bun-${platform}/bin/bun`, `@oven/bun-${process.platform}-aarch64/bin/bun`),
    args: [],
  },
  {
    name: 'Deno',
    command: installed(`@deno/${platform}/deno`, `@deno/${platform}-glibc/deno`),
    args: ['run', '--allow-all'],
  },
];
