import { DeviceError } from '../common/errors.ts';
import { TaskQueue } from '../common/task-queue.ts';
import type { ModelPlan } from '../graph/plan.ts';
import type { ConvLaunch, ConvOperand } from '../kernels/conv/method.ts';
import {
  type ConvChoices,
  type ConvTarget,
  type ConvWay,
  chooseMethod,
  convKey,
  planConv,
  withPrecision,
} from '../kernels/conv/methods.ts';
import { alone, type ConvSpec } from '../kernels/conv/spec.ts';
import { otherWays, shapesOf, worthTiming } from '../kernels/conv/worth-timing.ts';
import { MAX_WORKGROUPS, type Precision } from '../kernels/dispatch.ts';
import type { GpuContext } from './gpu-context.ts';
import { BufferUsage } from './gpu-flags.ts';
import { withBuffers } from './launch.ts';
import { type BoundLaunch, type LaunchTimer, prepareLaunchTimer } from './launch-timer.ts';

/** To be raised when kernels change: what was measured before is measured anew. */
const VERSION = 3;
/** How long a run must be beside a clock's steps. */
const TARGET_MS = 3;
const MAX_ROUNDS = 256;
const REPEATS = 3;
/** How many times more rounds are tried while a run is too short. */
const GROWTH = 4;
/** A method replaces the default one when it takes less than this part of its time. */
const CLEARLY_FASTER = 0.95;

/** Small texts that are kept between runs, by name. */
export interface TuningStore {
  /** Null for what was never written, or cannot be read. */
  read(name: string): Promise<string | null>;
  /** Keeps a text where that is possible. */
  write(name: string, text: string): Promise<void>;
}

/** Finds the fastest way to compute every convolution by timing those that may be it on the device; keeps what it found. */
export class Tuner {
  readonly #context: GpuContext;
  readonly #target: ConvTarget;
  readonly #store: TuningStore;
  readonly #precision: Precision;
  readonly #queue = new TaskQueue();
  readonly #choices = new Map<string, ConvWay>();

  constructor(context: GpuContext, target: ConvTarget, store: TuningStore, precision: Precision = 'f32') {
    this.#context = context;
    this.#target = target;
    this.#store = store;
    this.#precision = precision;
  }

