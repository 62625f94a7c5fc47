import { type ConvSpec, isDense, isDepthwise, isPointwise } from '../conv/spec.ts';
import type { AdapterTraits } from '../dispatch.ts';
import { CPU_MICROSECONDS } from './cost.ts';
import { depthwiseMicroseconds, likelyDepthwiseTiles } from './depthwise-cost.ts';
import { ratesOf } from './rates.ts';
import { likelySeparableTile, type SeparableSpec, separableMicroseconds } from './separable-cost.ts';
import { likelySplitTiles, splitMicroseconds } from './split-cost.ts';

/** Whether a pool and the pointwise convolution behind it are better one convolution of the pool's windows, by the model. */
export function poolPays(pointwise: ConvSpec, merged: ConvSpec, traits: AdapterTraits): boolean {
  const rates = ratesOf(traits);
  const time = (spec: ConvSpec) => splitMicroseconds(spec, likelySplitTiles(spec, rates)[0]!, rates);
  return time(merged) <= time(pointwise) + rates.launchMicroseconds + CPU_MICROSECONDS;
}

/** Whether a depthwise convolution and the pointwise one that reads it are better one launch, by the model. */
export function separablePays(spec: SeparableSpec, traits: AdapterTraits): boolean {
  const { depthwise, pointwise } = spec;
  if (!isDepthwise(depthwise) || isDense(depthwise)) return false;
  if (depthwise.upsample > 0 || depthwise.activation.kind === 'sigmoid') return false;
  if (!isPointwise(pointwise) || !isDense(pointwise) || pointwise.strides.some((stride) => stride > 1)) return false;
  const rates = ratesOf(traits);
  const tile = likelySeparableTile(spec, rates);
  if (!tile) return false;
  const [first] = likelyDepthwiseTiles(depthwise, rates);
  const [second] = likelySplitTiles(pointwise, rates);
  const apart = depthwiseMicroseconds(depthwise, first!, rates) + splitMicroseconds(pointwise, second!, rates);
  return separableMicroseconds(spec, tile, rates) <= apart + CPU_MICROSECONDS;
}
