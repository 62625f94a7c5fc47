/** Invocations of a workgroup of the kernels in which invocations share the work of a result, see lanes.wgsl. */
export const WORKGROUP = 64;

/** Results with which one invocation each is enough to keep a GPU busy. */
const MANY = 4096;

/** Invocations that share the work of one of so many results of so many elements: by the shape alone, so that sums are the same everywhere. */
export function lanesFor(results: number, elements: number): number {
  return results < MANY && elements >= WORKGROUP ? WORKGROUP : 1;
}
