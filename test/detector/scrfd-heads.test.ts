import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { type Dims, intTensor } from '../../src/common/tensor.ts';
import { compileDetector, optimizeDetector } from '../../src/detector/compile.ts';
import type { DetectorGraph } from '../../src/detector/detector-graph.ts';
import { headLayoutOf, sideMultiple } from '../../src/detector/heads.ts';
import { extractScrfdHeads } from '../../src/detector/scrfd-heads.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { printGraph } from '../../src/graph/print.ts';
import { modelOf, node, type ScrfdOptions, scrfdModel, scrfdSpec } from '../graph/models.ts';
import { publishedLayout } from '../kernels/support/heads.ts';
import { int, ints, type ModelSpec, type NodeSpec } from '../support/onnx-builder.ts';
import type { ReferenceLayout } from '../support/reference-scrfd.ts';

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
      keypoints: 5,
      levels: [8, 16, 32].map((stride) => ({ stride, width: 64 / stride, height: 64 / stride })),
    });
  });

  it.each([
    [6, 3, 2, 0],
    [9, 3, 2, 5],
    [10, 5, 1, 0],
    [15, 5, 1, 5],
  ] as const)('reads %i outputs as %i levels of %i anchors', async (outputs, levels, anchors, keypoints) => {
    for (const layout of LAYOUTS) {
      const { graph, heads } = await peel({ outputs, layout }, [1, 3, 128, 256]);
      expect(heads).toMatchObject({ batch: 1, anchors, keypoints });
      expect(heads.levels.map(({ stride, width, height }) => [stride, width * stride, height * stride])).toEqual(
        Array.from({ length: levels }, (_, i) => [8 << i, 256, 128]),
      );
      expect(graph.outputs.map((name) => graph.dims.get(name)?.[1])).toEqual(
        new Array(levels).fill(anchors * (5 + 2 * keypoints)),
      );
    }
  });

  const order = (...names: string[]) => ({ ...scrfdSpec({ layout: 'maps' }), outputs: names });

  it.each<[string, ModelSpec]>([
    ['stride by stride', order(...[8, 16, 32].flatMap((s) => [`score_${s}`, `box_${s}`, `kps_${s}`]))],
    ['the largest stride first', order(...['kps', 'box', 'score'].flatMap((k) => [32, 16, 8].map((s) => `${k}_${s}`)))],
    ['in no order', order(...[8, 32, 16].flatMap((s) => [`kps_${s}`, `score_${s}`]), 'box_16', 'box_8', 'box_32')],
  ])('sorts outputs that come %s', async (_, spec) => {
    expect(lines(await peelSpec(spec))).toEqual(lines(await peel({ layout: 'maps' })));
  });

  it.each<[Partial<ReferenceLayout>, number]>([
    [{ points: 4 }, 32],
    [{ points: 98, anchors: 1 }, 32],
    [{ points: 1, anchors: 3 }, 32],
    [{ points: 0, anchors: 3, strides: [8, 16] }, 32],
    [{ points: 5, strides: [8, 16, 32, 64] }, 64],
  ])('reads %j from the shapes', async (wanted, multiple) => {
    for (const layout of LAYOUTS) {
      const model = await scrfdModel({ layout, heads: wanted });
      const { strides, anchors, points } = { ...publishedLayout(3, 5), ...wanted };
      expect(headLayoutOf(model)).toEqual({ family: 'scrfd', strides, anchors, keypoints: points });
      expect(sideMultiple(model)).toBe(multiple);
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
    const { graph: peeled } = extractScrfdHeads(graph);
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

/** The same with maps of three further sizes, 3, 5 and 6 cells wide. */
function manySizes(spec: ModelSpec): Pick<ModelSpec, 'nodes' | 'outputs'> {
  const sides = [3, 4, 6];
  const crops = sides.map((side) =>
    node(`crop_${side} = MaxPool(kps_8)`, { kernel_shape: ints([side, side]), strides: ints([1, 1]) }),
  );
  return { nodes: [...spec.nodes, ...crops], outputs: [...spec.outputs, ...sides.map((side) => `crop_${side}`)] };
}

describe('extractScrfdHeads refuses', () => {
  const maps = scrfdSpec({ layout: 'maps' });
  const rows = scrfdSpec();

  const found = (detail: string) => `model is not an SCRFD detector: ${detail}`;

  it.each<[string, ModelSpec, string]>([
    [
      'keypoints of one stride alone',
      { ...rows, outputs: rows.outputs.slice(0, 7) },
      found(
        'expected as many anchors and keypoints at every stride, got "score_8" 1×2×8×8 of scores, "box_8" 1×8×8×8, ' +
          '"kps_8" 1×20×8×8, "score_16" 1×2×4×4 of scores, "box_16" 1×8×4×4',
      ),
    ],
    [
      'scores without a Sigmoid',
      edit(maps, { score_16: [node('score_16 = Identity(score_16_0)')] }),
      found(
        'of 4×4 cells expected one output with a Sigmoid, the scores, got "score_16" 1×2×4×4, "box_16" 1×8×4×4, "kps_16" 1×20×4×4',
      ),
    ],
    [
      'scores with two',
      edit(maps, { score_16: [node('once = Sigmoid(score_16_0)'), node('score_16 = Sigmoid(once)')] }),
      'output "score_16" is not an SCRFD head: expected one Sigmoid at most, got 2',
    ],
    [
      'boxes with a Sigmoid',
      edit(maps, { box_8: [node('scaled = Mul(box_8_0, box_8_s)'), node('box_8 = Sigmoid(scaled)')] }),
      found(
        'of 8×8 cells expected one output with a Sigmoid, the scores, got "score_8" 1×2×8×8 of scores, "box_8" 1×8×8×8 of scores, "kps_8" 1×20×8×8',
      ),
    ],
    [
      'two keypoints, which are as many numbers as a box',
      scrfdSpec({ layout: 'maps', heads: { points: 2 } }),
      found(
        'of 8×8 cells expected 8 channels of boxes, and another number of keypoints to tell them by, got "score_8" 1×2×8×8 of scores, "box_8" 1×8×8×8, "kps_8" 1×8×8×8',
      ),
    ],
    [
      'boxes for other anchors than scores',
      edit(maps, {
        score_8: [node('both = Concat(score_8_0, score_8_0)', { axis: int(1) }), node('score_8 = Sigmoid(both)')],
      }),
      found(
        'of 8×8 cells expected boxes of 16 channels for 4 of scores, and at most keypoints in multiples of 8, got "score_8" 1×4×8×8 of scores, "box_8" 1×8×8×8, "kps_8" 1×20×8×8',
      ),
    ],
    [
      'a fourth output of a stride',
      {
        ...maps,
        outputs: [...maps.outputs, 'more'],
        nodes: [...maps.nodes, node('more = Relu(kps_8)')],
      },
      found(
        'of 8×8 cells expected boxes of 8 channels for 2 of scores, and at most keypoints in multiples of 4, got "score_8" 1×2×8×8 of scores, "box_8" 1×8×8×8, "kps_8" 1×20×8×8, "more" 1×20×8×8',
      ),
    ],
    [
      'rows of other columns',
      { ...rows, initializers: { ...rows.initializers, kps_rows: intTensor([3], [0, -1, 5]) } },
      'output "kps_8" is not an SCRFD head: expected rows of 10 values for 2 anchors a cell, got 5',
    ],
    [
      'six strides',
      { ...maps, ...manySizes(maps) },
      expect.stringContaining('expected maps of 5 sizes at most, got 6: "score_8"') as unknown as string,
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
      'output "kps_32" is not an SCRFD head: expected a Transpose to NHWC before its Reshape, got none',
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
      'a map of a size that no other has',
      edit(maps, {
        box_16: [
          node('small = Mul(box_16_0, box_16_s)'),
          node('box_16 = MaxPool(small)', { kernel_shape: ints([3, 3]) }),
        ],
      }),
      found(
        'of 4×4 cells expected boxes of 8 channels for 2 of scores, and at most keypoints in multiples of 4, got "score_16" 1×2×4×4 of scores, "kps_16" 1×20×4×4',
      ),
    ],
  ])('%s', async (_, spec, message) => {
    const failure = await peelSpec(spec).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ModelError);
    expect((failure as Error).message).toEqual(message);
  });

  it('an input that the strides do not tile', async () => {
    await expect(peel({ layout: 'maps' }, [1, 3, 64, 80])).rejects.toThrow(
      'output "score_32": a map of 2×2 cells does not tile an input of 64×80',
    );
  });
});
