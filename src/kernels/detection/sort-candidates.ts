import { type Dispatch, packParams } from '../dispatch.ts';
import { shaders } from '../shaders.gen.ts';
import { type CandidateSpec, candidateBytes } from './decode.ts';

/** Score descending, then anchor index ascending, in place. Binding: candidates. */
export function sortCandidates(spec: CandidateSpec): Dispatch {
  return {
    kernel: 'sort-candidates',
    source: shaders['sort-candidates'],
    constants: { WORKGROUP: 256 },
    params: packParams([spec.total]),
    bindingBytes: [candidateBytes(spec)],
    workgroups: [spec.batch, 1, 1],
  };
}
