import { readImage } from '../../src/index.node.ts';
import { imageNamed } from './data.ts';
import { letterbox, loadOpenCv } from './reference-letterbox.ts';

/** A photograph as a network's input: letterboxed by OpenCV, normalised, NCHW. */
export async function photographBlob(size: readonly [number, number]): Promise<Float32Array> {
  await loadOpenCv();
  return letterbox(await readImage(imageNamed('insightface_t1.jpg')), size).blob;
}
