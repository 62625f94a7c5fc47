import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** Where Debian has daemons, which is on root's PATH only. */
export const withDaemons = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

/** Whether all of these commands are installed. */
export function hasCommands(...commands: readonly string[]): boolean {
  return commands.every((each) => spawnSync('which', [each], { env: withDaemons }).status === 0);
}

/** A TCP port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A program that runs until it is stopped. */
export interface Service {
  readonly process: ChildProcess;
  /** By SIGTERM, or the signal; resolves once it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Starts a program that stays, and waits until it is ready.
 * @throws Error with what it said, when it ends before
 */
export async function startService(
  [command, ...args]: readonly [string, ...string[]],
  isReady: () => boolean | Promise<boolean>,
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Service> {
  const child = spawn(command, args, { cwd, env: { ...withDaemons, ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
    });
  }
  let gone = false;
  const ended = once(child, 'exit').finally(() => {
    gone = true;
  });
  ended.catch(() => {});
  while (!(await isReady())) {
    if (gone) throw new Error(`${command} ended: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    process: child,
    async stop(signal = 'SIGTERM') {
      if (!gone) child.kill(signal);
      await ended;
    },
  };
}
