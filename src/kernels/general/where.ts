import { type Dims, sizeOf } from '../../common/tensor.ts';
import { type Dispatch, eight, flatGrid, packParams } from '../dispatch.ts';
import { floatBytes } from '../nc4hw4.ts';
import { broadcastStrides } from '../tensor/binary.ts';
import { dispatch } from './dispatch.ts';

const WORKGROUP = 64;

/** On row-major tensors of up to 8 dimensions with numpy broadcasting. Bindings: condition, a, b, output. */
export function where(condition: Dims, a: Dims, b: Dims, output: Dims): Dispatch {
  const count = sizeOf(output);
  const operands = [condition, a, b];
  return dispatch('where', {
    overrides: { WORKGROUP },
    // the arrays of vec4 start at the next multiple of 16 bytes
    params: packParams([
      ...[count, 0, 0, 0],
      ...eight(output, 1),
      ...operands.flatMap((dims) => eight(broadcastStrides(dims, output), 0)),
    ]),
    bindingBytes: [...operands, output].map((dims) => floatBytes(sizeOf(dims))),
    workgroups: flatGrid(count, WORKGROUP),
  });
}