  /** A plan with the fastest methods. @throws DeviceError, and `signal.reason` when aborted */
  async plan<P extends ModelPlan>(compile: (choices?: ConvChoices) => P, signal?: AbortSignal): Promise<P> {
    const known = await this.choose([]);
    const plan = compile(known);
    // what is too large is refused before seconds are spent
    this.#context.assertActivations(plan.buffers);
    const worth = worthTiming(plan.convs, this.#target);
    if (worth.every((spec) => known.has(convKey(spec)))) return plan;
    return compile(await this.choose(worth, signal));
  }

  /**
   * The choices for these convolutions; times those that were never timed on this adapter.
   * @throws DeviceError, and `signal.reason` when aborted, having kept what was found until then
   */
  choose(convs: readonly ConvSpec[], signal?: AbortSignal): Promise<ConvChoices> {
    return this.#queue.run(async () => {
      const name = storeName(this.#context, this.#precision);
      const choices = this.#choices;
      // with what others have found meanwhile
      for (const [key, method] of await this.#readKept(name)) if (!choices.has(key)) choices.set(key, method);
      const known = choices.size;
      const unknown = shapesOf(convs).filter((spec) => !choices.has(convKey(spec)));
      try {
        await compileAll(this.#context, this.#target, unknown, this.#precision);
        for (const spec of unknown) {
          signal?.throwIfAborted();
          choices.set(convKey(spec), await fastestWay(this.#context, this.#target, spec, this.#precision));
        }
      } finally {
        if (choices.size > known) {
          const all = new Map([...(await this.#readKept(name)), ...choices]);
          await this.#store.write(name, JSON.stringify(Object.fromEntries(all)));
        }
      }
      return new Map(choices);
    });
  }

  async #readKept(name: string): Promise<Map<string, ConvWay>> {
    return parseChoices(await this.#store.read(name));
  }
}

function storeName({ device: { adapterInfo }, traits }: GpuContext, precision: Precision): string {
  const { vendor, architecture, device, description } = adapterInfo;
  const parts = ['convolutions', VERSION, precision, vendor, architecture, device, description, traits.subgroupSize];
  return parts.join(' ').replaceAll(/[^\w.]+/g, '-');
}

/** What is damaged counts as not known. */
function parseChoices(text: string | null): Map<string, ConvWay> {
  try {
    const entries = Object.entries(JSON.parse(text ?? '{}') as Record<string, ConvWay>);
    return new Map(entries.filter(([, way]) => typeof way === 'string'));
  } catch {
    return new Map();
  }
}

async function fastestWay(
  context: GpuContext,
  target: ConvTarget,
  conv: ConvSpec,
  precision: Precision,
): Promise<ConvWay> {
  const spec = alone(conv);
  const [usual, ...others] = waysToTime(context, target, spec);
  if (others.length === 0) return usual;
  const [usualTime, ...otherTimes] = await timeMethods(context, target, spec, [usual, ...others], precision);
  const least = Math.min(...otherTimes);
  return least < usualTime! * CLEARLY_FASTER ? others[otherTimes.indexOf(least)]! : usual;
}

/** The way that is taken unasked, and those that may be faster and that the device can launch. */
function waysToTime(
  context: GpuContext,
  target: ConvTarget,
  spec: ConvSpec,
): readonly [usual: ConvWay, ...others: ConvWay[]] {
  const others = otherWays(spec, target).filter((way) => fits(context, target, spec, way));
  return [chooseMethod(spec, target), ...others];
}

/** What a way launches, with images as the network has them. */
function launchesOf(way: ConvWay, spec: ConvSpec, target: ConvTarget, precision: Precision): ConvLaunch[] {
  return planConv(way, spec, target).launches.map((launch) => withPrecision(launch, precision));
}

/** Compiles all that is to be timed side by side; what fails to compile fails again, and is told, when it is timed. */
async function compileAll(
  context: GpuContext,
  target: ConvTarget,
  specs: readonly ConvSpec[],
  precision: Precision,
): Promise<void> {
  const launches = specs
    .map(alone)
    .flatMap((spec) => waysToTime(context, target, spec).flatMap((way) => launchesOf(way, spec, target, precision)));
  await Promise.allSettled(
    launches.map(({ dispatch: { kernel, source, overrides } }) => context.pipeline(kernel, source, overrides)),
  );
}

/** Whether the device can launch a method. */
function fits(context: GpuContext, target: ConvTarget, spec: ConvSpec, name: ConvWay): boolean {
  const most = context.maxBinding;
  return planConv(name, spec, target).launches.every(
    ({ dispatch: { bindingBytes, workgroups } }) =>
      bindingBytes.every((bytes) => bytes <= most) && workgroups.every((count) => count <= MAX_WORKGROUPS),
  );
}

/** Milliseconds of each method on buffers of zeros; infinite for one that the driver does not compile. @throws DeviceError */
export async function timeMethods(
  context: GpuContext,
  target: ConvTarget,
  spec: ConvSpec,
  names: readonly ConvWay[],
  precision: Precision = 'f32',
): Promise<number[]> {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = BufferUsage;
  const plans = names.map((name) => launchesOf(name, spec, target, precision));
  return withBuffers(
    context,
    'allocating for tuning',
    (create) => {
      const buffers = new Map(
        [...operandSizes(plans.flat())].map(([operand, size]) => [
          operand,
          create(operand, size, STORAGE | UNIFORM | COPY_SRC),
        ]),
      );
      const bind = ({ dispatch, operands, weightsRange }: ConvLaunch): BoundLaunch => {
        const bindings = operands.map((operand): GPUBufferBinding => {
          const buffer = buffers.get(operand)!;
          // of weights any part will do
          return operand === 'weights' && weightsRange ? { buffer, size: weightsRange.bytes } : { buffer };
        });
        return { dispatch, bindings: [{ buffer: create('params', dispatch.params, UNIFORM) }, ...bindings] };
      };
      return {
        bound: plans.map((launches) => launches.map(bind)),
        staging: create('read-back', 16, MAP_READ | COPY_DST),
      };
    },
    async ({ bound, staging }) => {
      const timers: LaunchTimer[] = [];
      for (const launches of bound) {
        timers.push(await prepareLaunchTimer(context, launches, staging).catch(leaveUncompiled));
      }
      return timeInTurn(timers);
    },
  );
}

/** A driver's bug in one method leaves the others to choose from. */
function leaveUncompiled(error: unknown): LaunchTimer {
  if (error instanceof DeviceError && error.reason === 'shader') return async () => Number.POSITIVE_INFINITY;
  throw error;
}

/** Bytes that suffice for every launch. */
function operandSizes(launches: readonly ConvLaunch[]): Map<ConvOperand, number> {
  const sizes = new Map<ConvOperand, number>();
  for (const { dispatch, operands } of launches) {
    operands.forEach((operand, i) => {
      sizes.set(operand, Math.max(sizes.get(operand) ?? 16, dispatch.bindingBytes[i]!));
    });
  }
  return sizes;
}

/** The shortest time of each, in turn, so that a clock that speeds up is everybody's. */
async function timeInTurn(timers: readonly LaunchTimer[]): Promise<number[]> {
  // first runs compile
  for (const time of timers) await time();
  let rounds = 1;
  while (rounds < MAX_ROUNDS && (await timers[0]!(rounds)) < TARGET_MS) rounds *= GROWTH;
  const best = timers.map(() => Number.POSITIVE_INFINITY);
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [i, time] of timers.entries()) best[i] = Math.min(best[i]!, await time(rounds));
  }
  return best.map((ms) => ms / rounds);
}
