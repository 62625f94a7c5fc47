import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { type CandidateSpec, candidateBytes, RECORD_BYTES, recordBytes } from './decode.ts';
import { IMAGE_PARAMS_BYTES } from './image-params.ts';

/** Bytes before an image's faces: number of faces, number before `maxFaces`, number of candidates. */
export const FACES_HEADER_BYTES = 16;

/** Bytes of one image's faces, when every anchor is one. */
export function faceBytes(spec: CandidateSpec): number {
  return FACES_HEADER_BYTES + spec.total * RECORD_BYTES;
}

/** Greedy NMS and `maxFaces`. Bindings: image parameters, records, candidates (sorted; overwritten), faces. */
export function nms(spec: CandidateSpec): Dispatch {
  return dispatch('nms', {
    params: packParams([spec.total, RECORD_BYTES / 16]),
    bindingBytes: [
      spec.batch * IMAGE_PARAMS_BYTES,
      recordBytes(spec),
      candidateBytes(spec),
      spec.batch * faceBytes(spec),
    ],
    workgroups: [spec.batch, 1, 1],
  });
}
