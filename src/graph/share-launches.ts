import { type AdapterTraits, type Dispatch, MAX_BINDING_BYTES } from '../kernels/dispatch.ts';
import { hasRoomFor } from '../kernels/hardware/cost.ts';
import { ratesOf } from '../kernels/hardware/rates.ts';
import {
  declarationsOf,
  firstOverride,
  invocationsOf,
  isSociable,
  type Neighbour,
  sideBySide,
} from '../kernels/hardware/side-by-side.ts';
import type { Source } from './operators/operator.ts';
import type { ConstantData, Step } from './plan.ts';

/** A step before values have buffers. */
export interface DraftStep extends Omit<Step, 'operands'> {
  readonly operands: readonly Source[];
  /** The same launch by workgroups of so many invocations, where that is to be had. */
  readonly resize?: ((invocations: number) => Dispatch | undefined) | undefined;
}

/** WebGPU's guaranteed maximum of storage buffers that a launch binds. */
const STORAGE_BUFFERS = 8;

/** What steps wait for each other for: a step after one that writes what it reads or writes, or that reads what it writes. */
function successorsOf(steps: readonly DraftStep[]): number[][] {
  const successors: number[][] = steps.map(() => []);
  const writers = new Map<number, number>();
  const readers = new Map<number, number[]>();
  steps.forEach(({ dispatch, operands }, i) => {
    operands.forEach((operand, place) => {
      if (operand.kind !== 'value') return;
      const writer = writers.get(operand.id);
      if (writer !== undefined) successors[writer]!.push(i);
      // of launches that never run beside others any operand may be one that is written
      const writes = place === operands.length - 1 || !isSociable(dispatch);
      const reading = readers.get(operand.id) ?? [];
      if (!writes) {
        reading.push(i);
        readers.set(operand.id, reading);
      } else {
        for (const reader of reading) successors[reader]!.push(i);
        readers.delete(operand.id);
        writers.set(operand.id, i);
      }
    });
  });
  return successors.map((each, i) => each.filter((next) => next !== i));
}

/** The steps by how many follow one after the other from each on: those at the end in the first list. */
function byHeight(steps: readonly DraftStep[]): DraftStep[][] {
  const successors = successorsOf(steps);
  const heights = new Array<number>(steps.length).fill(0);
  for (let i = steps.length - 1; i >= 0; i--) {
    for (const next of successors[i]!) heights[i] = Math.max(heights[i]!, heights[next]! + 1);
  }
  const levels: DraftStep[][] = [];
  steps.forEach((step, i) => {
    const level = levels[heights[i]!] ?? [];
    level.push(step);
    levels[heights[i]!] = level;
  });
  return levels;
}

/** Workgroups of one image of a batch: what is shared must not depend on how many there are. */
const workgroupsOf = ({ workgroups: [x, y] }: Dispatch) => x * y;

/** The step as it can run beside others of such workgroups; undefined where that would cost more than a launch. */
function beside(step: DraftStep, invocations: number, traits: AdapterTraits): DraftStep | undefined {
  const { dispatch, resize } = step;
  if (invocationsOf(dispatch) === invocations) return step;
  const resized = resize?.(invocations);
  if (resized) return { ...step, dispatch: resized };
  // invocations that idle in a workgroup cost nothing as long as all workgroups are under way at once
  const idles = invocationsOf(dispatch) < invocations;
  return idles && hasRoomFor(workgroupsOf(dispatch), invocations, ratesOf(traits)) ? step : undefined;
}

/** Constants of several steps, one behind the other; each once. */
class Shelf {
  readonly #starts = new Map<string, number>();
  readonly #constants: ReadonlyMap<string, ConstantData>;
  #length = 0;

  constructor(constants: ReadonlyMap<string, ConstantData>) {
    this.#constants = constants;
  }

