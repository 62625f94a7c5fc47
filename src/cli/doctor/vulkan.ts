import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface VulkanReport {
  /** Manifests of drivers that the Vulkan loader reads. */
  readonly drivers: readonly string[];
  /** The environment variable that replaces the loader's own search, if one is set. */
  readonly override: { readonly name: string; readonly value: string } | null;
}

/** What Linux's Vulkan loader will read, given the environment and the user's folder. */
export function readVulkan(env: Readonly<NodeJS.ProcessEnv>, home: string): VulkanReport {
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) {
    const value = env[name];
    if (value) return { drivers: value.split(delimiter).flatMap(listManifests), override: { name, value } };
  }
  const roots = [
    env.XDG_CONFIG_HOME || join(home, '.config'),
    ...(env.XDG_CONFIG_DIRS || '/etc/xdg').split(delimiter),
    '/etc',
    env.XDG_DATA_HOME || join(home, '.local', 'share'),
    ...(env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(delimiter),
  ];
  const drivers = roots.flatMap((root) => listManifests(join(root, 'vulkan', 'icd.d')));
  return { drivers: [...new Set(drivers)], override: null };
}

/** The driver manifests that a path names: itself, or what its folder holds. */
function listManifests(path: string): string[] {
  try {
    return readdirSync(path)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(path, name));
  } catch {
    return existsSync(path) ? [path] : [];
  }
}
