import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compileDetector } from '../../src/detector/compile.ts';
import { type Assignment, assignBuffers, type Lifetime } from '../../src/graph/assign-buffers.ts';
import { compileNetwork } from '../../src/graph/compile.ts';
import { loadGeneralOperators } from '../../src/graph/load-operators.ts';
import { loadTarget } from '../../src/graph/load-target.ts';
import type { Operand, Plan, Step } from '../../src/graph/plan.ts';
import type { Target } from '../../src/graph/target.ts';
import { loadModel } from '../../src/loader/load-model.ts';
import type { Model } from '../../src/loader/model.ts';
import { modelFiles, withData } from '../support/data.ts';
import { buildModel } from '../support/onnx-builder.ts';
import { createRng } from '../support/rng.ts';
import { scrfdModel } from './models.ts';
import { randomNetwork } from './random-network.ts';

await loadGeneralOperators();

/** What the compiler asked for last, and a switch for the detector's plan, which has none. */
const planner = vi.hoisted(() => ({ lifetimes: [] as readonly Lifetime[], forbidReuse: false }));

vi.mock('../../src/graph/assign-buffers.ts', async (importOriginal) => {
  const original = await importOriginal<{ assignBuffers: typeof assignBuffers }>();
  return {
    assignBuffers: (lifetimes: readonly Lifetime[], reuse: boolean): Assignment => {
      planner.lifetimes = lifetimes;
      return original.assignBuffers(lifetimes, reuse && !planner.forbidReuse);
    },
  };
});

const TARGETS = [
  await loadTarget({ software: false, subgroupSize: 0 }),
  await loadTarget({ software: true, subgroupSize: 8 }),
];

/** Walks the steps with a slot for each buffer: a value takes its slot at its first step and leaves after its last. */
function checkAssignment(lifetimes: readonly Lifetime[], { bufferOf, buffers }: Assignment): void {
  expect(bufferOf).toHaveLength(lifetimes.length);
  const held = buffers.map((): number | null => null);
  const steps = lifetimes.filter(({ last }) => last >= -1).flatMap(({ first, last }) => [first, last]);
  const end = Math.max(...steps, 0);
  for (let step = -1; step <= end; step++) {
    lifetimes.forEach(({ bytes, first }, value) => {
      if (first !== step) return;
      const buffer = bufferOf[value]!;
      expect(held[buffer], `step ${step}: value ${value} moves into buffer ${buffer}`).toBeNull();
      expect(buffers[buffer], `value ${value} in buffer ${buffer}`).toBeGreaterThanOrEqual(bytes);
      held[buffer] = value;
    });
    lifetimes.forEach(({ last }, value) => {
      if (last === step) held[bufferOf[value]!] = null;
    });
  }
}

describe('assignBuffers', () => {
  const life = (bytes: number, first: number, last: number): Lifetime => ({ bytes, first, last });

  it('shares a buffer between values that follow one another', () => {
    const { bufferOf, buffers } = assignBuffers([life(16, 0, 1), life(64, 1, 2), life(32, 2, 3)], true);
    expect(bufferOf).toEqual([1, 0, 1]);
    expect(buffers).toEqual([64, 32]);
  });

  it('keeps apart what one step reads and writes', () => {
    expect(assignBuffers([life(16, 0, 1), life(16, 1, 2)], true).buffers).toEqual([16, 16]);
  });

  it('gives every value its own without reuse', () => {
    expect(assignBuffers([life(16, 0, 0), life(32, 5, 6)], false)).toEqual({ bufferOf: [0, 1], buffers: [16, 32] });
    expect(assignBuffers([], true)).toEqual({ bufferOf: [], buffers: [] });
  });

  it.each(Array.from({ length: 40 }, (_, seed) => seed))('is sound on random lifetimes, seed %i', (seed) => {
    const rng = createRng(seed);
    const steps = rng.int(1, 60);
    const lifetimes = Array.from({ length: rng.int(1, 80) }, () => {
      const first = rng.int(-1, steps);
      return life(rng.int(1, 50) * 16, first, Math.min(steps, first + rng.int(0, rng.pick([3, 10, steps]))));
    });
    const shared = assignBuffers(lifetimes, true);
    checkAssignment(lifetimes, shared);
    const sum = (values: readonly number[]) => values.reduce((total, bytes) => total + bytes, 0);
    expect(sum(shared.buffers)).toBeLessThanOrEqual(sum(lifetimes.map(({ bytes }) => bytes)));
    checkAssignment(lifetimes, assignBuffers(lifetimes, false));
  });

  it('is judged by a checker that finds faults', () => {
    const lifetimes = [life(16, 0, 2), life(32, 2, 3)];
    expect(() => checkAssignment(lifetimes, { bufferOf: [0, 0], buffers: [32] })).toThrow(
      'value 1 moves into buffer 0',
    );
    expect(() => checkAssignment(lifetimes, { bufferOf: [0, 1], buffers: [16, 16] })).toThrow('value 1 in buffer 1');
  });
});