  get key(): string {
    return [...this.#starts.keys()].join(' + ');
  }

  get bytes(): number {
    return this.#length * 4;
  }

  /** Where a constant begins, in floats. */
  add(key: string): number {
    const known = this.#starts.get(key);
    if (known !== undefined) return known;
    const start = this.#length;
    this.#starts.set(key, start);
    // vectors begin at whole vectors
    this.#length += Math.ceil(this.#constants.get(key)!.length / 4) * 4;
    return start;
  }

  contents(): Float32Array<ArrayBuffer> {
    const all = new Float32Array(this.#length);
    for (const [key, start] of this.#starts) all.set(this.#constants.get(key)!, start);
    return all;
  }
}

/** What several steps bind: their values, and their constants by the names that shaders have for them. */
class Bindings {
  readonly #constants: Map<string, ConstantData>;
  /** Values by their ids and what kernels read them as; shelves by the names of constants. */
  readonly #slots = new Map<string, number>();
  readonly #sources: (Source | Shelf)[] = [];

  constructor(constants: Map<string, ConstantData>) {
    this.#constants = constants;
  }

  get count(): number {
    return this.#sources.length;
  }

  #slotOf(key: string, make: () => Source | Shelf): number {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    this.#slots.set(key, this.#sources.length);
    return this.#sources.push(make()) - 1;
  }

  add({ dispatch, operands }: DraftStep): Neighbour {
    const declared = declarationsOf(dispatch);
    const slots: number[] = [];
    const firsts: Record<string, number> = {};
    operands.forEach((operand, place) => {
      const { name, type } = declared[place]!;
      if (operand.kind === 'value') {
        slots.push(this.#slotOf(`${operand.id} ${type}`, () => operand));
        return;
      }
      const { key } = operand as Extract<Source, { kind: 'constant' }>;
      const override = firstOverride(dispatch, name);
      if (override === undefined) {
        // what stands for a residual that is not there, and is never read
        slots.push(slots[0]!);
        return;
      }
      const slot = this.#slotOf(name, () => new Shelf(this.#constants));
      const start = (this.#sources[slot] as Shelf).add(key);
      slots.push(slot);
      firsts[override] = type === 'f32' ? start : start / 4;
    });
    return { dispatch, slots, firsts };
  }

  /** Adds the constants that now lie behind one another. */
  operands(): Source[] {
    return this.#sources.map((source) => {
      if (!(source instanceof Shelf)) return source;
      if (!this.#constants.has(source.key)) this.#constants.set(source.key, source.contents());
      return { kind: 'constant', key: source.key };
    });
  }

  sharedBytes(): Map<number, number> {
    return new Map(this.#sources.flatMap((source, slot) => (source instanceof Shelf ? [[slot, source.bytes]] : [])));
  }
}

function share(steps: readonly DraftStep[], constants: Map<string, ConstantData>): DraftStep {
  const bindings = new Bindings(constants);
  const neighbours = steps.map((step) => bindings.add(step));
  return {
    label: steps.map(({ label }) => label).join(' + '),
    stage: steps[0]!.stage,
    dispatch: sideBySide(neighbours, bindings.sharedBytes()),
    operands: bindings.operands(),
  };
}

/** Invocations of workgroups that are tried besides those that the steps have. */
const SIZES = [64, 96, 128, 192, 256];

/** These steps with workgroups of one size, the one with which they take the least time by the model; undefined where none suits all. */
function ofOneSize(steps: readonly DraftStep[], traits: AdapterTraits): DraftStep[] | undefined {
  const timeOf = (each: readonly DraftStep[]) =>
    each.reduce((sum, { dispatch }) => sum + (dispatch.microseconds ?? 0), 0);
  let best: DraftStep[] | undefined;
  for (const size of new Set([...steps.map(({ dispatch }) => invocationsOf(dispatch)), ...SIZES])) {
    const resized = steps.flatMap((step) => beside(step, size, traits) ?? []);
    if (resized.length === steps.length && (!best || timeOf(resized) < timeOf(best))) best = resized;
  }
  return best;
}

/** Whether these may be one launch. */
function mayShare(steps: readonly DraftStep[], constants: Map<string, ConstantData>, traits: AdapterTraits): boolean {
  if (steps.some(({ dispatch, stage }) => !isSociable(dispatch) || stage !== steps[0]!.stage)) return false;
  const bindings = new Bindings(constants);
  for (const step of steps) bindings.add(step);
  const bindable = [...bindings.sharedBytes().values()].every((bytes) => bytes <= MAX_BINDING_BYTES);
  const few = bindings.count <= (traits.storageBuffers ?? STORAGE_BUFFERS);
  return few && bindable && ofOneSize(steps, traits) !== undefined;
}

/** Launches that the next step is tried beside: of very many steps most find room in none. */
const OPEN_GROUPS = 8;

/**
 * Puts launches side by side that do not wait for each other, each as late as what needs it allows: the heads of all levels, a shortcut
 * and what it goes around. Adds the constants that they share.
 */
export function shareLaunches(
  steps: readonly DraftStep[],
  constants: Map<string, ConstantData>,
  traits: AdapterTraits,
): DraftStep[] {
  const shared: DraftStep[] = [];
  for (const due of byHeight(steps).toReversed()) {
    // the longest first: others start while it ends
    due.sort((a, b) => (b.dispatch.microseconds ?? 0) - (a.dispatch.microseconds ?? 0));
    const groups: DraftStep[][] = [];
    for (const step of due) {
      const host = groups.slice(-OPEN_GROUPS).find((group) => mayShare([...group, step], constants, traits));
      if (host) host.push(step);
      else groups.push([step]);
    }
    for (const group of groups)
      shared.push(group.length === 1 ? group[0]! : share(ofOneSize(group, traits)!, constants));
  }
  return shared;
}
