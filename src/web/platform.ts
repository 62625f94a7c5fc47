import { loadPart } from '../common/load-part.ts';
import { besideUrl, downloadModel } from '../models/download.ts';
import { findModel } from '../models/registry.ts';
import type { LoadOptions, ModelSource, Platform } from '../runtime/platform.ts';
import { openImage } from './images.ts';
import { fetchModel } from './model-cache.ts';
import { pageUrl } from './page-url.ts';
import { cachedTuningStore } from './tuning-store.ts';

/** Browsers: their own WebGPU, models by fetch and Cache API, pictures by the browser's decoders. */
export const browserPlatform: Platform = {
  yieldCore: null,
  tuningStore: cachedTuningStore,
  async requestAdapter() {
    const gpu = globalThis.navigator?.gpu;
    return gpu ? gpu.requestAdapter({ powerPreference: 'high-performance' }) : null;
  },
  adapterHelp,
  readModel,
  openImage,
  // loaded with the first stream: most pages have none
  openFrames: async (source, signal) => (await loadPart(() => import('./video-frames.ts'))).openFrames(source, signal),
};

/** What keeps WebGPU from this page. */
function adapterHelp(): string {
  if (globalThis.isSecureContext === false) {
    return 'WebGPU needs a secure context: serve the page by https or from localhost.';
  }
  const browsers = 'Chrome and Edge 113 or newer (Linux: 144), Safari 26, and Firefox 141 on Windows and 145 on macOS';
  return globalThis.navigator?.gpu
    ? 'This browser has WebGPU, but no GPU that it allows it on: check its hardware acceleration and driver.'
    : `This browser has no WebGPU. It is in ${browsers}.`;
}

/** A known name is a model, anything else a URL relative to the page. */
async function readModel(source: string | URL, options: LoadOptions): Promise<ModelSource> {
  const { signal, onProgress } = options;
  if (typeof source === 'string' && findModel(source)) {
    return { bytes: await fetchModel(source, { ...(signal && { signal }), ...(onProgress && { onProgress }) }) };
  }
  const url = pageUrl(source);
  return {
    bytes: await downloadModel(url, options),
    readExternal: (location) => downloadModel(besideUrl(url, location), options),
  };
}
