import type { HeadLayout } from '../architectures/head-layout.ts';
import { ModelError } from '../common/errors.ts';
import { buildGraph } from '../graph/build.ts';
import type { Graph } from '../graph/ir.ts';
import { declaredSize, type Model } from '../loader/model.ts';
import type { DetectorGraph } from './detector-graph.ts';
import { extractRetinaFaceHeads, isRetinaFace } from './retinaface-heads.ts';
import { extractScrfdHeads } from './scrfd-heads.ts';

/** One map a stride in place of the file's outputs. @throws ModelError for no detector */
export function extractHeads(graph: Graph): DetectorGraph {
  return isRetinaFace(graph) ? extractRetinaFaceHeads(graph) : extractScrfdHeads(graph);
}

/** Of models that were asked for; null for no detector. */
const layouts = new WeakMap<Model, HeadLayout | null>();

/** A size that the strides of all detectors met so far tile. */
const USUAL_SIZE = [640, 640] as const;

/** How a model's heads are arranged, as its graph has it at its own size; null for no detector. */
export function headLayoutOf(model: Model): HeadLayout | null {
  const known = layouts.get(model);
  if (known !== undefined) return known;
  const layout = readLayout(model);
  layouts.set(model, layout);
  return layout;
}

function readLayout(model: Model): HeadLayout | null {
  const [width, height] = declaredSize(model) ?? USUAL_SIZE;
  try {
    const { decoder, levels, anchors, keypoints } = extractHeads(buildGraph(model, [1, 3, height, width])).heads;
    return { family: decoder, strides: levels.map(({ stride }) => stride), anchors, keypoints };
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
}

/** Sides of inputs are multiples of it: all strides tile them, and those of the backbones, up to 32. */
export function sideMultiple(model: Model): number {
  return (headLayoutOf(model)?.strides ?? []).reduce(leastCommonMultiple, 32);
}

function leastCommonMultiple(a: number, b: number): number {
  let [divisor, rest] = [a, b];
  while (rest !== 0) [divisor, rest] = [rest, divisor % rest];
  return (a / divisor) * b;
}
