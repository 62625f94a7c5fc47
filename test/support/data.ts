import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe } from 'vitest';

/** Folder of real models and pictures, from the environment variable SCRFD_DATA; undefined where there is none. */
export const dataDir: string | undefined = process.env.SCRFD_DATA ? resolve(process.env.SCRFD_DATA) : undefined;

/** A suite that is skipped without SCRFD_DATA, and whose title says so. */
export function withData(title: string, suite: () => void): void {
  describe.skipIf(!dataDir)(`${title} (needs SCRFD_DATA)`, suite);
}

/** Absolute paths of the .onnx files, sorted; none without SCRFD_DATA. */
export function modelFiles(): string[] {
  return listFiles('models').filter((path) => path.endsWith('.onnx'));
}

/** Absolute paths of the pictures, sorted; none without SCRFD_DATA. */
export function imageFiles(): string[] {
  return listFiles('images');
}

function listFiles(folder: string): string[] {
  if (!dataDir) return [];
  const path = join(dataDir, folder);
  return readdirSync(path)
    .sort()
    .map((name) => join(path, name));
}

/** One model's absolute path. */
export function modelNamed(name: string): string {
  return pathNamed('models', name);
}

/** One picture's absolute path. */
export function imageNamed(name: string): string {
  return pathNamed('images', name);
}

function pathNamed(folder: string, name: string): string {
  if (!dataDir) throw new Error(`${name} needs SCRFD_DATA`);
  return join(dataDir, folder, name);
}
