import { describe, expect, it } from 'vitest';
import { ModelError, ShapeError } from '../../src/common/errors.ts';
import { floatTensor, formatDims, intTensor, sizeOf, type Tensor } from '../../src/common/tensor.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import { createNetwork } from '../../src/index.node.ts';
import { expectClose } from '../support/compare.ts';
import { openGpu } from '../support/gpu.ts';
import { buildModel, int, ints, type NodeSpec } from '../support/onnx-builder.ts';
import { createRng } from '../support/rng.ts';
import { modelOf, node } from './models.ts';
import { describeNodes, randomNetwork } from './random-network.ts';

const TARGET = await loadTarget({ software: true, subgroupSize: 4 });
const index = (...values: number[]) => intTensor([values.length], values);
const nhwc = node('t = Transpose(x)', { perm: ints([0, 2, 3, 1]) });

/** Compiles a file that declares one image of 4×2×2, unless told otherwise, for a batch of two. */
async function compile(
  nodes: readonly NodeSpec[],
  initializers: Record<string, Tensor> = {},
  declared: number | null = 1,
) {
  const inputs = [{ name: 'x', dims: [declared, 4, 2, 2] }];
  return compileNetwork(await modelOf(nodes, { opset: 13, initializers, inputs }), [2, 4, 2, 2], TARGET);
}

const mixes = (name: string, op: string, one: string, both: string) =>
  new ShapeError(
    `${name}: ${op} does not keep the images of a batch of 2 apart: one image gives ${one}, the batch ${both}; run one image at a time`,
  );

describe('a file that bakes one image refuses a batch that it would mix', () => {
  it.each<[string, NodeSpec[], Record<string, Tensor>, Error]>([
    [
      'Reshape to one image',
      [nhwc, node('y = Reshape(t, s)')],
      { s: index(1, -1, 2) },
      mixes('Reshape_1', 'Reshape', '1×8×2', '1×16×2'),
    ],
    [
      'Reshape to rows',
      [nhwc, node('y = Reshape(t, s)')],
      { s: index(-1, 2) },
      mixes('Reshape_1', 'Reshape', '8×2', '16×2'),
    ],
    [
      'Reshape to as many rows as images',
      [node('y = Reshape(x, s)')],
      { s: index(2, -1) },
      mixes('Reshape_0', 'Reshape', '2×8', '2×16'),
    ],
    [
      'Flatten from the start',
      [node('y = Flatten(x)', { axis: int(0) })],
      {},
      mixes('Flatten_0', 'Reshape', '1×16', '1×32'),
    ],
    [
      'Transpose of the batch',
      [node('y = Transpose(x)', { perm: ints([2, 3, 0, 1]) })],
      {},
      mixes('Transpose_0', 'Transpose', '2×2×1×4', '2×2×2×4'),
    ],
    [
      'Softmax over images',
      [node('y = Softmax(x)', { axis: int(0) })],
      {},
      mixes('Softmax_0', 'Softmax', '1×4×2×2', '2×4×2×2'),
    ],
    [
      'Concat of images',
      [node('y = Concat(x, x)', { axis: int(0) })],
      {},
      mixes('Concat_0', 'Concat', '2×4×2×2', '4×4×2×2'),
    ],
    [
      'Slice of images',
      [node('y = Slice(x, zero, one, zero)')],
      { zero: index(0), one: index(1) },
      mixes('Slice_0', 'Slice', '1×4×2×2', '1×4×2×2'),
    ],
    [
      'GroupNorm as PyTorch exports it',
      [
        node('r = Reshape(x, s)'),
        node('i = InstanceNormalization(r, w, w)'),
        node('k = Shape(x)'),
        node('y = Reshape(i, k)'),
      ],
      { s: index(1, 2, -1), w: floatTensor([2], [1, 1]) },
      mixes('Reshape_0', 'Reshape', '1×2×8', '1×2×16'),
    ],
    [
      'a smaller operand',
      [
        node('p = GlobalMaxPool(x)'),
        node('q = Reshape(p, s)'),
        node('r = Slice(x, zero, two, one)'),
        node('y = Add(r, q)'),
      ],
      { s: index(0, 2, 2), zero: index(0), one: index(1), two: index(2) },
      mixes('Add_3', 'Binary', '1×2×2×2', '2×2×2×2'),
    ],
    [
      'LogSoftmax over images',
      [node('y = LogSoftmax(x)', { axis: int(0) })],
      {},
      mixes('LogSoftmax_0', 'LogSoftmax', '1×4×2×2', '2×4×2×2'),
    ],
    [
      'matrices for each image',
      [node('t = Reshape(x, u)'), node('y = MatMul(t, k)')],
      { u: index(1, 4, 4), k: floatTensor([2, 4, 1], [1, 2, 3, 4, 5, 6, 7, 8]) },
      mixes('MatMul_1', 'MatMul', '2×4×1', '2×4×1'),
    ],
    [
      'a constant for each image',
      [node('y = Add(x, k)')],
      { k: floatTensor([2, 1, 1, 1], [0, 1]) },
      mixes('Add_0', 'Binary', '2×4×2×2', '2×4×2×2'),
    ],
    [
      'a constant made of the batch',
      [node('k = Shape(x)'), node('b = Gather(k, first)'), node('f = Cast(b)', { to: int(1) }), node('y = Mul(x, f)')],
      { first: index(0) },
      mixes('Mul_3', 'Binary', '1×4×2×2', '2×4×2×2'),
    ],
  ])('%s', async (_, nodes, initializers, error) => {
    await expect(compile(nodes, initializers)).rejects.toThrow(error);
    await expect(compile(nodes, initializers), 'a ShapeError').rejects.toBeInstanceOf(ShapeError);
  });

  it('names the batch that the file is made for', async () => {
    await expect(compile([node('y = Relu(x)')], {}, 3)).rejects.toThrow(
      new ShapeError('input "x" is fixed at 3 images in the file, got 2'),
    );
  });

  it.each<[string, NodeSpec[], Record<string, Tensor>, number | null]>([
    ['a file made for two', [node('y = Flatten(x)', { axis: int(0) })], {}, 2],
    ['a file for any batch', [node('y = Flatten(x)', { axis: int(0) })], {}, null],
    ['a shape for one image', [node('y = Reshape(x, s)')], { s: index(1, 8, 2) }, 1],
    ['a shape read from the input', [node('k = Shape(x)'), node('y = Reshape(x, k)')], {}, 1],
    ['a tail that no output needs', [node('z = Flatten(x)', { axis: int(0) }), node('y = Relu(x)')], {}, 1],
    [
      'a dense layer',
      [node('f = Flatten(x)'), node('y = Gemm(f, w, b)')],
      { w: floatTensor([16, 2], new Float32Array(32)), b: floatTensor([2], [1, 2]) },
      1,
    ],
    ['a reduction of each image', [node('y = ReduceSum(x, axes)')], { axes: index(1, 2) }, 1],
    ['a constant for all images', [node('y = Add(x, k)')], { k: floatTensor([1, 4, 1, 1], [1, 2, 3, 4]) }, 1],
  ])('accepts %s', async (_, nodes, initializers, declared) => {
    await expect(compile(nodes, initializers, declared)).resolves.toBeDefined();
  });

  it('spreads no shape where the file declares the batch', async () => {
    await expect(compile([node('y = Reshape(x, s)')], { s: index(1, 8, 2) }, 2)).rejects.toThrow(
      'Reshape_0: cannot reshape 2×4×2×2 to [1, 8, 2]',
    );
  });

  it('spreads no shape over images and then mixes them', async () => {
    const nodes = [node('r = Reshape(x, s)'), node('y = Flatten(r)', { axis: int(0) })];
    await expect(compile(nodes, { s: index(1, 8, 2) }, null)).rejects.toThrow(
      mixes('Flatten_1', 'Reshape', '1×16', '1×32'),
    );
  });
});

