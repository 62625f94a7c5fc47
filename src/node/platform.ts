import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DeviceError, ModelError } from '../common/errors.ts';
import type { OpenedImage } from '../common/image.ts';
import { DownloadError, downloadBytes } from '../models/download.ts';
import { findModel } from '../models/registry.ts';
import type { LoadOptions, ModelSource, Platform } from '../runtime/platform.ts';
import { asUrl, describeSource, readSource } from './files.ts';
import { readImage } from './images.ts';
import { resolveModel } from './models/resolve.ts';
import { fileKeepsakes } from './tuning-store.ts';

// One Dawn instance per process, never collected: a collected one crashes or hangs while its devices live (webgpu 0.6.2).
let instance: Promise<GPU> | undefined;

/** Short enough for whatever else the process does. */
const NAP_MS = 1;
/** Nothing wakes it. */
const napping = new Int32Array(new SharedArrayBuffer(4));

/** Node: WebGPU by Dawn (the package `webgpu`), files by fs, pictures by sharp. */
export const nodePlatform: Platform = {
  async yieldCore() {
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(napping, 0, 0, NAP_MS);
  },
  tuningStore: fileKeepsakes(notify),
  async requestAdapter() {
    const gpu = await loadGpu();
    // Dawn prints two "artificially reduced" warnings here from native code; no option of webgpu 0.6.2 silences them.
    return gpu.requestAdapter({ powerPreference: 'high-performance' });
  },
  adapterHelp: () => adapterHelp(process.platform, process.platform === 'linux' ? readOsRelease() : ''),
  readModel,
  openImage,
  openFrames: async () => null,
};

/** The process's one GPU object. @throws DeviceError when the package `webgpu` is missing or does not load */
export function loadGpu(): Promise<GPU> {
  instance ??= createDawn();
  return instance;
}

async function createDawn(): Promise<GPU> {
  try {
    const { create } = await import('webgpu');
    return create([]);
  } catch (error) {
    instance = undefined;
    const missing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    throw new DeviceError(
      missing ? 'no-adapter' : 'driver',
      missing
        ? 'WebGPU in Node needs the package webgpu: npm install webgpu'
        : `The package webgpu does not load on ${process.platform}-${process.arch}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

async function readModel(source: string | URL, { signal, onProgress }: LoadOptions): Promise<ModelSource> {
  const file = isModelName(source)
    ? await resolveModel(source, { onNotice: notify, ...(signal && { signal }), ...(onProgress && { onProgress }) })
    : source;
  const url = asUrl(file);
  const bytes = url?.protocol.startsWith('http')
    ? await downloadModel(url, { signal, onProgress })
    : await readSource(file, signal, ModelError);
  return { bytes, readExternal: (location) => readSource(besideModel(file, location), signal, ModelError) };
}

async function downloadModel(url: URL, options: LoadOptions): Promise<Uint8Array> {
  try {
    return await downloadBytes(url.href, options);
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    throw new ModelError(`${describeSource(url)}: ${error.message}`, { cause: error });
  }
}

async function openImage(source: unknown, signal: AbortSignal | undefined): Promise<OpenedImage> {
  const encoded = source instanceof Blob ? await source.arrayBuffer() : source;
  return { kind: 'pixels', ...(await readImage(encoded as string | URL | Uint8Array | ArrayBuffer, signal)) };
}

/** A file comes before a model of its name; a bare word without an extension can only be meant as a name. */
function isModelName(source: string | URL): source is string {
  if (typeof source !== 'string' || asUrl(source) !== undefined || isFile(source)) return false;
  return findModel(source) !== undefined || (/^[\w.-]+$/.test(source) && !/\.[a-z]\w*$/i.test(source));
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function notify(notice: string): void {
  process.stderr.write(`scrfd: ${notice}\n`);
}

/** `location` is a relative path that stays in the folder: the loader has checked it. */
function besideModel(model: string | URL, location: string): string | URL {
  const url = asUrl(model);
  if (url === undefined) return join(dirname(String(model)), location);
  return new URL(location.split('/').map(encodeURIComponent).join('/'), url);
}

/** How to get a WebGPU adapter on `platform`, given Linux's /etc/os-release. */
export function adapterHelp(platform: NodeJS.Platform, osRelease: string): string {
  if (platform === 'darwin') return 'WebGPU needs Metal: update macOS (13 or newer).';
  if (platform === 'win32') return 'WebGPU needs Direct3D 12 or Vulkan: update Windows and the graphics driver.';
  if (platform !== 'linux') return `WebGPU in Node runs on Linux, macOS and Windows, not on ${platform}.`;
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';
  const ids = [field('ID'), ...field('ID_LIKE').split(' ')];
  if (!ids.some((id) => id === 'debian' || id === 'ubuntu')) {
    return "WebGPU on Linux needs a Vulkan driver: install the graphics card's, or mesa-vulkan-drivers (Mesa 23 or newer) for the CPU.";
  }
  const suite = field('ID') === 'debian' && field('VERSION_ID') === '12' ? 'bookworm-backports' : undefined;
  return [
    "WebGPU on Linux needs a Vulkan driver: the graphics card's, or Mesa's for the CPU.",
    suite && `Debian 12's own Mesa 22.3 is too old for WebGPU; ${suite} has a new one.`,
    `Run apt-get install ${suite ? `-t ${suite} ` : ''}mesa-vulkan-drivers libvulkan1 as root, or scripts/install-software-vulkan.sh of the scrfd-webgpu repository.`,
  ]
    .filter(Boolean)
    .join(' ');
}

function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
