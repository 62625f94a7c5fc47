// What tuning has to choose from. Apart from methods.ts, so that pages load it when they tune.
import type { ConvMethodName } from './method.ts';
import {
  type ConvTarget,
  type ConvWay,
  chooseMethod,
  convKey,
  describeTile,
  methodsFor,
  planConv,
  possibleMethods,
} from './methods.ts';
import { alone, type ConvSpec } from './spec.ts';

/** Shapes with a smaller part of a network's time stay as the model has them: drivers take 0.1 s to compile each way to be timed. */
const LEAST_SHARE = 0.01;

/** The ways worth timing on such an adapter, besides the one that is chosen unasked. */
export function otherWays(spec: ConvSpec, target: ConvTarget): ConvWay[] {
  const methods = methodsFor(target);
  const usual = chooseMethod(spec, target) as ConvMethodName;
  const { tiles } = methods[usual]!;
  if (tiles)
    return tiles(alone(spec), target)
      .slice(1)
      .map((tile) => `${usual} ${describeTile(tile)}` as const);
  const possible = possibleMethods(spec, target);
  const ways = target.preferences(spec, target).filter((name) => possible.includes(name));
  return ways.filter((name) => name !== usual && !methods[name]!.tiles);
}

/** One convolution of every shape. */
export function shapesOf(convs: readonly ConvSpec[]): ConvSpec[] {
  return [...new Map(convs.map((spec) => [convKey(spec), spec])).values()];
}

/**
 * One convolution of every shape that takes a part of the network's time worth shortening, by the model; of every shape where it says
 * nothing of the time, as for software adapters.
 */
export function worthTiming(convs: readonly ConvSpec[], target: ConvTarget): ConvSpec[] {
  const counts = new Map<string, number>();
  for (const spec of convs) counts.set(convKey(spec), (counts.get(convKey(spec)) ?? 0) + 1);
  const timed = shapesOf(convs).map((spec) => {
    const { launches } = planConv(chooseMethod(spec, target), spec, target);
    const once = launches.reduce((sum, { dispatch: { microseconds = 0 } }) => sum + microseconds, 0);
    return { spec, time: once * counts.get(convKey(spec))! };
  });
  const total = timed.reduce((sum, { time }) => sum + time, 0);
  return timed.flatMap(({ spec, time }) => (time >= total * LEAST_SHARE ? [spec] : []));
}
