import { describe, expect, it } from 'vitest';
import { headLayoutOf } from '../../src/architectures/head-layout.ts';
import { ModelError } from '../../src/common/errors.ts';
import type { Dims } from '../../src/common/tensor.ts';
import { compileDetector, optimizeDetector } from '../../src/detector/compile.ts';
import { type DetectorGraph, extractScrfdHeads } from '../../src/detector/scrfd-heads.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { printGraph } from '../../src/graph/print.ts';
import { modelOf, node, type ScrfdOptions, scrfdModel, scrfdSpec } from '../graph/models.ts';
import { int, ints, type ModelSpec, type NodeSpec } from '../support/onnx-builder.ts';

const LAYOUTS = ['rows', 'interleaved', 'maps'] as const;

function lines(peeled: DetectorGraph): string[] {
  return printGraph(peeled.graph).split('\n').slice(1, -2);
}

async function peelSpec({ nodes, ...spec }: ModelSpec, dims: Dims = [1, 3, 64, 64]): Promise<DetectorGraph> {
  const model = await modelOf(nodes, spec as object);
  return optimizeDetector(buildGraph(model, dims));
}

const peel = (options: ScrfdOptions, dims?: Dims) => peelSpec(scrfdSpec(options), dims);

/** A spec with some of its nodes replaced, by the name of their output. */
function edit(spec: ModelSpec, changes: Readonly<Record<string, readonly NodeSpec[]>>): ModelSpec {
  return { ...spec, nodes: spec.nodes.flatMap((old) => changes[old.outputs[0]!] ?? [old]) };
}

describe('extractScrfdHeads', () => {
  //     Conv → Transpose → Reshape → Sigmoid → score ┐
  //     Conv → Mul → Transpose → Reshape → box       ┤    becomes    Conv → head of [scores | boxes | keypoints]
  //     Conv → Transpose → Reshape → keypoints       ┘
  it.each(LAYOUTS)('leaves one convolution a stride, layout %s', async (layout) => {
    const peeled = await peel({ layout });
    const head = (stride: number, input: string) =>
      `:head ${stride}: 1×30×${64 / stride}×${64 / stride} = Conv(${input}, :head ${stride}:weight, :head ${stride}:bias) 1×1 /1,1 pad 0,0,0,0`;
    expect(lines(peeled)).toEqual([
      'r8: 1×6×8×8 = Conv(x, w8) 2×2 /8,8 pad 0,0,0,0, relu',
      'r16: 1×6×4×4 = Conv(r8, w16) 2×2 /2,2 pad 0,0,0,0, relu',
      'r32: 1×6×2×2 = Conv(r16, w32) 2×2 /2,2 pad 0,0,0,0, relu',
      'p8: 1×6×8×8 = Conv(r8, r16, one) 1×1 /1,1 pad 0,0,0,0, residual ×2',
      head(8, 'p8'),
      head(16, 'r16'),
      head(32, 'r32'),
    ]);
    expect(peeled.graph.outputs).toEqual([':head 8', ':head 16', ':head 32']);
    expect(peeled.heads).toEqual({
      decoder: 'scrfd',
      batch: 1,
      anchors: 2,
      keypoints: true,
      levels: [8, 16, 32].map((stride) => ({ stride, width: 64 / stride, height: 64 / stride })),
    });
  });

  it.each([
    [6, 3, 2, false],
    [9, 3, 2, true],
    [10, 5, 1, false],
    [15, 5, 1, true],
  ] as const)('reads %i outputs as %i levels of %i anchors', async (outputs, levels, anchors, keypoints) => {
    for (const layout of LAYOUTS) {
      const { graph, heads } = await peel({ outputs, layout }, [2, 3, 128, 256]);
      expect(heads).toMatchObject({ batch: 2, anchors, keypoints });
      expect(heads.levels.map(({ stride, width, height }) => [stride, width * stride, height * stride])).toEqual(
        Array.from({ length: levels }, (_, i) => [8 << i, 256, 128]),
      );
      expect(graph.outputs.map((name) => graph.dims.get(name)?.[1])).toEqual(
        new Array(levels).fill(anchors * (keypoints ? 15 : 5)),
      );
    }
  });

  it('gives the same weights whatever the layout', async () => {
    const [first, ...rest] = await Promise.all(LAYOUTS.map((layout) => peel({ layout })));
    for (const other of rest) expect(other.graph.constants).toEqual(first!.graph.constants);
  });

  it('takes a Sigmoid before the Transpose, and a head of several convolutions', async () => {
    const spec = edit(scrfdSpec(), {
      score_8_0: [node('score_8_c = Conv(p8, score_8_w)'), node('score_8_0 = Sigmoid(score_8_c)')],
      score_8: [node('score_8 = Identity(score_8_2)')],
    });
    const swapped = spec.nodes.map((old) =>
      old.outputs[0] === 'score_8_2' ? { ...old, inputs: [old.inputs[0]!, old.inputs[1]!] } : old,
    );
    expect(lines(await peelSpec({ ...spec, nodes: swapped }))).toEqual(lines(await peel({})));
  });

  it('keeps a head that convolutions cannot share', async () => {
    const spec = edit(scrfdSpec(), { kps_8_0: [node('other = Relu(p8)'), node('kps_8_0 = Conv(other, kps_8_w)')] });
    expect(lines(await peelSpec(spec))).toContain(':head 8: 1×30×8×8 = Concat(score_8_0, box_8_1, kps_8_0) axis 1');
  });

  it('does not change its input', async () => {
    const graph = buildGraph(await scrfdModel(), [1, 3, 64, 64]);
    const before = [printGraph(graph), JSON.stringify(graph.nodes), [...graph.dims.keys()].join()];
    const layout = headLayoutOf(graph.outputs.map((name) => graph.dims.get(name)!));
    const { graph: peeled } = extractScrfdHeads(graph, layout);
    expect([printGraph(graph), JSON.stringify(graph.nodes), [...graph.dims.keys()].join()]).toEqual(before);
    expect(peeled.outputs).toEqual([':head 8', ':head 16', ':head 32']);
  });

  it('goes with any batch into a plan', async () => {
    const target = await loadTarget({ software: false, subgroupSize: 0 });
    for (const layout of LAYOUTS) {
      const plan = compileDetector(await scrfdModel({ layout }), { batch: 3, inputSizes: [[64, 96]] }, target);
      expect(plan.heads[0]!.batch).toBe(3);
      expect(plan.heads[0]!.levels.map(({ width, height }) => [width, height])).toEqual([
        [8, 12],
        [4, 6],
        [2, 3],
      ]);
      expect(plan.steps.at(-1)!.label).toBe('faces/nms');
    }
  });
});

