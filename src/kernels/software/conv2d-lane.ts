import { OCTET, weightBytes } from '../conv/octets.ts';
import { type ConvSpec, convFlops, convLaunch, convParams, isPointwise } from '../conv/spec.ts';
import { type ByteRange, type Dispatch, UNIFORM_ALIGNMENT } from '../dispatch.ts';
import { convGrid } from './conv2d-direct.ts';
import { dispatch } from './dispatch.ts';

const PIXELS = 4;

/** Sizes of a tile in octets, each with its speed per octet relative to the best, as measured. */
type Tiles = readonly (readonly [octets: number, speed: number])[];

/**
 * Tiles by the lanes that share a fetch and by what buffer the weights are in: more octets share the pixels that are loaded,
 * until sums no longer fit in registers, or the code in the processor's cache.
 */
const TILES: Readonly<Record<4 | 8, Readonly<Record<'storage' | 'uniform', Tiles>>>> = {
  4: { storage: [[1, 1]], uniform: [[1, 1]] },
  8: {
    storage: [
      [2, 0.9],
      [3, 1],
    ],
    uniform: [
      [2, 0.78],
      [3, 0.93],
      [4, 1],
    ],
  },
};

/** Operations in the time that a launch takes on two cores: 0.03 ms. */
const LAUNCH_FLOPS = 1.5e6;

/** What every WebGPU device can bind as uniforms. */
export const UNIFORM_BYTES = 65536;

/** Lanes that share a fetch. */
function lanesOf(subgroupSize: number): 4 | 8 {
  return subgroupSize >= 8 ? 8 : 4;
}

/** The tile with the least time for all octets, and for launches if it takes several. */
function bestTile(outChannels: number, tiles: Tiles, launchTime: (octets: number) => number = () => 0): number {
  const octets = Math.ceil(outChannels / OCTET);
  const times = tiles.map(([size, speed]) => (Math.ceil(octets / size) * size) / speed + launchTime(size));
  return tiles[times.indexOf(Math.min(...times))]![0];
}

/** Whether a convolution is one product a pixel: dense, 1×1, stride 1, no padding, no smaller residual. */
function isProduct(spec: ConvSpec): boolean {
  const { strides, group, inHeight, inWidth, outHeight, outWidth, upsample } = spec;
  const unit = isPointwise(spec) && strides.every((stride) => stride === 1);
  return unit && group === 1 && inHeight === outHeight && inWidth === outWidth && upsample <= 1;
}

/** The kernel for a convolution, and the convolution as it sees it: one product a pixel needs no rows. */
function laneKernel(spec: ConvSpec): { kernel: 'conv2d-lane' | 'pointwise-lane'; shape: ConvSpec } {
  if (!isProduct(spec)) return { kernel: 'conv2d-lane', shape: spec };
  const [inWidth, outWidth] = [spec.inHeight * spec.inWidth, spec.outHeight * spec.outWidth];
  return { kernel: 'pointwise-lane', shape: { ...spec, inHeight: 1, inWidth, outHeight: 1, outWidth } };
}

/**
 * Dense convolution that shares weights across a subgroup of fixed size, 4 or more lanes.
 * Bindings and weights as in `conv2dDirect`.
 */
export function convLane(spec: ConvSpec, subgroupSize: number): Dispatch {
  const { kernel, shape } = laneKernel(spec);
  const LANES = lanesOf(subgroupSize);
  const OCTETS = bestTile(spec.outChannels, TILES[LANES].storage);
  const [pixelGroups, channelTiles, batch] = convGrid(shape, PIXELS, OCTETS * OCTET, subgroupSize);
  const launch = convLaunch(shape, {
    consts: { LANES, PIXELS, OCTETS },
    overrides: { WORKGROUP: subgroupSize },
    weightBytes: weightBytes(spec),
    workgroups: [channelTiles, pixelGroups, batch],
  });
  return dispatch(kernel, launch);
}

/** A launch for a part of the output channels. */
interface LanePart {
  readonly dispatch: Dispatch;
  /** The part of the weights that it binds. */
  readonly weightsRange: ByteRange;
}

/** How `convLaneUniform` cuts a convolution up: tiles in all and in a launch; null where one tile's weights are too many. */
function cutUniform(spec: ConvSpec, subgroupSize: number) {
  const octets = Math.ceil(spec.outChannels / OCTET);
  const octetBytes = weightBytes(spec) / octets;
  const sizes = TILES[lanesOf(subgroupSize)].uniform.filter(([size]) => size * octetBytes <= UNIFORM_BYTES);
  if (sizes.length === 0) return null;
  const cut = (OCTETS: number) => {
    const tiles = Math.ceil(octets / OCTETS);
    const tileBytes = OCTETS * octetBytes;
    return { OCTETS, tileBytes, tiles, most: tilesOfPart(tileBytes, tiles) };
  };
  const launchTime = (size: number) => {
    const { tiles, most } = cut(size);
    return (LAUNCH_FLOPS * Math.ceil(tiles / most)) / (convFlops(spec) / octets);
  };
  const best = cut(bestTile(spec.outChannels, sizes, launchTime));
  return best.most === 0 ? null : best;
}

/** How many tiles of `bytes` of weights each a binding holds, so that another one may begin behind them if there are more. */
function tilesOfPart(bytes: number, tiles: number): number {
  let most = Math.floor(UNIFORM_BYTES / bytes);
  if (most >= tiles) return most;
  while ((most * bytes) % UNIFORM_ALIGNMENT !== 0) most--;
  return most;
}

/** Launches that `convLaneUniform` takes; 0 where it cannot do a convolution. */
export function countUniformParts(spec: ConvSpec, subgroupSize: number): number {
  const cut = cutUniform(spec, subgroupSize);
  return cut ? Math.ceil(cut.tiles / cut.most) : 0;
}

/**
 * `convLane` with weights in uniform buffers, in as many launches as it takes to bind all of them. Weights are those of
 * `conv2dDirect` and, so that every range is whole, `UNIFORM_BYTES` behind them.
 */
export function convLaneUniform(spec: ConvSpec, subgroupSize: number): LanePart[] {
  const cut = cutUniform(spec, subgroupSize);
  if (!cut) return [];
  const { OCTETS, tileBytes, tiles, most } = cut;
  const { kernel, shape } = laneKernel(spec);
  const [pixelGroups] = convGrid(shape, PIXELS, OCTETS * OCTET, subgroupSize);
  return Array.from({ length: Math.ceil(tiles / most) }, (_, i): LanePart => {
    const first = i * most;
    const count = Math.min(most, tiles - first);
    const launch = convLaunch(shape, {
      consts: { LANES: lanesOf(subgroupSize), PIXELS, OCTETS },
      overrides: { WORKGROUP: subgroupSize },
      weightBytes: UNIFORM_BYTES,
      workgroups: [count, pixelGroups, spec.batch],
    });
    return {
      weightsRange: { offset: first * tileBytes, bytes: UNIFORM_BYTES },
      dispatch: dispatch(`${kernel}-uniform`, {
        ...launch,
        params: convParams(shape, { firstBlock: first * OCTETS * 2 }),
        flops: (convFlops(spec) * count) / tiles,
      }),
    };
  });
}
