import { flatGrid } from '../../kernels/dispatch.ts';
import type { GpuContext } from '../../runtime/gpu-context.ts';
import { BufferUsage } from '../../runtime/gpu-flags.ts';
import { type Launchable, withBuffers } from '../../runtime/launch.ts';
import { type LaunchTimer, prepareLaunchTimer } from '../../runtime/launch-timer.ts';

/** The most that this adapter does in kernels made for nothing else. */
export interface Roofline {
  /** Multiply-adds of float32, two operations each, in 10⁹ a second. */
  readonly fmaGflops: number;
  /** Bytes read and bytes written by a copying kernel, in 10⁹ a second. */
  readonly copyGBs: number;
}

/** Long enough for a clock, short enough for a watchdog. */
const TARGET_MS = 20;
const REPEATS = 5;
/** Fills every adapter and keeps the shortest run of the slowest one near a millisecond. */
const FMA_INVOCATIONS = 2 ** 19;
const FMA_UNROLL = 8;
/** Beyond all caches, and what every WebGPU device can bind. */
const COPY_BYTES = 2 ** 27;

function fmaShader(workgroup: number, accumulators: number, multiplyAdd: (a: string) => string): string {
  const names = Array.from({ length: accumulators }, (_, i) => `a${i}`);
  const round = names.map((name) => `    ${name} = ${multiplyAdd(name)};`).join('\n');
  return `
struct Params { x: f32, y: f32, rounds: u32, unused: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = params.x;
  let y = params.y;
  let rounds = params.rounds;
${names.map((name, i) => `  var ${name} = f32(id.x + ${i}u);`).join('\n')}
  for (var i = 0u; i < rounds; i++) {
${Array.from({ length: FMA_UNROLL }, () => round).join('\n')}
  }
  result[id.x] = ${names.join(' + ')};
}`;
}

function copyShader(workgroup: number, each: number): string {
  const copies = Array.from({ length: each }, (_, i) => `  target_[at + ${i}u * count] = source[at + ${i}u * count];`);
  return `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4f>;
@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * ${workgroup}u + id.x;
  let count = ${COPY_BYTES / 16 / each}u;
  if (at >= count) { return; }
${copies.join('\n')}
}`;
}

async function fastest(run: LaunchTimer): Promise<number> {
  let best = await run();
  for (let i = 1; i < REPEATS; i++) best = Math.min(best, await run());
  return best;
}

async function measureFma(context: GpuContext, params: GPUBuffer, result: GPUBuffer, staging: GPUBuffer) {
  const { queue } = context.device;
  // values settle at 0.5: neither denormal nor infinite
  const setRounds = (rounds: number) => {
    const view = new DataView(new ArrayBuffer(16));
    view.setFloat32(0, 0.5, true);
    view.setFloat32(4, 0.25, true);
    view.setUint32(8, rounds, true);
    queue.writeBuffer(params, 0, view.buffer);
  };
  let best = 0;
  for (const multiplyAdd of [(a: string) => `fma(${a}, x, y)`, (a: string) => `${a} * x + y`]) {
    for (const accumulators of [8, 12]) {
      for (const workgroup of [64, 256]) {
        const dispatch: Launchable = {
          kernel: `fma × ${accumulators}`,
          source: fmaShader(workgroup, accumulators, multiplyAdd),
          workgroups: [FMA_INVOCATIONS / workgroup, 1, 1],
        };
        const bindings = [{ buffer: params }, { buffer: result }];
        const run = await prepareLaunchTimer(context, [{ dispatch, bindings }], staging);
        let rounds = 1;
        setRounds(rounds);
        // the first run compiles
        await run();
        for (let ms = await run(); ms < TARGET_MS / 2; ms = await run()) {
          rounds *= ms < TARGET_MS / 16 ? 8 : 2;
          setRounds(rounds);
        }
        const operations = 2 * FMA_INVOCATIONS * FMA_UNROLL * accumulators * rounds;
        best = Math.max(best, operations / 1e6 / (await fastest(run)));
      }
    }
  }
  return best;
}

async function measureCopy(context: GpuContext, source: GPUBuffer, target: GPUBuffer, staging: GPUBuffer) {
  let best = 0;
  for (const each of [1, 4]) {
    for (const workgroup of [64, 256]) {
      const dispatch: Launchable = {
        kernel: `copy × ${each}`,
        source: copyShader(workgroup, each),
        workgroups: flatGrid(COPY_BYTES / 16 / each, workgroup),
      };
      const bindings = [{ buffer: source }, { buffer: target }];
      const run = await prepareLaunchTimer(context, [{ dispatch, bindings }], staging);
      best = Math.max(best, (2 * COPY_BYTES) / 1e6 / (await fastest(run)));
    }
  }
  return best;
}

/** Measures what the adapter does at best: the fastest of a few kernels, at their fastest. @throws DeviceError */
export function measureRoofline(context: GpuContext): Promise<Roofline> {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = BufferUsage;
  return withBuffers(
    context,
    'measuring the ceilings',
    (create) => ({
      params: create('params', 16, UNIFORM | COPY_DST),
      result: create('sums', FMA_INVOCATIONS * 4, STORAGE | COPY_SRC),
      source: create('source', COPY_BYTES, STORAGE),
      target: create('target', COPY_BYTES, STORAGE | COPY_SRC),
      staging: create('read-back', 16, MAP_READ | COPY_DST),
    }),
    async ({ params, result, source, target, staging }) => ({
      fmaGflops: await measureFma(context, params, result, staging),
      copyGBs: await measureCopy(context, source, target, staging),
    }),
  );
}
