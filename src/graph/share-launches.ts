import { hasRoomFor, ratesOf } from '../kernels/conv/cost.ts';
import type { AdapterTraits, Dispatch } from '../kernels/dispatch.ts';
import {
  fitsOneLaunch,
  invocationsOf,
  isSociable,
  type Neighbour,
  sideBySide,
  workgroupsOf,
} from '../kernels/side-by-side.ts';
import type { Source, Value } from './operators/operator.ts';
import type { ConstantData, Step } from './plan.ts';

/** A step before values have buffers. */
export interface DraftStep extends Omit<Step, 'operands'> {
  readonly operands: readonly Source[];
}

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
      // of others than convolutions any operand may be one that is written
      const writes = place === operands.length - 1 || !isSociable(dispatch);
      if (!writes) readers.set(operand.id, [...(readers.get(operand.id) ?? []), i]);
      else {
        for (const reader of readers.get(operand.id) ?? []) if (reader !== i) successors[reader]!.push(i);
        readers.delete(operand.id);
        writers.set(operand.id, i);
      }
    });
  });
  return successors;
}

/** How many steps follow one after the other from each on, itself counted. */
function heightsOf(steps: readonly DraftStep[]): number[] {
  const successors = successorsOf(steps);
  const heights = new Array<number>(steps.length).fill(1);
  for (let i = steps.length - 1; i >= 0; i--) {
    for (const next of successors[i]!) if (next !== i) heights[i] = Math.max(heights[i]!, heights[next]! + 1);
  }
  return heights;
}

/** Whether these may be one launch on such an adapter. */
function mayShare(steps: readonly DraftStep[], traits: AdapterTraits): boolean {
  if (steps.some(({ stage, dispatch }) => !isSociable(dispatch) || stage !== steps[0]!.stage)) return false;
  const dispatches = steps.map(({ dispatch }) => dispatch);
  if (!fitsOneLaunch(dispatches, imagesOf(steps).size)) return false;
  // invocations that idle in a workgroup cost nothing as long as all workgroups are under way at once
  const most = Math.max(...dispatches.map(invocationsOf));
  const idle = (dispatch: Dispatch) => invocationsOf(dispatch) < most;
  const workgroups = dispatches.filter(idle).reduce((sum, dispatch) => sum + workgroupsOf(dispatch), 0);
  return hasRoomFor(workgroups, most, ratesOf(traits));
}

/** What the steps bind besides constants, numbered in the order they come: inputs, residuals, outputs. */
function imagesOf(steps: readonly DraftStep[]): Map<number, { readonly number: number; readonly value: Value }> {
  const images = new Map<number, { number: number; value: Value }>();
  for (const { operands } of steps) {
    for (const value of operands) {
      if (value.kind === 'value' && !images.has(value.id)) images.set(value.id, { number: images.size, value });
    }
  }
  return images;
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

  /** Where a constant begins, in vectors of four. */
  add(source: Source): number {
    const { key } = source as Extract<Source, { kind: 'constant' }>;
    const known = this.#starts.get(key);
    if (known !== undefined) return known;
    const start = this.#length / 4;
    this.#starts.set(key, start);
    this.#length += Math.ceil(this.#constants.get(key)!.length / 4) * 4;
    return start;
  }

  contents(): Float32Array<ArrayBuffer> {
    const all = new Float32Array(this.#length);
    for (const [key, start] of this.#starts) all.set(this.#constants.get(key)!, start * 4);
    return all;
  }
}

function share(steps: readonly DraftStep[], constants: Map<string, ConstantData>): DraftStep {
  const images = imagesOf(steps);
  const weights = new Shelf(constants);
  const biases = new Shelf(constants);
  const numberOf = (source: Source) => (source.kind === 'value' ? images.get(source.id)!.number : null);
  const neighbours = steps.map(({ dispatch, operands }): Neighbour => {
    const [input, weight, bias, residual, output] = operands as [Source, Source, Source, Source, Source];
    return {
      dispatch,
      input: numberOf(input)!,
      residual: numberOf(residual),
      output: numberOf(output)!,
      firstWeight: weights.add(weight),
      firstBias: biases.add(bias),
    };
  });
  for (const shelf of [weights, biases]) {
    if (!constants.has(shelf.key)) constants.set(shelf.key, shelf.contents());
  }
  return {
    label: steps.map(({ label }) => label).join(' + '),
    stage: steps[0]!.stage,
    dispatch: sideBySide(neighbours, weights.bytes, biases.bytes),
    operands: [
      { kind: 'constant', key: weights.key },
      { kind: 'constant', key: biases.key },
      ...[...images.values()].map(({ value }) => value),
    ],
  };
}

/**
 * Puts launches side by side that do not wait for each other, each as late as what needs it allows: the heads of all levels, a shortcut
 * and what it goes around. Adds the constants that they share.
 */
export function shareLaunches(
  steps: readonly DraftStep[],
  constants: Map<string, ConstantData>,
  traits: AdapterTraits,
): DraftStep[] {
  const heights = heightsOf(steps);
  const groups: DraftStep[][] = [];
  for (let height = Math.max(0, ...heights); height > 0; height--) {
    const open: DraftStep[][] = [];
    // the longest first: it ends with the launch
    const due = steps.filter((_, i) => heights[i] === height);
    for (const step of due) {
      const host = open.find((group) => mayShare([...group, step], traits));
      if (host) host.push(step);
      else open.push([step]);
    }
    groups.push(...open);
  }
  return groups.map((group) => (group.length === 1 ? group[0]! : share(group, constants)));
}
