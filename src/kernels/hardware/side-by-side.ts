// Launches that do not wait for each other, as one: every one is the work of workgroups of its own. A launch costs as much as
// thousands of invocations compute meanwhile, and those of small images leave most cores idle.
import { type Dispatch, flatGrid } from '../dispatch.ts';

/** A launch, and which of the buffers of all each of its bindings is. */
export interface Neighbour {
  readonly dispatch: Dispatch;
  /** The number of the buffer at bindings 1, 2, …. */
  readonly slots: readonly number[];
  /** Where its constants begin in a buffer that they share with those of others: values for overrides `FIRST_…`, in elements. */
  readonly firsts: Readonly<Record<string, number>>;
}

/** A binding of a shader, by its declaration. */
export interface Declaration {
  readonly name: string;
  /** Of one element, not by an alias. */
  readonly type: string;
  readonly written: boolean;
}

const BINDING =
  /^@group\(0\) ?@binding\((\d+)\) ?var<(?:uniform|storage, ?(read|read_write))> ?(\w+): ?(?:array<(\w+)>|\w+);\n/gm;

/** What is declared at bindings 1, 2, …. */
export function declarationsOf({ source }: Pick<Dispatch, 'source'>): Declaration[] {
  const declared: Declaration[] = [];
  for (const [, binding, access, name, type] of source.matchAll(BINDING)) {
    if (!access) continue;
    const alias = source.match(new RegExp(`^alias ${type} = (\\w+);`, 'm'));
    declared[Number(binding) - 1] = { name: name!, type: alias?.[1] ?? type!, written: access === 'read_write' };
  }
  return declared;
}

/** Whether a launch may run beside others: whether its shader lets others say how many invocations a workgroup has. */
export function isSociable({ overrides }: Pick<Dispatch, 'overrides'>): boolean {
  return 'INVOCATIONS' in overrides;
}

/** Invocations of a workgroup of such a launch. */
export function invocationsOf({ overrides }: Pick<Dispatch, 'overrides'>): number {
  return overrides.INVOCATIONS!;
}

/** The override that says where a shader's constants of this name begin in a shared buffer; undefined where it has none. */
export function firstOverride({ source }: Pick<Dispatch, 'source'>, name: string): string | undefined {
  const override = `FIRST_${name.toUpperCase()}`;
  return source.includes(`override ${override}:`) ? override : undefined;
}

/** Names of what all convolutions have in common: the workgroup's invocations and its memory. */
const COMMON = ['INVOCATIONS', 'SHARED_VECTORS', 'shared_vectors'];
const COMMON_DECLARATION = /^(?:override INVOCATIONS|override SHARED_VECTORS|var<workgroup> ?shared_vectors).*\n/gm;

const bufferName = (slot: number) => `buffer_${slot}`;

/** A neighbour's source with names of its own, `name_0`, for all that it declares. */
function renamed({ dispatch, slots }: Neighbour, place: number): string {
  const text = dispatch.source
    .replaceAll(/^enable .*\n/gm, '')
    .replaceAll(/^ *\/\/.*\n/gm, '')
    .replaceAll(BINDING, '')
    .replaceAll(COMMON_DECLARATION, '')
    .replace(/^@compute ?@workgroup_size\(.*\n/m, '')
    .replaceAll(/@builtin\(\w+\) ?/g, '');
  const declared = text.matchAll(/^(?:fn|struct|alias|const|override|var<\w+>) ?(\w+)/gm);
  const names = new Map([...declared].map(([, name]) => [name!, `${name}_${place}`]));
  names.set(uniformName(dispatch.source), `params.of_${place}`);
  declarationsOf(dispatch).forEach(({ name }, i) => {
    names.set(name, bufferName(slots[i]!));
  });
  return text.replaceAll(/(?<![.\w])[a-zA-Z]\w*/g, (name) => names.get(name) ?? name);
}

function uniformName(source: string): string {
  return [...source.matchAll(BINDING)].find(([, binding]) => binding === '0')![3]!;
}

/** What the buffers are declared as: those who bind one agree on its type. */
function declareBuffers(neighbours: readonly Neighbour[]) {
  const buffers: { type: string; written: boolean; bytes: number }[] = [];
  neighbours.forEach(({ dispatch, slots }) => {
    declarationsOf(dispatch).forEach(({ type, written }, i) => {
      const known = buffers[slots[i]!];
      buffers[slots[i]!] = {
        type,
        written: written || (known?.written ?? false),
        bytes: Math.max(dispatch.bindingBytes[i]!, known?.bytes ?? 0),
      };
    });
  });
  return buffers;
}

/** Overrides of all: of what they have in common the largest. */
function joinOverrides(neighbours: readonly Neighbour[]): Record<string, number> {
  const all: Record<string, number> = {};
  neighbours.forEach(({ dispatch, firsts }, place) => {
    for (const [name, value] of Object.entries({ ...dispatch.overrides, ...firsts })) {
      if (COMMON.includes(name)) all[name] = Math.max(all[name] ?? 0, value);
      else all[`${name}_${place}`] = value;
    }
  });
  return all;
}

/**
 * One launch that does what these do. Bindings: the buffers by their numbers.
 * @param sharedBytes of buffers whose constants belong to several, by their numbers
 */
export function sideBySide(neighbours: readonly Neighbour[], sharedBytes: ReadonlyMap<number, number>): Dispatch {
  const buffers = declareBuffers(neighbours);
  const overrides = joinOverrides(neighbours);
  let end = 0;
  const branches = neighbours.map(({ dispatch: { workgroups } }, place) => {
    const [columns, rows, layers] = workgroups;
    const start = end;
    end += columns * rows * layers;
    return `  ${place > 0 ? 'else ' : ''}if (i < ${end}u) { main_${place}(place_of(i - ${start}u, ${columns}u, ${rows}u), index); }`;
  });
  const workgroups = flatGrid(end, 1);
  const source = [
    ...(neighbours.some(({ dispatch }) => dispatch.source.startsWith('enable f16;')) ? ['enable f16;'] : []),
    ...neighbours.map(renamed),
    'override INVOCATIONS: u32;',
    ...('SHARED_VECTORS' in overrides
      ? ['override SHARED_VECTORS: u32;', 'var<workgroup> shared_vectors: array<vec4f, SHARED_VECTORS>;']
      : []),
    `struct Params {\n${neighbours.map((_, place) => `  @align(16) of_${place}: Params_${place},`).join('\n')}\n}`,
    '@group(0) @binding(0) var<uniform> params: Params;',
    ...buffers.map(({ type, written }, slot) => {
      return `@group(0) @binding(${slot + 1}) var<storage, ${written ? 'read_write' : 'read'}> ${bufferName(slot)}: array<${type}>;`;
    }),
    'fn place_of(i: u32, columns: u32, rows: u32) -> vec3u {',
    '  return vec3u(i % columns, i / columns % rows, i / (columns * rows));',
    '}',
    '@compute @workgroup_size(INVOCATIONS)',
    'fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {',
    `  let i = group.y * ${workgroups[0]}u + group.x;`,
    ...branches,
    '}\n',
  ].join('\n');
  return {
    kernel: 'side-by-side',
    source,
    overrides,
    params: concatenated(neighbours.map(({ dispatch }) => dispatch.params)),
    bindingBytes: buffers.map(({ bytes }, slot) => sharedBytes.get(slot) ?? bytes),
    workgroups,
    microseconds: neighbours.reduce((sum, { dispatch }) => sum + (dispatch.microseconds ?? 0), 0),
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
