import type { Operand, Plan, Step } from '../graph/plan.ts';
import { UNIFORM_ALIGNMENT } from '../kernels/dispatch.ts';
import type { ConstantStore } from './constant-store.ts';
import type { GpuContext } from './gpu-context.ts';
import { BufferUsage } from './gpu-flags.ts';
import type { GpuTimer } from './gpu-timer.ts';
import { PollPacer } from './poll-pacer.ts';
import type { OnCompile } from './progress.ts';

interface BoundStep {
  readonly step: Step;
  readonly pipeline: GPUComputePipeline;
  readonly paramsOffset: number;
  /** Made on first use and again when an external buffer is replaced. */
  bindGroup: GPUBindGroup | null;
}

function align(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Reports pipelines as they are compiled; those of equal steps are one. What the callback throws is thrown. */
async function reportEach(compiling: readonly Promise<GPUComputePipeline>[], onCompile: OnCompile): Promise<void> {
  const distinct = new Set(compiling);
  let compiled = 0;
  const report = () => onCompile({ phase: 'compile', compiled: compiled++, total: distinct.size });
  // how many there are is told before any is done
  report();
  await Promise.all([...distinct].map((pipeline) => pipeline.then(report)));
}

/** Launches of a run that hardware begins with while the CPU submits the others. */
const FIRST_LAUNCHES = 4;

/** A plan on a device: owns its buffers, pipelines and bind groups; a run only encodes. */
export class Executor {
  readonly #context: GpuContext;
  readonly #plan: Plan;
  readonly #buffers: readonly GPUBuffer[];
  readonly #store: ConstantStore;
  readonly #constants: ReadonlyMap<string, GPUBuffer>;
  readonly #params: GPUBuffer;
  readonly #steps: readonly BoundStep[];
  readonly #externals = new Map<string, GPUBuffer>();
  #ahead: GPUCommandBuffer[][] | null = null;
  /** How long this plan's runs take. */
  readonly pacer = new PollPacer();

  private constructor(
    context: GpuContext,
    store: ConstantStore,
    plan: Plan,
    buffers: readonly GPUBuffer[],
    constants: ReadonlyMap<string, GPUBuffer>,
    params: GPUBuffer,
    steps: readonly BoundStep[],
  ) {
    this.#context = context;
    this.#store = store;
    this.#plan = plan;
    this.#buffers = buffers;
    this.#constants = constants;
    this.#params = params;
    this.#steps = steps;
  }

  /** Compiles, allocates and uploads. @throws DeviceError */
  static async create(
    context: GpuContext,
    constants: ConstantStore,
    plan: Plan,
    onCompile?: OnCompile,
  ): Promise<Executor> {
    context.assertActivations(plan.buffers);
    const compiling = plan.steps.map(({ dispatch: { kernel, source, overrides } }) =>
      context.pipeline(kernel, source, overrides),
    );
    if (onCompile) await reportEach(compiling, onCompile);
    const pipelines = await Promise.all(compiling);
    // one plan after the other: they share weights, which must be there for sure
    return constants.allocations.run(async () => {
      const uploaded = new Map<string, GPUBuffer>();
      try {
        return await context.allocate('allocating the network', (own) => {
          const { device } = context;
          const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
          const buffers = plan.buffers.map((size, i) =>
            own(device.createBuffer({ label: `activations ${i}`, size, usage })),
          );
          for (const [key, data] of plan.constants) uploaded.set(key, constants.acquire(key, data));
          let size = 0;
          const steps = plan.steps.map((step, i): BoundStep => {
            const paramsOffset = size;
            size += align(step.dispatch.params.byteLength, UNIFORM_ALIGNMENT);
            return { step, pipeline: pipelines[i]!, paramsOffset, bindGroup: null };
          });
          const params = own(
            device.createBuffer({ label: 'params', size, usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST }),
          );
          const contents = new Uint8Array(size);
          for (const { step, paramsOffset } of steps) contents.set(step.dispatch.params, paramsOffset);
          device.queue.writeBuffer(params, 0, contents);
          return new Executor(context, constants, plan, buffers, uploaded, params, steps);
        });
      } catch (error) {
        for (const [key, buffer] of uploaded) constants.release(key, buffer);
        throw error;
      }
    });
  }

  /** A planned buffer. */
  buffer(index: number): GPUBuffer {
    return this.#buffers[index]!;
  }

  /** Sets an external buffer, which stays its owner's. */
  bind(name: string, buffer: GPUBuffer): void {
    if (this.#externals.get(name) === buffer) return;
    this.#externals.set(name, buffer);
    this.#ahead = null;
    for (const bound of this.#steps) {
      const uses = bound.step.operands.some((operand) => operand.kind === 'external' && operand.name === name);
      if (uses) bound.bindGroup = null;
    }
  }

  /**
   * Encodes one run: one compute pass, or as many as the timer, one of the same plan, asks for. Or launches from `first` on, up to `end`,
   * of a run that is encoded in parts.
   */
  encode(encoder: GPUCommandEncoder, timer?: GpuTimer, first = 0, end = this.#steps.length): void {
    if (first === 0) for (const index of this.#plan.cleared) encoder.clearBuffer(this.buffer(index));
    for (const { first: from, end: to, ...descriptor } of timer?.passes ?? [{ first, end }]) {
      const pass = encoder.beginComputePass(descriptor);
      this.#encodeSteps(pass, from, to);
      pass.end();
    }
    timer?.resolve(encoder);
  }

  /**
   * The commands of one run, to be submitted once, group by group: those that were encoded ahead, if any were. Two groups on hardware,
   * which begins with the first while the CPU is busy with the second; software adapters have no core to spare for that. What must come
   * before may be put into the first.
   */
  commands(timer?: GpuTimer): GPUCommandBuffer[][] {
    const ahead = this.#ahead;
    if (ahead && !timer) {
      this.#ahead = null;
      return ahead;
    }
    const { device, traits } = this.#context;
    const part = (first?: number, end?: number) => {
      const encoder = device.createCommandEncoder();
      this.encode(encoder, timer, first, end);
      return [encoder.finish()];
    };
    const isWhole = timer || traits.software || this.#steps.length <= FIRST_LAUNCHES;
    return isWhole ? [part()] : [part(0, FIRST_LAUNCHES), part(FIRST_LAUNCHES)];
  }

  /** Encodes the next run while the GPU computes: WebGPU forgets commands with their submission, and they are the same each time. */
  encodeAhead(): void {
    this.#ahead ??= this.commands();
  }

  /** Encodes and binds anew: what a run that failed left may have failed with it. */
  forget(): void {
    this.#ahead = null;
    for (const bound of this.#steps) bound.bindGroup = null;
  }

  /** Leaves external buffers to their owners. */
  dispose(): void {
    for (const [key, buffer] of this.#constants) this.#store.release(key, buffer);
    for (const buffer of this.#buffers) buffer.destroy();
    this.#params.destroy();
  }

  #encodeSteps(pass: GPUComputePassEncoder, first: number, end: number): void {
    let current: GPUComputePipeline | null = null;
    for (let i = first; i < end; i++) {
      const bound = this.#steps[i]!;
      const { pipeline } = bound;
      const [x, y, z] = bound.step.dispatch.workgroups;
      // every call into WebGPU takes about a microsecond of the CPU
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      bound.bindGroup ??= this.#makeBindGroup(bound);
      pass.setBindGroup(0, bound.bindGroup);
      pass.dispatchWorkgroups(x, y, z);
    }
  }

  #makeBindGroup({ step, pipeline, paramsOffset }: BoundStep): GPUBindGroup {
    const params = { buffer: this.#params, offset: paramsOffset, size: step.dispatch.params.byteLength };
    const entries = [params, ...step.operands.map((operand) => this.#resolve(operand))];
    return this.#context.device.createBindGroup({
      label: step.label,
      layout: pipeline.getBindGroupLayout(0),
      entries: entries.map((resource, binding) => ({ binding, resource })),
    });
  }

  #resolve(operand: Operand): GPUBufferBinding {
    switch (operand.kind) {
      case 'buffer':
        return { buffer: this.buffer(operand.index) };
      case 'constant': {
        const buffer = this.#constants.get(operand.key)!;
        return operand.range ? { buffer, offset: operand.range.offset, size: operand.range.bytes } : { buffer };
      }
      case 'external': {
        const buffer = this.#externals.get(operand.name);
        if (!buffer) throw new Error(`external buffer "${operand.name}" is not bound`);
        return { buffer };
      }
      default:
        return operand satisfies never;
    }
  }
}
