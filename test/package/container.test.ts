import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDetector, type Face, findModel } from '../../src/index.node.ts';
import { expectSameFaces } from '../support/compare.ts';
import { hasPodman, podman, startContainer } from '../support/container.ts';
import { dataDir, imageNamed, modelNamed } from '../support/data.ts';
import { blockWith } from '../support/documents.ts';
import { type Internet, npmRegistry, serveInternet } from '../support/internet.ts';
import { freePort, type Service } from '../support/service.ts';
import { installPacked } from './packed.ts';

const manifest = fileURLToPath(new URL('../../package.json', import.meta.url));
/** The published model whose very file SCRFD_DATA has: a download is checked by its SHA-256. */
const MODEL = 'scrfd_500m_kps';
const NAME = 'scrfd-server';
const BASE = `${NAME}-base`;

function recipe(words: string): string {
  return blockWith('docs/server.md', words).replaceAll('scrfd_2.5g_kps', MODEL);
}

describe.skipIf(!hasPodman || !dataDir)('the container (needs scripts/install-container.sh, root, SCRFD_DATA)', () => {
  let folder: string;
  let internet: Internet;
  let origin: string;
  let container: Service;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'scrfd-container-'));
    const tarball = await installPacked(folder, []);
    const model = readFileSync(modelNamed('det_500m.onnx'));
    internet = await serveInternet(folder, {
      'registry.npmjs.org': await npmRegistry(tarball, JSON.parse(readFileSync(manifest, 'utf8'))),
      'github.com': async () => undefined,
      'huggingface.co': async () => new Response(model),
    });
    const certificate = basename(internet.certificate);
    const base = `FROM node:22-trixie-slim\nCOPY ${certificate} /\nENV NODE_EXTRA_CA_CERTS=/${certificate}\n`;
    writeFileSync(join(folder, 'base'), base);
    writeFileSync(join(folder, 'Dockerfile'), recipe('FROM '));
    writeFileSync(join(folder, 'server.mjs'), recipe('createServer'));
    const build = ['build', '--pull=never', '--layers=false'];
    await podman(...build, `--tag=${BASE}`, `--file=${join(folder, 'base')}`, folder);
    const hosts = internet.names.map((name) => `--add-host=${name}:${internet.address}`);
    await podman(...build, `--tag=${NAME}`, `--from=${BASE}`, ...hosts, folder);

    const port = await freePort();
    origin = `http://localhost:${port}`;
    const isHealthy = async () => (await fetch(`${origin}/health`).catch(() => null))?.ok === true;
    // what it needs is in it
    const options = [`--name=${NAME}`, `--env=PORT=${port}`, '--env=SCRFD_OFFLINE=1'];
    container = await startContainer(NAME, options, isHealthy);
  }, 600_000);

  afterAll(async () => {
    await internet?.close();
    await podman('rm', '--force', '--ignore', '--time=0', NAME);
    await podman('rmi', '--force', '--ignore', NAME, BASE);
    rmSync(folder, { recursive: true });
  }, 60_000);

  test('is built from npm, and from the source of the model that answers', () => {
    const paths = new Set(internet.requests);
    for (const name of ['scrfd-webgpu', 'webgpu', 'sharp']) expect(paths).toContain(`registry.npmjs.org/${name}`);
    const sources = findModel(MODEL)!.sources.flatMap((source) => (source.kind === 'npm' ? [] : [new URL(source.url)]));
    const tried = sources.map(({ host, pathname }) => host + pathname).filter((path) => paths.has(path));
    expect(tried.map((path) => path.split('/')[0])).toEqual(['github.com', 'github.com', 'huggingface.co']);
  });

  test('finds the faces that this process finds', async () => {
    const body = readFileSync(imageNamed('insightface_t1.jpg'));
    const response = await fetch(`${origin}/faces`, { method: 'POST', body });
    const { faces } = (await response.json()) as { faces: Face[] };
    await using detector = await createDetector(modelNamed('det_500m.onnx'));
    expect(faces).toHaveLength(6);
    expectSameFaces(faces, await detector.detect(body));
  });

  test('has a software driver, and a user of few rights', async () => {
    expect(await podman('exec', NAME, 'npx', 'scrfd', 'doctor')).toMatch(/llvmpipe[\s\S]*Face detection works here/);
    expect(await podman('exec', NAME, 'sh', '-c', 'whoami; touch /app/x || echo refused')).toBe('node\nrefused\n');
  });

  test('ends in order, as the first process that it is', async () => {
    await container.stop();
    expect(container.process.exitCode).toBe(0);
  });
});
