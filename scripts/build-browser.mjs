// Bundles the browser entries into dist/browser, for pages without a bundler and for bundlers alike.
import { readFile, rm } from 'node:fs/promises';
import { build } from 'esbuild';

/** Removes from onnx-proto's generated classes all that reading a model never calls: two thirds of them. */
const readingOnly = {
  name: 'reading-only',
  setup({ onLoad }) {
    onLoad({ filter: /onnx-proto[\\/]dist[\\/]onnx\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const methods = 'create|encode|encodeDelimited|decodeDelimited|verify|fromObject|toObject|prototype\\.toJSON';
      const method = new RegExp(
        `^( +)\\w+\\.(?:${methods}) = function \\w+\\([^)]*\\) \\{\\n[\\s\\S]*?\\n\\1\\};\\n`,
        'gm',
      );
      return { contents: source.replaceAll(method, '') };
    });
  },
};

/** protobuf.js without its writers and remote calls. */
const readerOnly = {
  name: 'reader-only',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^protobufjs\/minimal$/ }, ({ resolveDir }) => ({
      path: 'minimal',
      namespace: 'reader-only',
      pluginData: resolveDir,
    }));
    onLoad({ filter: /^minimal$/, namespace: 'reader-only' }, ({ pluginData }) => ({
      resolveDir: pluginData,
      contents: `
        exports.Reader = require('protobufjs/src/reader');
        exports.util = require('protobufjs/src/util/minimal');
        exports.roots = require('protobufjs/src/roots');
        exports.util.LongBits._configure(exports.util.Long);
        exports.Reader._configure(require('protobufjs/src/reader_buffer'));`,
    }));
  },
};

/** protobuf.js' utilities that reading a model never calls, left out, and its floats without its fallbacks for old engines. */
const modernUtilities = {
  name: 'modern-utilities',
  setup({ onLoad }) {
    onLoad({ filter: /protobufjs[\\/]src[\\/]util[\\/](aspromise|base64|eventemitter|pool)\.js$/ }, () => ({
      contents: 'module.exports = {};',
    }));
    onLoad({ filter: /protobufjs[\\/]src[\\/]util[\\/]float\.js$/ }, () => ({
      contents: `
        const view = (bytes, at) => new DataView(bytes.buffer, bytes.byteOffset + at);
        exports.readFloatLE = (bytes, at) => view(bytes, at).getFloat32(0, true);
        exports.readDoubleLE = (bytes, at) => view(bytes, at).getFloat64(0, true);`,
    }));
  },
};

/** 64-bit integers as protobuf.js makes them and the loader reads them, without the package's arithmetic. */
const plainLongs = {
  name: 'plain-longs',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]long[\\/]umd[\\/]index\.js$/ }, () => ({
      contents: `
        module.exports = class Long {
          constructor(low, high, unsigned) {
            Object.assign(this, { low, high, unsigned });
          }
          static isLong(value) {
            return value instanceof Long;
          }
          static fromBits(low, high, unsigned) {
            return new Long(low, high, unsigned);
          }
        };`,
    }));
  },
};

/** Removes comments and indentation from the embedded WGSL. */
const shortShaders = {
  name: 'short-shaders',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]shaders\.gen\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const shorten = (wgsl) =>
        wgsl
          .replaceAll(/\/\/.*$/gm, '')
          .replaceAll(/\s*\n\s*/g, '\n')
          // not in constants: kernels replace some by their lines
          .replaceAll(/^(?!const ).*$/gm, (line) => line.replaceAll(/ ?([=+*/,;:{}()]) ?/g, '$1'))
          .trim();
      const contents = source.replaceAll(/"(?:[^"\\]|\\.)*"/g, (text) => JSON.stringify(shorten(JSON.parse(text))));
      return { contents, loader: 'ts' };
    });
  },
};

const outdir = 'dist/browser';
await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints: { index: 'src/index.ts', worker: 'src/worker/worker.browser.ts' },
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  sourcemap: true,
  plugins: [readingOnly, readerOnly, modernUtilities, plainLongs, shortShaders],
  logLevel: 'warning',
});
