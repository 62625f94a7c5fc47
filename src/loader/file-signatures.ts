interface Signature {
  /** What the file looks like, and what to do about it. */
  readonly looksLike: string;
  readonly bytes: string;
  readonly offset?: number;
}

const SIGNATURES: readonly Signature[] = [
  { bytes: 'PK\x03\x04', looksLike: 'a zip archive: unpack it and pass the .onnx file inside' },
  { bytes: '\x1f\x8b', looksLike: 'a gzip archive: unpack it first' },
  { bytes: '\xff\xd8\xff', looksLike: 'a JPEG picture: are model and picture swapped?' },
  { bytes: '\x89PNG', looksLike: 'a PNG picture: are model and picture swapped?' },
  { bytes: 'GIF8', looksLike: 'a GIF picture: are model and picture swapped?' },
  { bytes: 'RIFF', looksLike: 'a WebP picture or other RIFF file: are model and picture swapped?' },
  { bytes: '%PDF', looksLike: 'a PDF document' },
  { bytes: '\x89HDF', looksLike: 'an HDF5 file (Keras): export it to ONNX first' },
  { bytes: '\x80\x02', looksLike: 'a Python pickle (PyTorch): export it to ONNX first' },
  { bytes: 'TFL3', offset: 4, looksLike: 'a TensorFlow Lite model: export it to ONNX first' },
  { bytes: 'ORTM', offset: 4, looksLike: 'an ORT-format model: pass the .onnx file it was made from' },
  { bytes: 'version https://git-lfs', looksLike: 'a Git LFS pointer: run `git lfs pull` to fetch the model' },
];

/** Guesses what was passed in place of an ONNX file; undefined when nothing is recognised. */
export function recogniseFile(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  const signature = SIGNATURES.find(({ bytes, offset = 0 }) => head.startsWith(bytes, offset));
  if (signature) return signature.looksLike;
  const text = head.replace('\xef\xbb\xbf', '').trimStart();
  if (text.startsWith('<')) return 'an HTML or XML page: check that the URL downloads the model itself';
  if (text.startsWith('{')) return 'JSON text: check that the URL downloads the model itself';
  return undefined;
}
