import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { floatTensor, intTensor, type Tensor } from '../../src/common/tensor.ts';
import { optimizeDetector } from '../../src/detector/compile.ts';
import { printGraph } from '../../src/graph/print.ts';
import { graphOf, weights } from '../graph/models.ts';
import { int, ints, type NodeSpec } from '../support/onnx-builder.ts';

interface Change {
  /** Of the boxes' map of stride 8. */
  readonly boxStride?: number;
  /** What the network does to its input first. */
  readonly scale?: number;
  readonly softmaxAxis?: number;
  readonly toFirst?: readonly number[];
}

/** A RetinaFace of one convolution a map, on a 64×64 input. */
async function smallRetinaFace({
  boxStride = 8,
  scale = 1 / 128,
  softmaxAxis = 3,
  toFirst = [0, 3, 1, 2],
}: Change = {}) {
  const nodes: NodeSpec[] = [
    { op: 'Sub', inputs: ['x', 'mean'], outputs: ['centred'] },
    { op: 'Mul', inputs: ['centred', 'scale'], outputs: ['scaled'] },
  ];
  const outputs: string[] = [];
  const initializers: Record<string, Tensor> = {
    mean: floatTensor([1], [127.5]),
    scale: floatTensor([1], [scale]),
    split: intTensor([4], [0, 2, -1, 0]),
    join: intTensor([4], [0, 4, -1, 0]),
  };
  for (const stride of [32, 16, 8]) {
    const map = (name: string, channels: number) => {
      initializers[`w${name}`] = weights(channels, 3, stride, stride);
      const step = name === 'boxes8' ? boxStride : stride;
      const strides = ints([step, step]);
      nodes.push({ op: 'Conv', inputs: ['scaled', `w${name}`], outputs: [name], attributes: { strides } });
      return name;
    };
    const one = (op: string, inputs: string[], output: string, attributes: NodeSpec['attributes'] = {}) => {
      nodes.push({ op, inputs, outputs: [output], attributes });
      return output;
    };
    const split = one('Reshape', [map(`logits${stride}`, 4), 'split'], `split${stride}`);
    const last = one('Transpose', [split], `last${stride}`, { perm: ints([0, 2, 3, 1]) });
    const softmax = one('Softmax', [last], `softmax${stride}`, { axis: int(softmaxAxis) });
    const first = one('Transpose', [softmax], `first${stride}`, { perm: ints(toFirst) });
    outputs.push(
      one('Reshape', [first, 'join'], `classes${stride}`),
      map(`boxes${stride}`, 8),
      map(`points${stride}`, 20),
    );
  }
  return graphOf(nodes, { dims: [1, 3, 64, 64], initializers, outputs });
}

describe('peelRetinaFace', () => {
  //     x → Sub → Mul → Conv → Reshape → Transpose → Softmax → Transpose → Reshape → classes ┐
  //                     Conv → boxes                                                         ┤  becomes  x → Conv
  //                     Conv → keypoints                                                     ┘
  it('leaves one convolution a stride, in the order of the outputs', async () => {
    const { graph, heads } = optimizeDetector(await smallRetinaFace());
    expect(printGraph(graph).split('\n').slice(1, -2)).toEqual(
      [32, 16, 8].map(
        (s) =>
          `:head ${s}: 1×32×${64 / s}×${64 / s} = Conv(x, :head ${s}:weight, :head ${s}:bias) ${s}×${s} /${s},${s} pad 0,0,0,0`,
      ),
    );
    expect(heads).toEqual({
      decoder: 'retinaface',
      batch: 1,
      anchors: 2,
      keypoints: 5,
      levels: [32, 16, 8].map((stride) => ({ stride, width: 64 / stride, height: 64 / stride })),
    });
  });

  it.each<[string, Change, string]>([
    ['another preprocessing', { scale: 1 }, 'input "x": expected a RetinaFace that begins with (x - 127.5) / 128'],
    [
      'another softmax',
      { softmaxAxis: 2 },
      'output "classes32" is not a RetinaFace class map: expected a Softmax over the last axis, got Softmax',
    ],
    ['boxes of other cells', { boxStride: 4 }, 'output "boxes8" is no RetinaFace map: expected 1×8×8×8, got 1×8×15×15'],
    ['another transpose', { toFirst: [0, 3, 2, 1] }, 'output "classes32": 1×4 cells do not tile 64×64'],
  ])('refuses %s', async (_, change, message) => {
    const graph = await smallRetinaFace(change);
    expect(() => optimizeDetector(graph)).toThrow(new ModelError(message));
  });
});