describe('extractScrfdHeads refuses', () => {
  const maps = scrfdSpec({ layout: 'maps' });
  const rows = scrfdSpec();

  it.each<[string, ModelSpec, string]>([
    [
      'another number of outputs',
      { ...rows, outputs: rows.outputs.slice(0, 7) },
      'model is not an SCRFD detector: expected 6, 9, 10 or 15 outputs, got 7 ' +
        '(score_8, score_16, score_32, box_8, box_16, box_32, kps_8)',
    ],
    [
      'outputs in another order',
      {
        ...rows,
        outputs: ['score_8', 'box_8', 'kps_8', 'score_16', 'box_16', 'kps_16', 'score_32', 'box_32', 'kps_32'],
      },
      'output "score_16" is not an SCRFD head: expected 8 channels in "score_16_0", got 1×2×4×4',
    ],
    [
      'scores without a Sigmoid',
      edit(maps, { score_16: [node('score_16 = Identity(score_16_0)')] }),
      'output "score_16" is not an SCRFD head: expected one Sigmoid, got 0',
    ],
    [
      'scores with two',
      edit(maps, { score_16: [node('once = Sigmoid(score_16_0)'), node('score_16 = Sigmoid(once)')] }),
      'output "score_16" is not an SCRFD head: expected one Sigmoid, got 2',
    ],
    [
      'boxes with a Sigmoid',
      edit(maps, { box_8: [node('scaled = Mul(box_8_0, box_8_s)'), node('box_8 = Sigmoid(scaled)')] }),
      'output "box_8" is not an SCRFD head: expected no Sigmoid, got 1',
    ],
    [
      'a map of more images',
      edit(maps, {
        box_8: [node('scaled = Mul(box_8_0, box_8_s)'), node('box_8 = Concat(scaled, scaled)', { axis: int(0) })],
      }),
      'output "box_8" is not an SCRFD head: expected 1 images in "box_8", got 2×8×8×8',
    ],
    [
      'a value of the name of a map',
      edit(maps, { box_8: [node(':head 8 = Mul(box_8_0, box_8_s)'), node('box_8 = Mul(:head 8, box_8_s)')] }),
      'value ":head 8": this name is kept for what a detector computes',
    ],
    [
      'rows without a Transpose',
      edit(rows, { kps_32: [node('kps_32 = Reshape(kps_32_0, kps_rows)')] }),
      'output "kps_32" is not an SCRFD head: expected a Transpose to NHWC before its Reshape, got none',
    ],
    [
      'another Transpose',
      edit(rows, {
        kps_32_1: [node('kps_32_1 = Transpose(kps_32_0)', { perm: ints([0, 3, 2, 1]) })],
      }),
      'output "kps_32" is not an SCRFD head: expected 20 channels in "kps_32_1", got 1×2×2×20',
    ],
    [
      'a head that is no image',
      edit(rows, {
        kps_32_0: [node('flat = Flatten(r32)'), node('kps_32_0 = Transpose(flat)', { perm: ints([1, 0]) })],
        kps_32_1: [node('kps_32_1 = Softmax(kps_32_0)', { axis: int(0) })],
        kps_32: [node('kps_32 = Sigmoid(kps_32_1)')],
      }),
      'output "kps_32" from "kps_32_1": expected 4 dimensions (NCHW), got 24×1',
    ],
    [
      'maps of one level that differ in size',
      edit(maps, {
        box_16: [
          node('small = Mul(box_16_0, box_16_s)'),
          node('box_16 = MaxPool(small)', { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
        ],
      }),
      'level 1: box map "box_16" expected 4×4 cells, got 2×2',
    ],
    [
      'levels in descending order',
      { ...maps, outputs: maps.outputs.map((_, i) => maps.outputs[i - (i % 3) + 2 - (i % 3)]!) },
      'level 1: a map of 4×4 cells does not tile an input of 64×64 with strides ascending',
    ],
  ])('%s', async (_, spec, message) => {
    const failure = await peelSpec(spec).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ModelError);
    expect((failure as Error).message).toBe(message);
  });

  it('an input that the strides do not tile', async () => {
    await expect(peel({ layout: 'maps' }, [1, 3, 64, 80])).rejects.toThrow(
      'level 2: a map of 2×2 cells does not tile an input of 64×80 with strides ascending',
    );
  });
});
