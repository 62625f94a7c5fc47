import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Queue, QueueEvents } from 'bullmq';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { blockWith } from '../support/documents.ts';
import { hasRedis, startRedis } from '../support/redis.ts';
import { kubernetesModels } from '../support/runtimes.ts';
import { hasCommands, startService } from '../support/service.ts';
import { hasSlurm, startSlurm } from '../support/slurm.ts';
import { smallModel } from '../support/small-model.ts';
import { installPacked } from './packed.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'scrfd-machines-'));
const page = 'docs/distributed.md';
const slurmScript = blockWith(page, '#SBATCH');
const merge = blockWith(page, 'cat ');
const manifest: Manifest = parse(blockWith(page, 'kind: Job'));
/** Whether scripts/install-cluster.sh has been here: processes are looked for as Linux shows them. */
const hasParallel = process.platform === 'linux' && hasCommands('parallel');

const PICTURES = 200;
const PARTS = 8;
/** The picture amid its part that takes longest to read: while it is, that part's process is killed. */
const LARGE = 100;
const SIDE = 64;

interface Manifest {
  readonly spec: {
    readonly completions: number;
    readonly parallelism: number;
    readonly template: { readonly spec: { readonly containers: readonly [{ command: string[]; args: string[] }] } };
  };
}

interface Line {
  readonly image: string;
  readonly faces: readonly { readonly score: number }[];
}

/** The page's commands, in the test's folder, on a small input; their results are under the name. */
function inFolder(command: string, name: string): string {
  return command
    .replaceAll(/\/data\/(out|faces)\b/g, (_, which) => join(folder, which === 'out' ? name : `${name}-faces`))
    .replaceAll('/data/', `${folder}/`)
    .replaceAll('scrfd detect', `scrfd detect --size ${SIDE} --score 0.1`);
}

