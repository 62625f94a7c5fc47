import { expect, it } from 'vitest';
import { intTensor } from '../../src/common/tensor.ts';
import { missingOperators } from '../../src/graph/missing-operators.ts';
import { int } from '../support/onnx-builder.ts';
import { modelOf, node } from './models.ts';

it('lists every operator that has no mapping, with how often, behind others that have none, too', async () => {
  const model = await modelOf(
    [
      node('a = Fourier(x)'),
      node('b = Relu(a)'),
      node('c = Wavelet(b)'),
      node('d = Fourier(c)'),
      // folded: shapes are known whatever the values
      node('k = Shape(d)'),
      node('n = Gather(k, one)', { axis: int(0) }),
      node('m = Lattice(n)'),
      node('y = Reshape(d, m)'),
    ],
    { initializers: { one: intTensor([1], [0]) } },
  );
  expect(missingOperators(model)).toEqual({ Fourier: 2, Wavelet: 1, Lattice: 1 });
});

it('is empty for a model that runs', async () => {
  expect(missingOperators(await modelOf([node('y = Relu(x)')]))).toEqual({});
});
