import { readFileSync } from 'node:fs';

/** How to get a WebGPU adapter on a platform, this machine's unless given, with Linux's /etc/os-release. */
export function adapterHelp(platform = process.platform, osRelease = readOsRelease()): string {
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

/** Empty where the file is not there. */
function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