function shell(command: string, env: Readonly<Record<string, string>> = {}) {
  return run('sh', ['-c', command], { cwd: folder, env: { ...process.env, ...env }, timeout: 110_000 });
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

/** The process of `scrfd` that has this argument, without the shells around it. */
function processWith(argument: string): number | undefined {
  const pid = readdirSync('/proc').find((each) => {
    try {
      const [, script, ...args] = readFileSync(`/proc/${each}/cmdline`, 'utf8').split('\0');
      return script!.endsWith('/scrfd') && args.includes(argument);
    } catch {
      return false;
    }
  });
  return pid === undefined ? undefined : Number(pid);
}

/** Kills what works on the part of the large picture, amid its lines; how many lines there were. */
async function killInTheMiddle(name: string): Promise<number> {
  const part = join(folder, name, `faces-${LARGE % PARTS}.ndjson`);
  await expect.poll(() => linesOf(part).length, { timeout: 60_000, interval: 5 }).toBeGreaterThan(8);
  process.kill(processWith(part)!, 'SIGKILL');
  return linesOf(part).length;
}

describe('the recipes for several machines', { timeout: 120_000 }, () => {
  let whole: string[];

  beforeAll(async () => {
    const own = ['webgpu', 'sharp', 'commander', 'cli-progress', 'munkres', 'nanotar', 'tinyglobby', '@zip.js'];
    await installPacked(folder, [...own, 'bullmq', 'ioredis']);
    mkdirSync(join(folder, 'node_modules/.bin'));
    symlinkSync('../scrfd-webgpu/dist/cli/main.js', join(folder, 'node_modules/.bin/scrfd'));
    chmodSync(join(folder, 'node_modules/scrfd-webgpu/dist/cli/main.js'), 0o755);
    for (const name of ['scrfd_2.5g_kps', 'scrfd_2.5g_kps.onnx']) writeFileSync(join(folder, name), smallModel());

    mkdirSync(join(folder, 'photos'));
    const { data, info } = await sharp(`${root}assets/astronaut.png`).raw().toBuffer({ resolveWithObject: true });
    const astronaut = sharp(data, { raw: info });
    for (let i = 0; i < PICTURES; i++) {
      const place = { left: 2 * i, top: 2 * i, width: SIDE, height: SIDE };
      const picture = astronaut.clone().extract(place);
      if (i === LARGE) picture.resize(5000, 5000, { kernel: 'nearest' });
      await picture.png().toFile(join(folder, 'photos', `${String(i).padStart(3, '0')}.png`));
    }
    mkdirSync(join(folder, 'one'));
    await shell(inFolder(blockWith(page, '"$i/$n"'), 'one'), { i: '0', n: '1' });
    whole = linesOf(join(folder, 'one/faces-0.ndjson'));
    expect(whole).toHaveLength(PICTURES);
    expect(whole.filter((line) => (JSON.parse(line) as Line).faces.length > 0).length).toBeGreaterThan(PICTURES / 2);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Merges the parts as the page does, and compares them with what one process found. */
  async function expectWhole(name: string, killedAfter: number): Promise<void> {
    await shell(inFolder(merge, name));
    const merged = linesOf(join(folder, `${name}-faces.ndjson`));
    const each = PICTURES / PARTS;
    console.log(
      `${name}: ${PARTS} parts, one killed after ${killedAfter} of ${each}; merged ${merged.length} pictures`,
    );
    expect(killedAfter).toBeLessThan(each);
    expect(merged.sort()).toEqual([...whole].sort());
  }

  test.skipIf(!hasParallel)('GNU parallel, a worker killed: nothing lost, nothing twice (needs it)', async () => {
    mkdirSync(join(folder, 'parallel'));
    const command = inFolder(blockWith(page, '| parallel'), 'parallel');
    const [killedAfter] = await Promise.all([killInTheMiddle('parallel'), shell(command)]);
    await expectWhole('parallel', killedAfter);
  });

  test.skipIf(!hasSlurm)('Slurm, a worker killed: nothing lost, nothing twice (needs it)', async () => {
    mkdirSync(join(folder, 'slurm'));
    const slurm = await startSlurm();
    onTestFinished(() => slurm.stop());
    writeFileSync(join(folder, 'faces.sh'), inFolder(slurmScript, 'slurm'));
    const { stdout: job } = await shell('sbatch --parsable faces.sh', slurm.env);
    const waiting = async () => (await shell(`squeue --noheader --jobs ${job}`, slurm.env)).stdout;
    const killedAfter = await killInTheMiddle('slurm');
    await expect.poll(waiting, { timeout: 100_000, interval: 200 }).toBe('');
    await expectWhole('slurm', killedAfter);
  });

  test("Kubernetes' container works one part out", async () => {
    mkdirSync(join(folder, 'kubernetes'));
    const { command, args } = manifest.spec.template.spec.containers[0];
    expect(command).toEqual(['sh', '-c']);
    await shell(inFolder(args[0]!, 'kubernetes'), { JOB_COMPLETION_INDEX: '3' });
    const part = linesOf(join(folder, 'kubernetes/faces-3.ndjson'));
    expect(part).toEqual(whole.filter((_, i) => i % PARTS === 3));
    expect([manifest.spec.completions, manifest.spec.parallelism]).toEqual([PARTS, PARTS]);
  });

  test("Kubernetes' manifest fits its published schema, and has no other names (needs that)", async ({ skip }) => {
    if (kubernetesModels === null) return skip();
    symlinkSync(kubernetesModels, join(folder, 'node_modules/kubernetes-models'));
    const validating = `import { Job } from 'kubernetes-models/batch/v1/Job';
      new Job(JSON.parse(process.argv[2])).validate();`;
    writeFileSync(join(folder, 'validate.mjs'), validating);
    const validate = (job: object) => run(process.execPath, ['validate.mjs', JSON.stringify(job)], { cwd: folder });
    await validate(manifest);
    await expect(validate({ ...manifest, spec: { ...manifest.spec, completions: 'all' } })).rejects.toThrow(
      /completions/,
    );
    // schemas pass over what they do not know, types do not
    const literal = JSON.stringify(manifest);
    const program = `import type { IJob } from 'kubernetes-models/batch/v1/Job';
      export const job: IJob = ${literal};
      // @ts-expect-error misspelt
      export const other: IJob = ${literal.replace('completionMode', 'completionsMode')};`;
    writeFileSync(join(folder, 'job.mts'), program);
    const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--ignoreConfig', '--types', ''];
    const tsc = run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, ...options, 'job.mts'], {
      cwd: folder,
    });
    expect((await tsc.catch((error: { stdout: string }) => error)).stdout).toBe('');
  });

  test.skipIf(!hasRedis)('a queue, a worker killed: nothing lost, nothing twice (needs Redis)', async () => {
    const redis = await startRedis(folder);
    onTestFinished(() => redis.stop());
    const detecting = blockWith('docs/queue.md', 'new Worker')
      .replace('warmUp: true', `warmUp: true, inputSize: [${SIDE}, ${SIDE}], scoreThreshold: 0.1`)
      // what a dead worker had is looked for sooner
      .replaceAll('30_000', '2_000');
    writeFileSync(join(folder, 'worker.mjs'), detecting);
    writeFileSync(join(folder, 'faces.mjs'), blockWith('docs/queue.md', 'new Queue'));

    const connection = { url: redis.url };
    const queue = new Queue('pictures', { connection });
    onTestFinished(() => queue.close());
    const events = new QueueEvents('pictures', { connection });
    onTestFinished(() => events.close());
    const givenUp = new Set<string>();
    events.on('stalled', ({ jobId }) => givenUp.add(jobId));

    const env = { REDIS_URL: redis.url };
    let workers = 0;
    const startWorker = () => {
      const wanted = ++workers;
      return startService([process.execPath, 'worker.mjs'], async () => (await queue.getWorkersCount()) >= wanted, {
        cwd: folder,
        env,
      });
    };
    const [doomed, other] = [await startWorker(), await startWorker()];
    onTestFinished(() => doomed.stop('SIGKILL'));
    onTestFinished(() => other.stop('SIGKILL'));

    const faces = spawn(process.execPath, ['faces.mjs'], { cwd: folder, env: { ...process.env, ...env } });
    const images = whole.map((line) => (JSON.parse(line) as Line).image);
    faces.stdin.end(`${images.join('\n')}\n`);
    let out = '';
    faces.stdout.on('data', (chunk) => {
      out += chunk;
    });
    const ended = once(faces, 'exit');
    await expect.poll(() => queue.getCompletedCount(), { timeout: 60_000, interval: 5 }).toBeGreaterThan(20);
    await doomed.stop('SIGKILL');
    const before = await queue.getCompletedCount();
    expect((await ended)[0]).toBe(0);

    const found = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    console.log(
      `queue: one of 2 workers killed after ${before} pictures, with ${givenUp.size} of them; got ${found.length}`,
    );
    expect(before).toBeLessThan(PICTURES);
    expect(givenUp.size).toBeGreaterThan(0);
    expect(found).toEqual(whole.map((line) => JSON.parse(line)).map(({ image, faces }: Line) => ({ image, faces })));
    await other.stop();
    expect(other.process.exitCode).toBe(0);
  });
});
