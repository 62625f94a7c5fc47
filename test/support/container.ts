import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasCommands, type Service, startService } from './service.ts';

const home = fileURLToPath(new URL('../../.recipes/container/', import.meta.url));
const images = { CONTAINERS_CONF: `${home}containers.conf`, CONTAINERS_STORAGE_CONF: `${home}storage.conf` };

/** Whether scripts/install-container.sh has been here, and this is root. */
export const hasPodman = existsSync(`${home}installed`) && hasCommands('podman', 'openssl') && process.getuid?.() === 0;

/** Podman, on the images that the script has made; what it says. @throws Error with all that it said */
export async function podman(...args: readonly string[]): Promise<string> {
  const result = promisify(execFile)('podman', args, { env: { ...process.env, ...images }, maxBuffer: 2 ** 26 });
  const { stdout } = await result.catch((error: Error & { stdout: string }) => {
    throw new Error(`${error.message}\n${error.stdout}`);
  });
  return stdout;
}

/** Starts a container, on this machine's network, and waits until it is ready; signals go to its first process, whose exit code is its own. */
export function startContainer(
  image: string,
  options: readonly string[],
  isReady: () => boolean | Promise<boolean>,
): Promise<Service> {
  return startService(['podman', 'run', '--rm', '--replace', ...options, image], isReady, { cwd: home, env: images });
}
