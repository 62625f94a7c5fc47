import { spawnSync } from 'node:child_process';
import { freePort, hasCommands, startService } from './service.ts';

/** Whether scripts/install-cluster.sh has been here. */
export const hasRedis = hasCommands('redis-server', 'redis-cli');

/** A Redis server of its own, in memory; its address. */
export async function startRedis(folder: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const port = String(await freePort());
  const answers = () => String(spawnSync('redis-cli', ['-p', port, 'ping']).stdout).startsWith('PONG');
  const options = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
  const { stop } = await startService(['redis-server', ...options], answers, { cwd: folder });
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop() };
}
