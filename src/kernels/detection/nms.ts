import { type Dispatch, dispatch, packParams } from '../dispatch.ts';
import { candidateBytes, type RecordSpec, recordsBytes } from './decode.ts';
import { IMAGE_PARAMS_BYTES } from './image-params.ts';

/** Bytes before an image's faces: number of faces, number before `maxFaces`, number of candidates. */
export const FACES_HEADER_BYTES = 16;

/** Bytes of one image's faces, when every anchor is one. */
export function faceBytes(spec: RecordSpec): number {
  return FACES_HEADER_BYTES + spec.total * spec.recordBytes;
}

/** Greedy NMS and `maxFaces`. Bindings: image parameters, records, candidates (sorted; overwritten), faces. */
export function nms(spec: RecordSpec): Dispatch {
  return dispatch('nms', {
    params: packParams([spec.total, spec.recordBytes / 16]),
    bindingBytes: [
      spec.batch * IMAGE_PARAMS_BYTES,
      recordsBytes(spec),
      candidateBytes(spec),
      spec.batch * faceBytes(spec),
    ],
    workgroups: [spec.batch, 1, 1],
  });
}
