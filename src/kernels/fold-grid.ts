// Grids with more workgroups along one dimension than WebGPU allows: the same workgroups along two others.
import { type Dispatch, flatGrid, MAX_WORKGROUPS } from './dispatch.ts';

const MAIN = /@compute ?@workgroup_size\(([^)]*)\)\s*fn main\(([^)]*(?:\(\w+\)[^)]*)*)\) ?\{/;
const PARAMETER = /@builtin\((\w+)\)\s*(\w+): ?(\w+)/g;

/**
 * The launch, whose workgroups may be numbered anew so that none of their dimensions is longer than `most`: each computes what it
 * did, to the bit.
 */
export function foldGrid(launch: Dispatch, most = MAX_WORKGROUPS): Dispatch {
  const { workgroups, source } = launch;
  if (workgroups.every((count) => count <= most)) return launch;
  const [columns, rows, layers] = workgroups;
  const count = columns * rows * layers;
  const [, size, parameters] = MAIN.exec(source)!;
  const [x, y = '1', z = '1'] = size!.split(',');
  const kept = ['@builtin(workgroup_id) folded: vec3u', '@builtin(num_workgroups) folds: vec3u'];
  const lines: string[] = [];
  for (const [text, builtin, name] of parameters!.matchAll(PARAMETER)) {
    if (builtin === 'workgroup_id') lines.push(`let ${name} = unfolded;`);
    else if (builtin === 'global_invocation_id') {
      kept.push('@builtin(local_invocation_id) local: vec3u');
      lines.push(`let ${name} = unfolded * vec3u(${x}, ${y}, ${z}) + local;`);
    } else if (builtin === 'num_workgroups') lines.push(`let ${name} = vec3u(${columns}, ${rows}, ${layers});`);
    else kept.push(text);
  }
  const main = `@compute @workgroup_size(${size})
fn main(${kept.join(', ')}) {
let place = folded.y * folds.x + folded.x;
if (place >= ${count}u) { return; }
let unfolded = vec3u(place % ${columns}u, place / ${columns}u % ${rows}u, place / ${columns * rows}u);
${lines.join('\n')}
`;
  return { ...launch, source: source.replace(MAIN, () => main), workgroups: flatGrid(count, 1, most) };
}
