import type { Size } from '../common/geometry.ts';
import { buildGraph } from '../graph/build.ts';
import type { Graph } from '../graph/ir.ts';
import { Lowering, type LoweringOptions } from '../graph/lower.ts';
import { optimizeWith } from '../graph/passes/index.ts';
import type { ModelPlan, Operand } from '../graph/plan.ts';
import { assertBatch, stackImages } from '../graph/stack-images.ts';
import type { Target } from '../graph/target.ts';
import {
  candidateBytes,
  candidatesOf,
  decode,
  type HeadSpec,
  MAX_LEVELS,
  recordsBytes,
} from '../kernels/detection/decode.ts';
import { letterbox } from '../kernels/detection/letterbox.ts';
import { faceBytes, nms } from '../kernels/detection/nms.ts';
import { sortCandidates } from '../kernels/detection/sort-candidates.ts';
import type { Model } from '../loader/model.ts';
import type { DetectorGraph } from './detector-graph.ts';
import { extractHeads } from './heads.ts';

/** What a detector's launches are timed as, in the order they run. */
export const STAGES = ['letterbox', 'network', 'faces'] as const;
export type Stage = (typeof STAGES)[number];

export interface DetectorSpec {
  readonly batch: number;
  /** What every image is fitted into and searched at. */
  readonly inputSizes: readonly Size[];
}

/**
 * A plan from pixels to faces. External buffers: `pixels` (bytes of all images), `resizeTable` and `imageParams`
 * (one `ImageParams` an input size and image).
 */
export interface DetectorPlan extends ModelPlan, DetectorSpec {
  /** Of each input size. */
  readonly heads: readonly HeadSpec[];
  /** Where the faces lie: see `nms.ts`. */
  readonly faces: number;
}

/** A detector's graph: the heads in place of the file's outputs. Always fused. @throws ModelError for no detector */
export function optimizeDetector(graph: Graph): DetectorGraph {
  return optimizeWith(graph, extractHeads);
}

/**
 * Letterbox, network and decode for a batch of images at every input size, then one sort and NMS an image.
 * @throws ModelError for no detector, ShapeError for a batch of a file made for another one
 */
export function compileDetector(
  model: Model,
  { batch, inputSizes }: DetectorSpec,
  target: Target,
  options: LoweringOptions = {},
): DetectorPlan {
  assertBatch(model, batch);
  const graphs = inputSizes.map(([width, height]) => {
    const { graph, heads } = optimizeDetector(buildGraph(model, [1, 3, height, width]));
    return { heads: { ...heads, batch }, graph: target.fuseLaunches(stackImages(graph, batch), target) };
  });
  const heads = graphs.map((each) => each.heads);
  const list = candidatesOf(heads);
  const lowering = new Lowering(graphs[0]!.graph, target, options);
  const candidates = lowering.scratch(candidateBytes(list));
  const records = lowering.scratch(recordsBytes(list));
  const faces = lowering.scratch(batch * faceBytes(list));
  const pixels: Operand = { kind: 'external', name: 'pixels' };
  const resizeTable: Operand = { kind: 'external', name: 'resizeTable' };
  const imageParams: Operand = { kind: 'external', name: 'imageParams' };

  graphs.forEach(({ graph }, i) => {
    const [width, height] = inputSizes[i]!;
    lowering.begin(graph);
    lowering.enter(STAGES[0]);
    const input = lowering.defineInput('packed');
    const spec = { batch, width, height, firstImage: i * batch };
    lowering.emit('image', letterbox(spec), [pixels, resizeTable, imageParams, input]);
    lowering.enter(STAGES[1]);
    lowering.lowerNodes();
    const maps = Array.from({ length: MAX_LEVELS }, (_, k) =>
      lowering.readValue(graph.outputs[k] ?? graph.outputs[0]!, 'packed'),
    );
    lowering.enter(STAGES[2]);
    lowering.emit('faces', decode(heads, i), [imageParams, ...maps, candidates, records]);
  });
  lowering.emit('faces', sortCandidates(list), [candidates]);
  lowering.emit('faces', nms(list), [imageParams, records, candidates, faces]);
  const { bufferOf, ...lowered } = lowering.finish(true, [candidates], [faces]);
  return { ...lowered, cleared: [bufferOf(candidates)], batch, inputSizes, heads, faces: bufferOf(faces) };
}
