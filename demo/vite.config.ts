import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { findModel } from '../src/models/registry.ts';
import { locateDefault } from '../src/node/models/default.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What the page knows of the model that lies beside it: models/local.json. */
interface LocalModel {
  readonly file: string;
  readonly name: string;
  readonly licence: string;
}

/** Copies the best model of this machine beside the page, so that it works without the network. Nothing is downloaded. */
function localModel(): Plugin {
  return {
    name: 'local-model',
    apply: 'build',
    async generateBundle() {
      const found = await locateDefault();
      if (!found) {
        this.warn('no model is on this machine: the page starts without one (npx scrfd models fetch scrfd_500m_kps)');
        return;
      }
      const file = basename(found.path);
      const description: LocalModel = { file, name: found.name, licence: findModel(found.name)?.licence ?? '' };
      this.emitFile({ type: 'asset', fileName: `models/${file}`, source: await readFile(found.path) });
      this.emitFile({ type: 'asset', fileName: 'models/local.json', source: JSON.stringify(description) });
    },
  };
}

export default defineConfig(({ isPreview }) => ({
  root: at('.'),
  // relative, so that the built page works in any folder of any server
  base: './',
  resolve: { alias: { 'scrfd-webgpu': at('../dist/browser/index.js') } },
  plugins: [localModel()],
  build: { target: 'es2022', emptyOutDir: true },
  // the preview's address is information, too
  logLevel: isPreview ? 'info' : 'warn',
}));
