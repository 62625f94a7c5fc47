import { type Method, single } from '../conv/method.ts';
import type { ConvMethods } from '../conv/methods.ts';
import { alone, isDense, isDepthwise } from '../conv/spec.ts';
import { byChannels, octets } from '../conv/weight-orders.ts';
import { conv2dSplit } from './conv2d-split.ts';
import { CPU_MICROSECONDS } from './cost.ts';
import { depthwiseColumns } from './depthwise-columns.ts';
import { type DepthwiseTile, depthwiseMicroseconds, likelyDepthwiseTiles } from './depthwise-cost.ts';
import { ratesOf } from './rates.ts';
import { likelySplitTiles, resizedTiles, type SplitTile, splitMicroseconds } from './split-cost.ts';

const split: Method<SplitTile> = {
  weightOrder: octets,
  isPossible: isDense,
  tiles(spec, traits) {
    if (!traits.software) return likelySplitTiles(spec, ratesOf(traits));
    // little code: software rasterisers take seconds to compile what waits for other invocations
    return [{ pixels: 2, blocks: 1, lanes: 8, slices: 1, split: 2, unroll: spec.kernel[0] }];
  },
  launches(spec, traits, tile) {
    const rates = ratesOf(traits);
    const time = (each: SplitTile) => splitMicroseconds(alone(spec), each, rates);
    const launch = (each: SplitTile) => ({ ...conv2dSplit(spec, each), microseconds: time(each) });
    return single(launch(tile), (invocations) => {
      const [resized] = likelySplitTiles(alone(spec), rates, resizedTiles(tile, invocations));
      // it saves a launch, and must not cost more
      const pays = resized && time(resized) <= time(tile) + rates.launchMicroseconds + CPU_MICROSECONDS;
      return pays ? launch(resized) : undefined;
    });
  },
};

const byColumns: Method<DepthwiseTile> = {
  weightOrder: byChannels,
  isPossible: (spec) => !isDense(spec) && isDepthwise(spec),
  tiles: (spec, traits) => likelyDepthwiseTiles(spec, ratesOf(traits)),
  launches(spec, traits, tile) {
    const microseconds = depthwiseMicroseconds(alone(spec), tile, ratesOf(traits));
    return single({ ...depthwiseColumns(spec, tile), microseconds });
  },
};

/** The methods for hardware. */
export const HARDWARE_METHODS: ConvMethods = {
  methods: { split, 'depthwise-columns': byColumns },
  preferences: () => ['split', 'depthwise-columns', 'depthwise', 'grouped'],
};
