import { formatDims } from '../../common/tensor.ts';
import { resizeAxis } from '../../kernels/tensor/resize.ts';
import { depthsOf, dimsOf, type Graph } from '../ir.ts';
import type { ResizeNode } from '../operators/resize.ts';
import { absorb } from './absorb.ts';
import { isBareConv } from './scale-channels.ts';

/** s when a Resize repeats every pixel s × s times, s being a power of two as convolutions need it, else 0. */
function repeatFactor(graph: Graph, node: ResizeNode): number {
  const [, , height, width] = dimsOf(graph, node.inputs[0]!) as [number, number, number, number];
  const factor = node.size[0] / height;
  const isPower = Number.isInteger(Math.log2(factor)) && factor >= 1;
  if (!isPower || node.size[1] !== width * factor || node.mode.mode !== 'nearest') return 0;
  const repeats = [
    resizeAxis(height, node.size[0], node.scales[0], node.mode),
    resizeAxis(width, node.size[1], node.scales[1], node.mode),
  ].every((axis) => axis.every((tap, i) => tap.first === Math.floor(i / factor)));
  return repeats ? factor : 0;
}

/**
 * Conv → Add(·, y) becomes one Conv with y as its residual; where y is only a nearest ×s upsampling of z, the Conv
 * reads z itself: PAFPN's top-down step.
 */
export function fuseResidual(graph: Graph): Graph {
  const depths = depthsOf(graph);
  const depthOf = (value: string) => depths.get(value) ?? 0;
  return absorb(graph, (node, soleProducer) => {
    if (node.op !== 'Binary' || node.operation !== 'add') return null;
    const [a, b] = node.inputs as [string, string];
    // the convolution with more before it, so that the other branch is done by then
    const pairs = [
      [b, a],
      [a, b],
    ] as const;
    for (const [own, other] of depthOf(a) > depthOf(b) ? pairs.toReversed() : pairs) {
      const conv = soleProducer(own);
      if (conv?.op !== 'Conv' || !isBareConv(conv) || graph.constants.has(other)) continue;
      const out = formatDims(dimsOf(graph, node.output));
      if (formatDims(dimsOf(graph, own)) !== out || formatDims(dimsOf(graph, other)) !== out) continue;
      const resize = soleProducer(other);
      const factor = resize?.op === 'Resize' ? repeatFactor(graph, resize) : 0;
      if (resize && factor > 0) {
        return {
          node: {
            ...conv,
            inputs: [conv.inputs[0]!, resize.inputs[0]!],
            residualUpsample: factor,
            output: node.output,
          },
          replaces: [conv, resize],
        };
      }
      return {
        node: { ...conv, inputs: [conv.inputs[0]!, other], residualUpsample: 1, output: node.output },
        replaces: [conv],
      };
    }
    return null;
  });
}
