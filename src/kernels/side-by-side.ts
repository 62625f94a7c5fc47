// Launches that do not wait for each other, as one: every one is the work of workgroups of its own. A launch costs as much as
// thousands of invocations compute meanwhile, and those of small images leave most cores idle.
import { type Dispatch, MAX_WORKGROUPS } from './dispatch.ts';

/** A convolution in one launch, and what it binds besides its params. */
export interface Neighbour {
  readonly dispatch: Dispatch;
  /** Numbers of the images that it binds, counted over all neighbours: one number is one buffer. */
  readonly input: number;
  readonly residual: number | null;
  readonly output: number;
  /** Where its weights and biases begin in those of all, in vectors of four floats. */
  readonly firstWeight: number;
  readonly firstBias: number;
}

/** WebGPU's guaranteed maximum of storage buffers that a launch binds. */
const MAX_STORAGE_BUFFERS = 8;

/** Whether a launch may run beside others: whether its shader includes beside.wgsl. */
export function isSociable({ overrides }: Pick<Dispatch, 'overrides'>): boolean {
  return 'INVOCATIONS' in overrides;
}

/** Invocations of a workgroup of such a launch. */
export function invocationsOf({ overrides }: Pick<Dispatch, 'overrides'>): number {
  return overrides.INVOCATIONS!;
}

export function workgroupsOf({ workgroups: [x, y, z] }: Pick<Dispatch, 'workgroups'>): number {
  return x * y * z;
}

/** Whether one launch can be all of these. @param images that they bind, each counted once */
export function fitsOneLaunch(dispatches: readonly Dispatch[], images: number): boolean {
  const workgroups = dispatches.reduce((sum, each) => sum + workgroupsOf(each), 0);
  return images + 2 <= MAX_STORAGE_BUFFERS && workgroups <= MAX_WORKGROUPS;
}

/** Names that mean the same in all of the neighbours' sources. */
const SHARED = ['weights', 'bias', 'parts', 'PARTS', 'INVOCATIONS'];

const BINDING = /^@group\(0\) ?@binding\(\d+\) ?var<.*\n/gm;
const SHARED_DECLARATION = /^(?:override INVOCATIONS|override PARTS|var<workgroup> ?parts).*\n/gm;
const ENTRY = /^@compute ?@workgroup_size\(INVOCATIONS\) *\n/m;

/** A neighbour's source with names of its own, `name_0`, for all that it declares. */
function renamed({ dispatch, input, residual, output }: Neighbour, place: number): string {
  const text = dispatch.source
    .replaceAll(/^enable .*\n/gm, '')
    .replaceAll(/^ *\/\/.*\n/gm, '')
    .replaceAll(BINDING, '')
    .replaceAll(SHARED_DECLARATION, '')
    .replace(ENTRY, '')
    .replaceAll(/@builtin\(\w+\) ?/g, '');
  const declared = text.matchAll(/^(?:fn|struct|alias|const|override|var<\w+>) ?(\w+)/gm);
  const names = new Map([...declared].map(([, name]) => [name!, `${name}_${place}`]));
  names.set('params', `params.of_${place}`);
  names.set('input', imageName(input));
  // without a residual the binding is never read
  names.set('residual', imageName(residual ?? input));
  names.set('output', imageName(output));
  return text.replaceAll(/(?<![.\w])[a-zA-Z]\w*/g, (name) => names.get(name) ?? name);
}

const imageName = (image: number) => `image_${image}`;

/**
 * One launch that does what these do. Bindings: weights, biases, then every image by its number.
 * @param weightBytes of all weights, `biasBytes` of all biases
 */
export function sideBySide(neighbours: readonly Neighbour[], weightBytes: number, biasBytes: number): Dispatch {
  const images: { readonly type: string; readonly written: boolean; readonly bytes: number }[] = [];
  const overrides: Record<string, number> = {};
  const ends: number[] = [];
  neighbours.forEach(({ dispatch, input, residual, output, firstWeight, firstBias }, i) => {
    const [inputBytes, , , residualBytes, outputBytes] = dispatch.bindingBytes as [
      number,
      number,
      number,
      number,
      number,
    ];
    const bind = (image: number, type: string, written: boolean, bytes: number) => {
      images[image] = { type, written, bytes: Math.max(bytes, images[image]?.bytes ?? 0) };
    };
    bind(input, `In_${i}`, false, inputBytes);
    if (residual !== null) bind(residual, `In_${i}`, false, residualBytes);
    bind(output, `Out_${i}`, true, outputBytes);
    for (const [name, value] of Object.entries({
      ...dispatch.overrides,
      FIRST_WEIGHT: firstWeight,
      FIRST_BIAS: firstBias,
    })) {
      if (SHARED.includes(name)) overrides[name] = Math.max(overrides[name] ?? 0, value);
      else overrides[`${name}_${i}`] = value;
    }
    ends.push((ends.at(-1) ?? 0) + workgroupsOf(dispatch));
  });
  const sources = neighbours.map(({ dispatch }) => dispatch.source);
  const params = neighbours.map(({ dispatch }) => dispatch.params);
  const source = [
    ...(sources.some((each) => each.startsWith('enable f16;')) ? ['enable f16;'] : []),
    ...neighbours.map(renamed),
    'override INVOCATIONS: u32;',
    ...('PARTS' in overrides ? ['override PARTS: u32;', 'var<workgroup> parts: array<vec4f, PARTS>;'] : []),
    `struct Params {\n${neighbours.map((_, i) => `  @align(16) of_${i}: Params_${i},`).join('\n')}\n}`,
    '@group(0) @binding(0) var<uniform> params: Params;',
    '@group(0) @binding(1) var<storage, read> weights: array<vec4f>;',
    '@group(0) @binding(2) var<storage, read> bias: array<vec4f>;',
    ...images.map(({ type, written }, i) => {
      return `@group(0) @binding(${i + 3}) var<storage, ${written ? 'read_write' : 'read'}> ${imageName(i)}: array<${type}>;`;
    }),
    'fn place(i: u32, columns: u32, rows: u32) -> vec3u {',
    '  return vec3u(i % columns, i / columns % rows, i / (columns * rows));',
    '}',
    '@compute @workgroup_size(INVOCATIONS)',
    'fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {',
    ...neighbours.map(({ dispatch: { workgroups } }, i) => {
      const [columns, rows] = workgroups;
      const own = `place(group.x - ${ends[i - 1] ?? 0}u, ${columns}u, ${rows}u)`;
      return `  ${i > 0 ? 'else ' : ''}${i + 1 < ends.length ? `if (group.x < ${ends[i]}u) ` : ''}{ main_${i}(${own}, index); }`;
    }),
    '}\n',
  ].join('\n');
  return {
    kernel: 'side-by-side',
    source,
    overrides,
    params: concatenated(params),
    bindingBytes: [weightBytes, biasBytes, ...images.map(({ bytes }) => bytes)],
    workgroups: [ends.at(-1)!, 1, 1],
    flops: neighbours.reduce((sum, { dispatch }) => sum + (dispatch.flops ?? 0), 0),
  };
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.byteLength;
  }
  return all;
}
