import { compileNetwork } from '../../../src/graph/compile.ts';
import { loadTarget } from '../../../src/graph/load-target.ts';
import type { Target as Adapter } from '../../../src/graph/target.ts';
import { chooseMethod, convKey } from '../../../src/kernels/conv/methods.ts';
import type { ConvSpec } from '../../../src/kernels/conv/spec.ts';
import { loadModel } from '../../../src/loader/load-model.ts';
import { nodePlatform } from '../../../src/node/platform.ts';
import { GpuContext } from '../../../src/runtime/gpu-context.ts';
import { Tuner } from '../../../src/runtime/tuner.ts';
import { smallModel } from '../../support/small-model.ts';
import { Finding, mutateBytes, type Target, withinTime } from '../target.ts';

interface Prepared {
  readonly context: GpuContext;
  readonly adapter: Adapter;
  readonly convs: readonly ConvSpec[];
  /** A file that is as it should be. */
  readonly text: string;
  readonly plan: (options: Parameters<typeof compileNetwork>[3]) => ReturnType<typeof compileNetwork>;
}

let prepared: Promise<Prepared> | undefined;

async function prepare(): Promise<Prepared> {
  const context = await GpuContext.open(nodePlatform, undefined);
  const model = await loadModel(smallModel());
  const adapter = await loadTarget(context.traits);
  const plan: Prepared['plan'] = (options) => compileNetwork(model, [1, 3, 64, 64], adapter, options);
  const { convs } = plan({});
  const ways = convs.slice(0, 3).map((spec) => [convKey(spec), chooseMethod(spec, adapter)]);
  return { context, adapter, convs, text: JSON.stringify(Object.fromEntries(ways)), plan };
}

/** Files that a tuner finds where it keeps what it measured. */
export const tuning: Target = {
  async make(rng) {
    prepared ??= prepare();
    const { text } = await prepared;
    if (rng.uniform(0, 1) < 0.5) return mutateBytes(rng, new TextEncoder().encode(text));
    // values of another type in the places of the right ones
    const known = JSON.parse(text) as Record<string, unknown>;
    const key = rng.pick(Object.keys(known));
    known[key] = rng.pick([null, 1, 'direct', [], {}, { method: 'nothing' }, { method: 'direct', tile: -1 }, true]);
    return new TextEncoder().encode(
      JSON.stringify(rng.pick<unknown>([known, [known], known[key], { ...known, x: 1 }])),
    );
  },

  async run(bytes) {
    prepared ??= prepare();
    const { context, adapter, convs, text, plan } = await prepared;
    const tuned = new Set(Object.keys(JSON.parse(text) as object));
    const read = async () => new TextDecoder().decode(bytes);
    const choices = await withinTime(bytes.length, 'reading', () =>
      new Tuner(context, adapter, { read, write: async () => {} }).choose([]),
    );
    const { steps } = plan({ choices });
    if (steps.length < convs.length) throw new Finding(`${steps.length} launches for ${convs.length} convolutions`);
    return [...choices.keys()].some((key) => tuned.has(key)) ? 'taken' : 'ignored';
  },
};
