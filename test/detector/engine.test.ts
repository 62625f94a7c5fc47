import { expect, test } from 'vitest';
import { ARCHITECTURES } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { STAGES } from '../../src/detector/compile.ts';
import { DetectorEngine } from '../../src/detector/engine.ts';
import { readSettings } from '../../src/detector/options.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { nodePlatform } from '../../src/node/platform.ts';
import { openGpu } from '../support/gpu.ts';
import { createRng } from '../support/rng.ts';

test('an observer hears of phases and GPU times, and changes no face', async () => {
  const { device } = await openGpu();
  const model = await loadModel(synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 1 }));
  const engine = await DetectorEngine.open(nodePlatform, model, { device });
  const settings = readSettings({ inputSize: [96, 96] }, model);
  const data = createRng(3).bytes(96 * 96 * 3);
  const images = [{ kind: 'pixels', data, width: 96, height: 96, channels: 3 }] as const;
  const plain = await engine.run(images, settings);
  expect(plain[0]!.length).toBeGreaterThan(3);

  const phases: string[] = [];
  expect(await engine.run(images, settings, { onPhaseEnd: (phase) => phases.push(phase) })).toEqual(plain);
  expect(phases).toEqual(['upload', 'encode', 'submit', 'wait', 'readBack']);

  for (const by of ['run', 'stage', 'run'] as const) {
    const times: (readonly number[])[] = [];
    const gpuTimes = { by, report: (ms: readonly number[]) => times.push(ms) };
    expect(await engine.run(images, settings, { gpuTimes })).toEqual(plain);
    expect(times).toHaveLength(1);
    expect(times[0]).toHaveLength(by === 'run' ? 1 : STAGES.length);
    expect(times[0]!.every((ms) => ms >= 0)).toBe(true);
  }
  await engine.dispose();
});

test('every face of a crowd is found, whatever runs at the same time', async () => {
  const { device } = await openGpu();
  const model = await loadModel(synthesizeModel(ARCHITECTURES.scrfd_500m_kps, { seed: 1 }));
  const engine = await DetectorEngine.open(nodePlatform, model, { device, inFlight: 2 });
  // nothing is suppressed: far more faces than are read at once
  const settings = readSettings({ inputSize: [96, 96], scoreThreshold: 0.01, iouThreshold: 1 }, model);
  const pictures = [3, 4, 5].map((seed) => {
    const data = createRng(seed).bytes(96 * 96 * 3);
    return { kind: 'pixels', data, width: 96, height: 96, channels: 3 } as const;
  });
  const alone = [];
  for (const picture of pictures) alone.push((await engine.run([picture], settings))[0]!);
  for (const faces of alone) expect(faces.length).toBeGreaterThan(200);
  expect(alone[0]).not.toEqual(alone[1]);
  const together = await Promise.all(pictures.map((picture) => engine.run([picture], settings)));
  expect(together.map(([faces]) => faces)).toEqual(alone);
  expect(await engine.run(pictures, settings)).toEqual(alone);
  await engine.dispose();
});
