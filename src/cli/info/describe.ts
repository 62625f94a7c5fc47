import { identifyModel, type ModelIdentity } from '../../architectures/identify.ts';
import { countLayers } from '../../architectures/layers.ts';
import { ARCHITECTURES, type Architecture } from '../../architectures/published.ts';
import { ModelError } from '../../common/errors.ts';
import type { Size } from '../../common/geometry.ts';
import type { Dims } from '../../common/tensor.ts';
import { compileDetector } from '../../detector/compile.ts';
import { headLayoutOf } from '../../detector/heads.ts';
import { roundSize } from '../../detector/options.ts';
import type { InputDims } from '../../graph/build.ts';
import { compileNetwork } from '../../graph/compile.ts';
import { countWork, planMemory } from '../../graph/count-work.ts';
import { loadTarget } from '../../graph/load-target.ts';
import { missingOperators } from '../../graph/missing-operators.ts';
import type { Target } from '../../graph/target.ts';
import type { AdapterTraits } from '../../kernels/dispatch.ts';
import { declaredSize, type Model, type ModelValue } from '../../loader/model.ts';

/** No device is opened: steps are counted for an adapter with nothing special. */
const PLAIN_ADAPTER: AdapterTraits = { software: false, subgroupSize: 0 };

const USUAL_SIZE: Size = [640, 640];

/** What `scrfd info` says of a model, one that cannot run included. */
export async function describeModel(bytes: Uint8Array, model: Model, wanted?: Size) {
  const layout = headLayoutOf(model);
  const asked = wanted ?? declaredSize(model) ?? USUAL_SIZE;
  const size = layout ? roundSize(asked, model) : asked;
  const identity = layout && (await identifyModel(bytes, model, layout));
  const missing = missingOperators(model);
  const target = await loadTarget(PLAIN_ADAPTER);
  const { reason, work, dims } = tryToRun(model, inputDims(model, size), target);
  return {
    identity,
    counted: countMember(identity),
    producer: model.producer,
    opset: model.opset,
    inputs: model.inputs,
    outputs: model.outputs.map((output, i) => ({ ...output, computed: dims?.[i] })),
    size,
    ...(size.join() !== asked.join() && { asked }),
    detector: layout && { ...layout, steps: countDetectorSteps(model, size, target) },
    runs: reason === null,
    reason,
    missing,
    ops: countOperators(model),
    parameters: countParameters(model),
    ...work,
  };
}

export type Description = Awaited<ReturnType<typeof describeModel>>;

/** Shapes of all inputs: one image of this size, or what else the file wants, by ones where it leaves that open. */
function inputDims({ inputs }: Model, size: Size): InputDims {
  return Object.fromEntries(inputs.map((input) => [input.name, dimsFor(input, size)]));
}

function dimsFor(input: ModelValue, [width, height]: Size): Dims {
  const dims = input.dims ?? [1, 3, null, null];
  const open = dims.length === 4 ? [1, 3, height, width] : dims.map(() => 1);
  return dims.map((dim, i) => (typeof dim === 'number' && !(dims.length === 4 && i >= 2) ? dim : open[i]!));
}

/** What a network takes, or why it cannot run. */
function tryToRun(model: Model, dims: InputDims, target: Target) {
  try {
    const { macs, parameters } = countWork(model, dims);
    const network = compileNetwork(model, dims, target);
    const work = { parameters, macs, steps: network.steps.length, memory: planMemory(network) };
    return { reason: null, work, dims: network.outputs.map((output) => output.dims) };
  } catch (error) {
    if (error instanceof ModelError) return { reason: error.message, work: { macs: null, steps: null, memory: null } };
    throw error;
  }
}

/** Launches from pixels to faces; null where the detector cannot run. */
function countDetectorSteps(model: Model, size: Size, target: Target): number | null {
  try {
    return compileDetector(model, { batch: 1, inputSizes: [size] }, target).steps.length;
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
}

function countOperators(model: Model): Record<string, number> {
  const ops: Record<string, number> = {};
  for (const { op } of model.nodes) ops[op] = (ops[op] ?? 0) + 1;
  return ops;
}

function countParameters(model: Model): number {
  let count = 0;
  for (const tensor of model.initializers.values()) if (tensor.type === 'float32') count += tensor.data.length;
  return count;
}

/** Of a published architecture: its work at the size of the tables, 640×480. */
function countMember(identity: ModelIdentity | null) {
  const members: Readonly<Record<string, Architecture>> = ARCHITECTURES;
  const member = members[identity?.name ?? ''];
  return member ? countLayers(member) : null;
}