describe('whatever batch is accepted gives each image its own result', () => {
  it('of random networks', async () => {
    const { device } = await openGpu();
    const counts = { same: 0, refused: 0 };
    for (let seed = 0; seed < 60; seed++) {
      const { spec, inputDims } = randomNetwork(seed, 5);
      const image = inputDims.slice(1) as [number, number, number];
      const bytes = buildModel({ ...spec, inputs: [{ name: 'x', dims: [1, ...image] }] });
      const x = createRng(seed).floats(3 * sizeOf(image));
      try {
        await using single = await createNetwork(bytes, { inputShape: [1, ...image], device });
        const parts = [0, 1, 2].map((n) => single.run(x.subarray(n * sizeOf(image), (n + 1) * sizeOf(image))));
        const alone = await Promise.all(parts);
        const all = await single.run(x, { inputShape: [3, ...image] });
        for (const [name, { dims, data }] of Object.entries(all)) {
          const where = `seed ${seed}, ${name}\n${describeNodes(spec.nodes)}`;
          expect(formatDims(dims), where).toBe(formatDims([3, ...alone[0]![name]!.dims.slice(1)]));
          const expected = Float32Array.from(alone.flatMap((part) => [...part[name]!.data]));
          const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
          expectClose(data, expected, { abs: 1e-4 * largest, reason: `other kernels for other sizes: ${where}` });
        }
        counts.same++;
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        counts.refused++;
      }
    }
    // enough of both
    expect(counts.same).toBeGreaterThan(10);
    expect(counts.refused).toBeGreaterThan(10);
  });
});