/** Which bindings, from 1 on, the shader may write. */
function writtenBindings({ dispatch }: Step): boolean[] {
  const declarations = dispatch.source.matchAll(/@binding\((\d+)\)\s*var<storage(?:,\s*(\w+))?>/g);
  const written = dispatch.bindingBytes.map(() => false);
  for (const [, binding, access] of declarations) written[Number(binding) - 1] = access === 'read_write';
  return written;
}

/** What a buffer holds: a value, named by its own buffer in the plan without reuse, after so many writes. */
interface Content {
  readonly value: number;
  readonly writes: number;
}

/**
 * Runs both plans side by side on labels instead of numbers. `start` and `end` are pairs of buffers, in the plan and
 * in the plan without reuse: filled by the host before, read by the host after.
 */
function checkPlan(
  plan: Plan,
  own: Plan,
  start: readonly (readonly [number, number])[],
  end: readonly (readonly [number, number])[],
): void {
  expect(plan.steps.map(({ label }) => label)).toEqual(own.steps.map(({ label }) => label));
  const contents = new Map<number, Content>();
  const writes = new Map<number, number>();
  const write = (buffer: number, value: number) => {
    const held = contents.get(buffer);
    const kept = held?.value === value ? held.writes : 0;
    contents.set(buffer, { value, writes: kept + 1 });
    writes.set(value, (writes.get(value) ?? 0) + 1);
  };
  const read = (who: string, buffer: number, value: number) => {
    expect(contents.get(buffer), `${who} reads buffer ${buffer}`).toEqual({ value, writes: writes.get(value) });
  };
  const indexOf = (operand: Operand | undefined) => (operand?.kind === 'buffer' ? operand.index : null);
  const bytesOf = (operand: Operand) => {
    if (operand.kind === 'buffer') return plan.buffers[operand.index]!;
    return operand.kind === 'constant' ? plan.constants.get(operand.key)!.byteLength : Number.POSITIVE_INFINITY;
  };

  for (const [buffer, value] of start) write(buffer, value);
  plan.steps.forEach((step, i) => {
    const { label, dispatch, operands } = step;
    expect(operands, label).toHaveLength(dispatch.bindingBytes.length);
    operands.forEach((operand, k) => {
      expect(bytesOf(operand), `${label}: binding ${k + 1}`).toBeGreaterThanOrEqual(dispatch.bindingBytes[k]!);
    });
    const written = writtenBindings(step);
    expect(written, label).toContain(true);
    const targets = operands.filter((_, k) => written[k]).map(indexOf);
    expect(new Set(targets).size, `${label} writes a buffer by two bindings`).toBe(targets.length);
    operands.forEach((operand, k) => {
      const buffer = indexOf(operand);
      if (buffer === null || written[k]) return;
      expect(targets, `${label} reads and writes buffer ${buffer}`).not.toContain(buffer);
      read(label, buffer, indexOf(own.steps[i]!.operands[k])!);
    });
    operands.forEach((operand, k) => {
      const buffer = indexOf(operand);
      expect(buffer === null && written[k], `${label}: binding ${k + 1} writes what is no buffer of the plan`).toBe(
        false,
      );
      if (buffer !== null && written[k]) write(buffer, indexOf(own.steps[i]!.operands[k])!);
    });
  });
  for (const [buffer, value] of end) read('the host', buffer, value);
}

