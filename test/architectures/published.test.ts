import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type ConvShape, countLayers, walkConvs } from '../../src/architectures/layers.ts';
import { ARCHITECTURES, findArchitecture, type PublishedArchitecture } from '../../src/architectures/published.ts';
import { synthesizeModel } from '../../src/architectures/synthesize.ts';
import { countWork } from '../../src/graph/count-work.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import { modelNamed, withData } from '../support/data.ts';

const MEMBERS = Object.entries<PublishedArchitecture>(ARCHITECTURES);
const PUBLISHED = MEMBERS.flatMap(([name, { published }]) => (published ? [[name, published] as const] : []));

const offBy = (actual: number, expected: number) => Math.abs(actual / expected - 1);

describe('the published figures', () => {
  it.each(PUBLISHED)('%s are met within 2 %, or the table says why not', (name, { parameters, gmacs, off }) => {
    const work = countLayers(findArchitecture(name));
    expect(offBy(work.parameters / 1e6, parameters) > 0.02, 'parameters').toBe(off?.parameters !== undefined);
    expect(offBy(work.macs / 1e9, gmacs) > 0.02, 'GMACs').toBe(off?.gmacs !== undefined);
  });

  it.each(PUBLISHED.filter(([name]) => !/kps|resnet_34g/.test(name)))(
    '%s are met within 2 % where operations are counted as published',
    (name, { gmacs }) => {
      expect(offBy(countLayers(findArchitecture(name)).publishedMacs / 1e9, gmacs)).toBeLessThan(0.02);
    },
  );

  it('of resnet_34g are of two networks: parameters of the configuration, operations of one with another stem and strides', () => {
    const { parameters, publishedMacs } = countLayers(ARCHITECTURES.resnet_34g);
    expect((parameters / 1e6).toFixed(2)).toBe('24.81');
    // what a convolution with BatchNorm and ReLU costs, as the tables count
    const cost = (channels: number, weights: number, stride: number) =>
      ((weights + 3) * channels * 640 * 480) / stride ** 2;
    const deepStem = cost(32, 27, 2) + cost(32, 288, 2) + cost(64, 288, 2);
    const stem = deepStem - cost(64, 147, 2);
    // where the stride is in the first convolution of a block, that one gives a quarter
    const firsts = [2, 3, 4].map((stage) => 0.75 * cost(32 * 2 ** stage, 64 * 2 ** stage, 2 ** stage));
    const strides = firsts.reduce((sum, saved) => sum + saved, 0);
    const giga = (saved: number) => ((publishedMacs - saved) / 1e9).toFixed(2);
    expect([giga(0), giga(strides), giga(stem), giga(strides + stem)]).toEqual(['37.07', '35.64', '35.59', '34.16']);
    const weights = (channels: number, count: number) => channels * (count + 2);
    const fewer = weights(32, 27) + weights(32, 288) + weights(64, 288) - weights(64, 147);
    expect(((parameters - fewer) / 1e6).toFixed(3)).toBe('24.795');
  });

  it.each(['scrfd_500m', 'scrfd_1g', 'scrfd_2.5g', 'scrfd_2.5g_kps'])('%s: `scrfd info` counts them', async (name) => {
    const member = findArchitecture(name);
    const model = await loadModel(synthesizeModel(member));
    const { macs, parameters } = countWork(model, [1, 3, 480, 640]);
    expect(macs).toBe(countLayers(member).macs);
    expect(offBy(parameters / 1e6, member.published!.parameters)).toBeLessThan(0.02);
  });
});

describe('walkConvs', () => {
  it('tells the size of the map that each convolution reads', () => {
    const convs = walkConvs(ARCHITECTURES.scrfd_500m, 640, 480);
    expect(convs[0]).toEqual({ weight: [16, 3, 3, 3], groups: 1, stride: 2, size: [640, 480], relu: true });
    expect(convs[1]).toEqual({ weight: [16, 1, 3, 3], groups: 16, stride: 1, size: [320, 240], relu: true });
    expect(convs.at(-1)!.size).toEqual([20, 15]);
  });
});

describe('findArchitecture', () => {
  it('takes names with and without scrfd_', () => {
    expect(findArchitecture('2.5g_kps')).toBe(ARCHITECTURES['scrfd_2.5g_kps']);
    expect(findArchitecture('scrfd_34g')).toBe(ARCHITECTURES.scrfd_34g);
    expect(findArchitecture('resnet_10g')).toBe(ARCHITECTURES.resnet_10g);
  });

  it('lists the names for another', () => {
    expect(() => findArchitecture('toString')).toThrow(/^model: expected one of scrfd_500m, .*, got "toString"$/);
  });
});

type StoredConv = Pick<ConvShape, 'weight' | 'groups' | 'stride'>;

async function readConvs(bytes: Uint8Array): Promise<StoredConv[]> {
  const model = await loadModel(bytes);
  return model.nodes
    .filter(({ op }) => op === 'Conv')
    .map(({ inputs, attributes }) => {
      const weight = model.initializers.get(inputs[1]!)!.dims as ConvShape['weight'];
      return { weight, groups: attributes.int('group', 1), stride: attributes.ints('strides', [1, 1])[0]! };
    });
}

withData('the layers of real files', () => {
  it.each([
    ['scrfd_500m', 'scrfd_500m'],
    ['scrfd_500m_kps', 'scrfd_500m_kps'],
    ['scrfd_500m_kps', 'det_500m'],
    ['scrfd_1g', 'scrfd_1g'],
    ['scrfd_2.5g', 'scrfd_2.5g'],
    ['scrfd_2.5g_kps', 'scrfd_2.5g_kps'],
  ])('%s has the convolutions of %s.onnx, in its order', async (name, file) => {
    const real = await readConvs(await readFile(modelNamed(`${file}.onnx`)));
    const walked = walkConvs(findArchitecture(name));
    expect(walked.map(({ weight, groups, stride }): StoredConv => ({ weight, groups, stride }))).toEqual(real);
    expect(await readConvs(synthesizeModel(findArchitecture(name)))).toEqual(real);
  });

  it.each(['scrfd_500m', 'scrfd_1g', 'scrfd_2.5g', 'scrfd_2.5g_kps'])('%s has their other operators', async (name) => {
    const computing = /^(Relu|Add|Mul|MaxPool|AveragePool|Resize|Transpose|Sigmoid|InstanceNormalization)$/;
    const ops = async (bytes: Uint8Array) =>
      (await loadModel(bytes)).nodes.map(({ op }) => op).filter((op) => computing.test(op));
    const real = await ops(await readFile(modelNamed(`${name}.onnx`)));
    expect((await ops(synthesizeModel(findArchitecture(name)))).sort()).toEqual(real.sort());
  });
});
