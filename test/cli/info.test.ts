import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { addInfo } from '../../src/cli/commands/info.ts';
import { node } from '../graph/models.ts';
import { buildModel, type ModelSpec } from '../support/onnx-builder.ts';
import { SMALL_ARCHITECTURE } from '../support/small-model.ts';
import { runCli } from './run-cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scrfd-info-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

/** Runs the command in this process; what it prints on stdout. */
async function info(bytes: Uint8Array, ...args: string[]): Promise<string> {
  const path = await fileOf('model.onnx', bytes);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const program = new Command('scrfd');
  addInfo(program);
  await program.parseAsync(['info', '--model', path, ...args], { from: 'user' });
  const text = write.mock.calls.map(([part]) => String(part)).join('');
  write.mockRestore();
  return text;
}

const UNKNOWN: ModelSpec = {
  inputs: [{ name: 'x', dims: [1, 3, 32, 32] }],
  outputs: ['y', 'z'],
  nodes: [node('a = Fourier(x)'), node('y = Wavelet(a)'), node('b = Fourier(y)'), node('z = Lattice(b)')],
};

test('a file with three missing operators names the three and exits with 0', async () => {
  const path = await fileOf('unknown.onnx', buildModel(UNKNOWN));
  const { code, stdout, stderr } = await runCli(['info', '--model', path]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^input +x float32 1×3×32×32$/m);
  expect(stdout).toMatch(/^output +y float32 /m);
  expect(stdout).toMatch(/^detector +none of SCRFD or RetinaFace$/m);
  expect(stdout).toMatch(/^runs +no: .*Fourier.* has no mapping/m);
  expect(stdout).toMatch(/^missing +Fourier 2, Wavelet 1, Lattice 1$/m);
});

test('its JSON says the same', async () => {
  expect(JSON.parse(await info(buildModel(UNKNOWN), '--json'))).toMatchObject({
    ...{ runs: false, missing: { Fourier: 2, Wavelet: 1, Lattice: 1 }, detector: null, identity: null },
    ...{ macs: null, steps: null, memory: null, reason: expect.stringContaining('has no mapping') },
    outputs: [{ name: 'y', type: 'float32' }, { name: 'z' }],
  });
});

test('a network that is no detector, of any input', async () => {
  const inputs = [{ name: 'x', dims: [1, 1, 24, 48] }];
  const bytes = buildModel({ inputs, outputs: ['y'], nodes: [node('y = Flatten(x)')] });
  expect(JSON.parse(await info(bytes, '--json'))).toMatchObject({
    ...{ runs: true, reason: null, missing: {}, detector: null, macs: 0 },
    ...{ inputs: [{ name: 'x', dims: [1, 1, 24, 48] }], outputs: [{ name: 'y', computed: [1, 1152] }] },
  });
  const both = ['a', 'b'].map((name) => ({ name, dims: [2, 3] }));
  const sum = buildModel({ inputs: both, outputs: ['y'], nodes: [node('y = Add(a, b)')] });
  expect(JSON.parse(await info(sum, '--json'))).toMatchObject({
    runs: true,
    outputs: [{ name: 'y', computed: [2, 3] }],
  });
  const vector = buildModel({
    inputs: [{ name: 'x', dims: ['n', 512] }],
    outputs: ['y'],
    nodes: [node('y = Relu(x)')],
  });
  expect(await info(vector)).toMatch(/^input +x float32 n×512$/m);
});

test('a size that the strides do not tile is rounded up, and says so', async () => {
  const bytes = synthesizeModel(SMALL_ARCHITECTURE, { heads: { points: 4, anchors: 1, strides: [8, 16, 32, 64] } });
  const text = await info(bytes, '--size', '641x333');
  expect(text).toMatch(/^size +704×384, which 641×333 is rounded up to$/m);
  expect(text).toMatch(/^detector +SCRFD, strides 8, 16, 32, 64$/m);
  expect(text).toMatch(/^anchors +1 a cell$/m);
  expect(text).toMatch(/^keypoints +4$/m);
  expect(text).toMatch(/^steps +\d+ for the network, \d+ from pixels to faces$/m);
  expect(JSON.parse(await info(bytes, '--size', '641x333', '--json'))).toMatchObject({
    ...{ size: [704, 384], asked: [641, 333], detector: { keypoints: 4, anchors: 1 } },
  });
});

test('the published figures stand beside those counted, with what explains the difference', async () => {
  const text = await info(synthesizeModel(ARCHITECTURES.scrfd_500m));
  expect(text).toMatch(/^published +0\.57 M parameters, 0\.508 GFLOPs at 640×480$/m);
  expect(text).toMatch(
    /^counted +0\.573 M parameters, 0\.478 GMAC of convolutions at 640×480, 0\.509 with biases, BatchNorm, ReLU and pools, which the table counts, too$/m,
  );
  expect(text).toMatch(/^difference +of GFLOPs: the table counts biases, /m);
  expect(text).not.toMatch(/^runs|^missing/m);
});