function checkNetwork(model: Model, dims: readonly number[], target: Target, tap: readonly string[] = []): void {
  for (const fuse of [true, false]) {
    const own = compileNetwork(model, dims, target, { fuse, reuse: false, tap });
    const plan = compileNetwork(model, dims, target, { fuse, tap });
    checkAssignment(planner.lifetimes, assignBuffers(planner.lifetimes, true));
    const pairs = plan.outputs.map(({ buffer }, i) => [buffer, own.outputs[i]!.buffer] as const);
    checkPlan(plan, own, [[plan.inputs[0]!.buffer, own.inputs[0]!.buffer]], pairs);
  }
}

function checkDetector(model: Model, batch: number, size: number, target: Target): void {
  const spec = { batch, inputSizes: [[size, size]] as const };
  planner.forbidReuse = true;
  const own = compileDetector(model, spec, target);
  planner.forbidReuse = false;
  const plan = compileDetector(model, spec, target);
  checkAssignment(planner.lifetimes, assignBuffers(planner.lifetimes, true));
  expect(plan.buffers.length).toBeLessThan(own.buffers.length);
  const cleared = plan.cleared.map((buffer, i) => [buffer, own.cleared[i]!] as const);
  checkPlan(plan, own, cleared, [[plan.faces, own.faces]]);
}

describe('plans', () => {
  afterEach(() => {
    planner.forbidReuse = false;
  });

  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'of random networks keep their values, seed %i',
    async (seed) => {
      const { spec, inputDims, computed } = randomNetwork(seed);
      const model = await loadModel(buildModel(spec));
      for (const target of TARGETS) checkNetwork(model, inputDims, target, seed % 2 === 0 ? [computed[0]!] : []);
    },
  );

  it.each([1, 3])('of a detector keep their values, batch %i', async (batch) => {
    const model = await scrfdModel({});
    for (const target of TARGETS) {
      checkDetector(model, batch, 64, target);
      checkNetwork(model, [batch, 3, 64, 64], target);
    }
  });

  it('are judged by a checker that finds faults', async () => {
    const { spec, inputDims } = randomNetwork(0);
    const model = await loadModel(buildModel(spec));
    const own = compileNetwork(model, inputDims, TARGETS[0]!, { reuse: false });
    const start = [[own.inputs[0]!.buffer, own.inputs[0]!.buffer]] as const;
    const move = (operand: Operand): Operand => (operand.kind === 'buffer' ? { ...operand, index: 0 } : operand);
    const buffers = own.buffers.map(() => Math.max(...own.buffers));
    const crowded = {
      ...own,
      buffers,
      steps: own.steps.map((step) => ({ ...step, operands: step.operands.map(move) })),
    };
    expect(() => checkPlan(crowded, own, start, [])).toThrow('reads and writes buffer 0');
    expect(() => checkPlan({ ...own, buffers: own.buffers.map(() => 4) }, own, start, [])).toThrow('binding');
    expect(() => checkPlan(own, own, [], [])).toThrow('reads buffer');
    expect(() => checkPlan(own, own, start, [[0, 1]])).toThrow('the host reads');
  });
});

withData('plans of real models', () => {
  it.each(modelFiles().map((path) => [basename(path), path]))('%s keep their values', async (name, path) => {
    const model = await loadModel(readFileSync(path));
    const size = name.includes('static320') ? 320 : 640;
    for (const target of TARGETS) {
      checkNetwork(model, [1, 3, size, size], target);
      checkDetector(model, 1, size, target);
    }
    checkDetector(model, 2, size, TARGETS[0]!);
  });
});
