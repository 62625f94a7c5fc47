import { DeviceError } from '../common/errors.ts';
import type { Step } from '../graph/plan.ts';
import type { GpuContext } from './gpu-context.ts';
import { BufferUsage } from './gpu-flags.ts';

/**
 * A number for the whole run, for every stage, or for every step of the plan. A run is one compute pass, as it is when
 * nothing is timed; stages and steps are passes of their own, each of which costs time: see `scrfd bench --kernels`.
 */
export type Granularity = 'run' | 'stage' | 'step';

/** What a timer needs to know of a plan. */
export interface TimedPlan {
  readonly steps: readonly Pick<Step, 'label' | 'stage'>[];
}

/** Steps `[first, end)`, encoded as one compute pass. */
export interface TimedPass {
  readonly first: number;
  readonly end: number;
  readonly timestampWrites: GPUComputePassTimestampWrites;
}

/** WebGPU's maximum of queries in a set. */
const MAX_QUERIES = 4096;
const TIMESTAMP_BYTES = 8;

/** GPU times of one plan's runs by timestamp queries. `Executor.encode` takes it; one run at a time. */
export class GpuTimer {
  /** What `read` gives numbers of, in its order: the run, the stages as they first come, or the labels of all steps. */
  readonly labels: readonly string[];
  readonly passes: readonly TimedPass[];
  /** For every pass the place in `labels` that its time counts for. */
  readonly #targets: readonly number[];
  readonly #context: GpuContext;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  private constructor(context: GpuContext, labels: readonly string[], steps: readonly number[]) {
    // neighbours that count for the same label share a pass
    const starts = steps.flatMap((target, i) => (i === 0 || target !== steps[i - 1] ? [i] : []));
    const count = starts.length * 2;
    if (count > MAX_QUERIES) {
      const passes = `${starts.length} passes, this GPU device has queries for ${MAX_QUERIES / 2}`;
      throw new DeviceError('limits', `timing needs ${passes}`);
    }
    const { device } = context;
    const size = count * TIMESTAMP_BYTES;
    this.labels = labels;
    this.#targets = starts.map((first) => steps[first]!);
    this.#context = context;
    this.#queries = device.createQuerySet({ label: 'timer', type: 'timestamp', count });
    this.#resolved = device.createBuffer({
      label: 'timestamps',
      size,
      usage: BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC,
    });
    this.#staging = device.createBuffer({
      label: 'read-back of timestamps',
      size,
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    });
    this.passes = starts.map((first, i) => ({
      first,
      end: starts[i + 1] ?? steps.length,
      timestampWrites: {
        querySet: this.#queries,
        beginningOfPassWriteIndex: i * 2,
        endOfPassWriteIndex: i * 2 + 1,
      },
    }));
  }

  /** Null where the device has no timestamps. @throws DeviceError for more passes than there are queries */
  static create(context: GpuContext, plan: TimedPlan, granularity: Granularity): GpuTimer | null {
    if (!context.device.features.has('timestamp-query')) return null;
    if (granularity === 'step') {
      const labels = plan.steps.map(({ label }) => label);
      return new GpuTimer(context, labels, [...labels.keys()]);
    }
    const stages = plan.steps.map(({ stage }) => (granularity === 'run' ? 'run' : stage));
    const labels = [...new Set(stages)];
    return new GpuTimer(
      context,
      labels,
      stages.map((stage) => labels.indexOf(stage)),
    );
  }

  /** Ends the encoding of a timed run: `Executor.encode` calls it. */
  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, this.passes.length * 2, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, this.#staging.size);
  }

  /** Milliseconds for each of `labels`, of the last run that was submitted. @throws DeviceError */
  async read(): Promise<number[]> {
    await this.#context.map(this.#staging, 0, this.#staging.size);
    const stamps = new BigUint64Array(this.#staging.getMappedRange());
    const times = this.labels.map(() => 0);
    this.#targets.forEach((target, i) => {
      const nanoseconds = Number(stamps[i * 2 + 1]! - stamps[i * 2]!);
      // WebGPU lets clocks step back, where a GPU changes its frequency for one
      times[target]! += Math.max(0, nanoseconds) / 1e6;
    });
    this.#staging.unmap();
    return times;
  }

  /** Idempotent. */
  dispose(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
    this.#staging.destroy();
  }
}
