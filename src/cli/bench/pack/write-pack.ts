import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, constants, copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findArchitecture } from '../../../architectures/published.ts';
import { notify } from '../../shared/report.ts';
import { readOwnPackage } from '../../shared/versions.ts';
import type { PackInfo } from './report.ts';

const run = promisify(execFile);

/** The folder of the package that this file belongs to. */
const root = fileURLToPath(new URL('../../../../', import.meta.url));
/** What a clone of the repository has for packing, and the installed package has not. */
const BUILD = join(root, 'bench/pack/build.mjs');

const NEEDED = ['webgpu', 'onnxruntime-node'];
/** Of the kernel tests. */
const NEEDED_BY_TESTS = ['@techstark/opencv-js'];
/** What those need for their installation and for types alone. */
const NOT_NEEDED = new Set(['@webgpu/types', 'adm-zip', 'debug', 'global-agent', 'mirada']);
const UNUSED = /\.(map|[cm]?ts)$|(?<!LICENSE)\.md$/;
/** Folders of native code, by platform. */
const NATIVE = /\/(linux|darwin|win32)[-/](x64|arm64|universal)(\/|$)/;

/** By the shell alone: what else there is on that machine is not known. */
const RUN_SH = `#!/bin/sh
# Measures and checks scrfd-webgpu on this machine with what is in this folder: sh run.sh [--help]
case $0 in */*) here=\${0%/*} ;; *) here=. ;; esac
here=$(cd "$here" && pwd) || exit 1
if ! "$here/bin/node" --version >/dev/null; then
  echo "run.sh: bin/node does not start here; it was made for ${process.platform} ${process.arch} with glibc" >&2
  exit 1
fi
exec "$here/bin/node" "$here/node_modules/scrfd-webgpu/dist/cli/bench/pack/measure.js" "$@"
`;

export interface PackOptions {
  /** Published architectures, and files. */
  readonly models: readonly string[];
  readonly commit: string | null;
}

/**
 * Writes a folder that measures and checks this package on a Linux machine that has a GPU's driver, but neither Node nor a
 * network. Node, the native packages and the Vulkan loader are this machine's.
 * @throws Error where the folder has something in it, where a model or a package is missing, and on other systems
 */
export async function writePack(folder: string, options: PackOptions): Promise<void> {
  if (process.platform !== 'linux') {
    throw new Error(`--pack: expected Linux, whose Node and libraries a pack takes along, got ${process.platform}`);
  }
  if (existsSync(folder) && (await readdir(folder)).length > 0) {
    throw new Error(`${folder}: expected a new or empty folder`);
  }
  try {
    await fill(folder, options);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function fill(folder: string, { models, commit }: PackOptions): Promise<void> {
  const own = join(folder, 'node_modules', 'scrfd-webgpu');
  await mkdir(own, { recursive: true });
  const { version } = readOwnPackage();
  const info: PackInfo = { version, commit, models: await copyModels(models, folder) };
  await copyNode(folder);
  await copyFile(join(root, 'package.json'), join(own, 'package.json'));
  const isClone = existsSync(BUILD);
  if (isClone) await run(process.execPath, [BUILD, own, join(folder, 'kernel-tests')]);
  else {
    notify('the kernel tests are in a clone of the repository alone: this pack goes without');
    await copyTree(join(root, 'dist'), join(own, 'dist'));
  }
  await copyPackages(root, own, folder, [...NEEDED, ...(isClone ? NEEDED_BY_TESTS : [])]);
  await copyVulkanLoader(folder);
  await writeFile(join(folder, 'pack.json'), `${JSON.stringify(info, null, 2)}\n`);
  await writeFile(join(folder, 'run.sh'), RUN_SH, { mode: 0o755 });
}

/** Without its symbols, which are a tenth of it. */
async function copyNode(folder: string): Promise<void> {
  const node = join(folder, 'bin', 'node');
  await mkdir(dirname(node));
  await copyFile(process.execPath, node);
  await chmod(node, 0o755);
  await strip(node);
}

async function strip(file: string): Promise<void> {
  try {
    await run('strip', [file]);
  } catch (error) {
    notify(`${basename(file)} keeps its symbols and is larger for it: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** A folder without what nothing reads when it runs, and without other platforms' code. */
async function copyTree(from: string, to: string): Promise<void> {
  const isNeeded = (path: string) => {
    const inside = `/${relative(from, path)}`;
    const [, platform, arch] = NATIVE.exec(inside) ?? [];
    const isForeign = platform !== undefined && (platform !== process.platform || arch !== process.arch);
    return inside !== '/node_modules' && !isForeign && !UNUSED.test(inside);
  };
  await cp(from, to, { recursive: true, dereference: true, filter: isNeeded });
}

/** The packages that one needs, and those that they need, as far from each other as they are here. */
async function copyPackages(from: string, to: string, folder: string, besides: readonly string[] = []): Promise<void> {
  const { dependencies = {} } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), ...besides]) {
    if (NOT_NEEDED.has(name)) continue;
    const found = findPackage(name, from);
    const isOwn = found === join(from, 'node_modules', name) && from !== root;
    const target = join(isOwn ? to : folder, 'node_modules', name);
    if (existsSync(target)) continue;
    await copyTree(found, target);
    for (const file of await readdir(target, { recursive: true })) {
      if (file.endsWith('.node') || file.includes('.so')) await strip(join(target, file));
    }
    await copyPackages(found, target, folder);
  }
}

/** As Node looks for it. @throws Error that says how to get it */
function findPackage(name: string, from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(found)) return found;
    if (folder === dirname(folder)) throw new Error(`--pack takes the package ${name} along: npm install ${name}`);
  }
}

/** For machines that have a driver of Vulkan without it. */
async function copyVulkanLoader(folder: string): Promise<void> {
  const { stdout } = await run('ldconfig', ['-p'], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  const path = /libvulkan\.so\.1 \(libc6,(?:x86-64|AArch64)\) => (.+)/.exec(stdout)?.[1];
  if (path === undefined) return notify('libvulkan.so.1 is not on this machine: the pack goes without');
  await mkdir(join(folder, 'lib'));
  await copyFile(path, join(folder, 'lib', 'libvulkan.so.1'));
}

/** Names of architectures stay; of files the path in the pack. */
async function copyModels(models: readonly string[], folder: string): Promise<string[]> {
  const names: string[] = [];
  for (const model of models) {
    if (!existsSync(model)) {
      // refused here rather than on the other machine
      findArchitecture(model);
      names.push(model);
      continue;
    }
    const name = join('models', basename(model));
    await mkdir(join(folder, 'models'), { recursive: true });
    await copyFile(model, join(folder, name), constants.COPYFILE_EXCL);
    names.push(name);
  }
  return names;
}
