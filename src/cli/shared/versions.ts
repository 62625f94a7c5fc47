import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

interface PackageJson {
  readonly version: string;
  readonly engines?: { readonly node?: string };
}

/** The package.json of the package that this file belongs to. */
export function readOwnPackage(): PackageJson {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as PackageJson;
}

/** Version of an installed package; null when it hides its package.json. */
export function readDependency(name: string): string | null {
  try {
    const require = createRequire(import.meta.url);
    let folder = dirname(require.resolve(name));
    while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
    return (require(join(folder, 'package.json')) as PackageJson).version;
  } catch {
    return null;
  }
}

/** Whether a version is in a range such as `>=20.10`. */
export function atLeast(version: string, range: string): boolean {
  const parse = (text: string) => (text.match(/\d+/g) ?? []).map(Number);
  const [have, need] = [parse(version), parse(range)];
  const i = need.findIndex((part, at) => part !== (have[at] ?? 0));
  return i < 0 || (have[i] ?? 0) > need[i]!;
}
