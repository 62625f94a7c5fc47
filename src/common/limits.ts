/**
 * What is taken of a file or URL at most, so that no picture, model or server can take the machine: more is an error before it
 * is read or decoded. In Node; browsers have limits of their own.
 */
export interface ReadLimits {
  /**
   * Bytes of a picture or model as they are in the file, or after HTTP's own compression. Default for pictures 2^30 by path and
   * 2^28 by URL, for a model with all the files beside it 2^31 - 1 and 2^29.
   */
  readonly maxBytes?: number;
  /** Width × height of a picture. Default 16,383². */
  readonly maxPixels?: number;
  /**
   * Milliseconds that a URL may take in all, and that decoding a picture may. Default 300,000, for models 3,600,000; a server that
   * sends nothing for 30,000 has failed before.
   */
  readonly timeout?: number;
  /** Redirects that a URL may take. Default 10. */
  readonly maxRedirects?: number;
}
