import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort, hasCommands, type Service, startService, withDaemons } from './service.ts';

/** Whether scripts/install-cluster.sh has been here. */
export const hasSlurm = hasCommands('munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue');

export interface Slurm {
  /** What commands like `sbatch` need to find it. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Slurm on one node, this machine, with two processors and two GPUs that are none; all it writes is in a folder that goes with it. */
export async function startSlurm(): Promise<Slurm> {
  const folder = mkdtempSync(join(tmpdir(), 'scrfd-slurm-'));
  const at = (name: string) => join(folder, name);
  for (const name of ['state', 'spool']) mkdirSync(at(name));
  // munged wants its socket where everyone could reach it, and a key of its user's alone
  chmodSync(folder, 0o755);
  writeFileSync(at('munged.key'), randomBytes(1024), { mode: 0o600 });
  const host = hostname().split('.')[0]!;
  const user = userInfo().username;
  writeFileSync(
    at('slurm.conf'),
    `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${await freePort()}
SlurmdPort=${await freePort()}
SlurmUser=${user}
SlurmdUser=${user}
AuthType=auth/munge
AuthInfo=socket=${at('munge.socket')}
StateSaveLocation=${at('state')}
SlurmdSpoolDir=${at('spool')}
SlurmctldPidFile=${at('slurmctld.pid')}
SlurmdPidFile=${at('slurmd.pid')}
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
SchedulerType=sched/builtin
# starts what waits once a second, not every few
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=1000
SlurmdParameters=config_overrides
NodeName=${host} NodeAddr=127.0.0.1 CPUs=2 Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
`,
  );
  // from version 24 on Slurm wants cgroups otherwise, which containers lack; before, it knows no such word
  const version = String(spawnSync('slurmd', ['-V'], { env: withDaemons }).stdout);
  if (Number(/\d+/.exec(version)) >= 24) writeFileSync(at('cgroup.conf'), 'CgroupPlugin=disabled\n');
  // devices that every container has
  const gpus = ['/dev/null', '/dev/zero'].map((device) => `NodeName=${host} Name=gpu File=${device}\n`);
  writeFileSync(at('gres.conf'), gpus.join(''));

  const env = { SLURM_CONF: at('slurm.conf') };
  const started: Service[] = [];
  const stop = async () => {
    for (const service of started.splice(0).reverse()) await service.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const start = async (command: readonly [string, ...string[]], isReady: () => boolean) => {
    started.push(await startService(command, isReady, { cwd: folder, env }));
  };
  const says = (command: string, args: readonly string[], words: string) =>
    String(spawnSync(command, args, { env: { ...withDaemons, ...env } }).stdout).includes(words);
  const files = ['key', 'pid', 'log', 'seed'].map((kind) => `--${kind}-file=${at(`munged.${kind}`)}`);
  try {
    const socket = at('munge.socket');
    await start(['munged', '--foreground', `--socket=${socket}`, ...files], () => existsSync(socket));
    await start(['slurmctld', '-D', '-i'], () => says('scontrol', ['ping'], 'UP'));
    await start(['slurmd', '-D', '-N', host], () => says('sinfo', ['--noheader'], 'idle'));
  } catch (error) {
    await stop();
    throw error;
  }
  return { env, stop };
}
