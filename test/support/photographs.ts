import { readImage } from '../../src/index.node.ts';
import { imageFiles } from './data.ts';
import { letterbox, loadOpenCv } from './reference-letterbox.ts';

/** A photograph as a network's input: letterboxed by OpenCV, normalised, NCHW. */
export async function photographBlob(size: readonly [number, number]): Promise<Float32Array> {
  await loadOpenCv();
  const path = imageFiles().find((file) => file.endsWith('insightface_t1.jpg'));
  if (!path) throw new Error('insightface_t1.jpg is missing from SCRFD_DATA');
  return letterbox(await readImage(path), size).blob;
}
