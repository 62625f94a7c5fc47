import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { type CandidateSpec, candidateBytes } from './decode.ts';

/** Score descending, then anchor index ascending, in place. Binding: candidates. */
export function sortCandidates(spec: CandidateSpec): Dispatch {
  return dispatch('sort-candidates', {
    overrides: { WORKGROUP: 256 },
    params: packParams([spec.total]),
    bindingBytes: [candidateBytes(spec)],
    workgroups: [spec.batch, 1, 1],
  });
}
