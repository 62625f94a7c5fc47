import { floatTensor } from '../../common/tensor.ts';
import { alone, isPointwise } from '../../kernels/conv/spec.ts';
import type { AdapterTraits } from '../../kernels/dispatch.ts';
import { poolPays } from '../../kernels/hardware/pays.ts';
import { constantOf, dimsOf, type Graph } from '../ir.ts';
import { type ConvNode, specOf } from '../operators/conv.ts';
import type { PoolNode } from '../operators/pool.ts';
import { absorb, derivedName } from './absorb.ts';

/** Whether every window is whole and no two have a pixel in common. */
function dividesImage(graph: Graph, { kernel, strides, dilations, pads, inputs }: PoolNode): boolean {
  const [, , height, width] = dimsOf(graph, inputs[0]!) as [number, number, number, number];
  return (
    kernel.every((side, axis) => side === strides[axis] && dilations[axis] === 1) &&
    pads.every((pad) => pad === 0) &&
    height % kernel[0] === 0 &&
    width % kernel[1] === 0
  );
}

/** Average pool → pointwise Conv becomes one Conv of the pool's windows where that pays: it takes as many times more products as they have pixels. */
export function fusePool(graph: Graph, traits: AdapterTraits): Graph {
  return absorb(graph, (node, soleProducer, current) => {
    if (node.op !== 'Conv' || node.group !== 1) return null;
    const pool = soleProducer(node.inputs[0]!);
    if (pool?.op !== 'Pool' || pool.kind !== 'average' || !dividesImage(graph, pool)) return null;
    const specFor = (conv: ConvNode) => alone(specOf(conv, (value) => dimsOf(graph, value)));
    const pointwise = specFor(node);
    if (!isPointwise(pointwise) || pointwise.strides.some((stride) => stride > 1)) return null;
    const name = derivedName(node.output, 'pooled weight');
    const merged: ConvNode = {
      ...node,
      weight: name,
      kernel: pool.kernel,
      strides: pool.strides,
      dilations: [1, 1],
      inputs: [pool.inputs[0]!, ...node.inputs.slice(1)],
    };
    if (!poolPays(pointwise, specFor(merged), traits)) return null;
    const { dims, data } = constantOf(current, node.weight);
    const [height, width] = pool.kernel;
    const pixels = height * width;
    const weight = Float32Array.from(
      { length: data.length * pixels },
      (_, i) => data[Math.floor(i / pixels)]! / pixels,
    );
    return {
      node: merged,
      replaces: [pool],
      constants: { [name]: floatTensor([dims[0]!, dims[1]!, height, width], weight) },
    };
  });
}
