import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Import {
  /** A file of src/ without its extension, or a package. */
  readonly target: string;
  /** Erased when compiled. */
  readonly typeOnly: boolean;
  readonly isPackage: boolean;
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

/** Everything that a source file imports or re-exports, dynamic imports included. */
function readImports(file: string, source: string): Import[] {
  const resolve = (specifier: string) => {
    const isPackage = !specifier.startsWith('.');
    return {
      isPackage,
      target: isPackage ? specifier : posix.join(posix.dirname(file), specifier).replace(/\.ts$/, ''),
    };
  };
  const code = withoutComments(source);
  const clause = String.raw`(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\w+|(?:\w+\s*,\s*)?\{[^}]*\})`;
  const statement = new RegExp(`^(?:import|export)\\s+(?:(${clause})\\s+from\\s+)?['"]([^'"]+)['"]`, 'gm');
  const declared = [...code.matchAll(statement)];
  const dynamic = [...code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)];
  return [
    ...declared.map(([, clause = '', specifier]) => {
      const names = /^\{([\s\S]*)\}$/
        .exec(clause)?.[1]
        ?.split(',')
        .filter((name) => name.trim() !== '');
      const typeOnly = /^type\s/.test(clause) || (names?.every((name) => /^\s*type\s/.test(name)) ?? false);
      return { ...resolve(specifier!), typeOnly };
    }),
    ...dynamic.map(([, specifier]) => ({ ...resolve(specifier!), typeOnly: false })),
  ];
}

const sources = new Map(
  readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => [path, readFileSync(`${root}src/${path}`, 'utf8')]),
);

/**
 * Who may import whom: rooms of src/ with the rooms that they may import besides themselves; `-types` allows
 * `import type` alone. `index` are the entries: the files that lie in src/ itself.
 */
const ROOMS: Readonly<Record<string, string>> = {
  common: '',
  loader: 'common',
  kernels: 'common',
  models: 'common',
  faces: 'common',
  graph: 'common kernels loader-types',
  architectures: 'common loader',
  runtime: 'common loader kernels graph models-types',
  detector: 'common loader kernels graph runtime models-types faces architectures',
  web: 'common models runtime detector architectures-types',
  node: 'common models runtime faces',
  cli: 'common loader kernels graph runtime detector faces models architectures node index',
  index: 'common kernels models runtime detector faces node web architectures-types',
};

/** The packages that a room may import. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  models: /^@zip\.js\/zip\.js$/,
  faces: /^munkres$/,
  node: /^(node:.*|webgpu|sharp|nanotar)$/,
  cli: /^(node:.*|webgpu|commander|cli-progress|tinyglobby|onnxruntime-node)$/,
  index: /^node:fs\/promises$/,
};

/** The room of a file of src/, or of what an import of one names. */
function roomOf(target: string): string {
  return target.includes('/') ? target.slice(0, target.indexOf('/')) : 'index';
}

function violations(file: string, source: string): string[] {
  const room = roomOf(file);
  const allowed = ROOMS[room]?.split(' ') ?? [];
  const isAllowed = ({ target, typeOnly, isPackage }: Import) => {
    if (isPackage) return PACKAGES[room]?.test(target) ?? false;
    const other = roomOf(target);
    return other === room || allowed.includes(other) || (typeOnly && allowed.includes(`${other}-types`));
  };
  return readImports(file, source)
    .filter((each) => !isAllowed(each))
    .map(({ target, typeOnly }) => `${file} imports ${typeOnly ? 'types of ' : ''}${target}`);
}

/** Assignments to, and definitions on, the global object. */
function globalWrites(source: string): string[] {
  const code = withoutComments(source);
  const object = '(?:globalThis|window|self|global)';
  const patterns = [
    new RegExp(`\\bObject\\.(?:assign|definePropert(?:y|ies)|setPrototypeOf)\\(\\s*${object}\\b`, 'g'),
    new RegExp(`\\bReflect\\.\\w+\\(\\s*${object}\\b`, 'g'),
    new RegExp(`(?<![\\w.])${object}(?:\\.\\w+|\\[[^\\]]*\\])+\\s*(?:[-+*/%&|^?]|\\?\\?|\\|\\||&&)?=(?!=|>)`, 'g'),
    /^\s*declare global\b/gm,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([text]) => text));
}

describe('src', () => {
  it.each([...sources.keys()])('%s keeps to the import rules', (file) => {
    expect(violations(file, sources.get(file)!)).toEqual([]);
    for (const { target } of readImports(file, sources.get(file)!).filter(({ isPackage }) => !isPackage)) {
      expect(sources.has(`${target}.ts`), `${file} imports ${target}`).toBe(true);
    }
  });

  it('leaves the global object alone', () => {
    expect([...sources].flatMap(([file, source]) => globalWrites(source).map((text) => `${file}: ${text}`))).toEqual(
      [],
    );
  });

  it('has the rooms of the table, and no file between them but the entries', () => {
    expect([...new Set([...sources.keys()].map(roomOf))].sort()).toEqual(Object.keys(ROOMS).sort());
    expect([...sources.keys()].filter((file) => roomOf(file) === 'index')).toEqual([
      'exports.ts',
      'index.node.ts',
      'index.web.ts',
    ]);
    for (const [room, row] of Object.entries(ROOMS)) {
      const unknown = row.split(' ').filter((name) => name !== '' && !(name.replace(/-types$/, '') in ROOMS));
      expect(unknown, room).toEqual([]);
    }
  });

  it('imports every package that a room may import', () => {
    const imported = (room: string) =>
      [...sources].flatMap(([file, source]) =>
        roomOf(file) === room ? readImports(file, source).filter(({ isPackage }) => isPackage) : [],
      );
    for (const room of Object.keys(PACKAGES)) expect(imported(room), room).not.toEqual([]);
  });

  it('embeds the shaders as they are', () => {
    execFileSync(process.execPath, ['scripts/embed-shaders.mjs', '--check'], { cwd: root, stdio: 'pipe' });
  });
});

describe('the rules', () => {
  it.each([
    [
      'common/tensor.ts',
      "import { loadModel } from '../loader/load-model.ts';",
      'common/tensor.ts imports loader/load-model',
    ],
    ['loader/onnx.ts', "import type { Graph } from '../graph/ir.ts';", 'loader/onnx.ts imports types of graph/ir'],
    ['loader/onnx.ts', "import onnx from 'onnx-proto';", 'loader/onnx.ts imports onnx-proto'],
    ['loader/onnx.ts', "import protobuf from 'protobufjs/minimal';", 'loader/onnx.ts imports protobufjs/minimal'],
    [
      'kernels/tensor/pool.ts',
      "import {\n  GpuContext,\n} from '../../runtime/gpu-context.ts';",
      'kernels/tensor/pool.ts imports runtime/gpu-context',
    ],
    [
      'graph/build.ts',
      "import { loadModel } from '../loader/load-model.ts';",
      'graph/build.ts imports loader/load-model',
    ],
    [
      'graph/build.ts',
      "import { Attributes } from '../loader/attributes.ts';",
      'graph/build.ts imports loader/attributes',
    ],
    ['graph/passes/a.ts', "import '../../runtime/executor.ts';", 'graph/passes/a.ts imports runtime/executor'],
    ['runtime/tuner.ts', "export * from '../detector/engine.ts';", 'runtime/tuner.ts imports detector/engine'],
    ['runtime/platform.ts', "const fs = await import('node:fs');", 'runtime/platform.ts imports node:fs'],
    [
      'runtime/session.ts',
      "import { findModel } from '../models/registry.ts';",
      'runtime/session.ts imports models/registry',
    ],
    ['detector/detector.ts', "import { readFileSync } from 'node:fs';", 'detector/detector.ts imports node:fs'],
    [
      'detector/detector.ts',
      "export { nodePlatform } from '../node/platform.ts';",
      'detector/detector.ts imports node/platform',
    ],
    ['node/images.ts', "import fs from 'fs';", 'node/images.ts imports fs'],
    [
      'node/models/resolve.ts',
      "import { ZipReader } from '@zip.js/zip.js';",
      'node/models/resolve.ts imports @zip.js/zip.js',
    ],
    ['models/download.ts', "import { open } from 'node:fs/promises';", 'models/download.ts imports node:fs/promises'],
    [
      'models/registry.ts',
      "import { nodePlatform } from '../node/platform.ts';",
      'models/registry.ts imports node/platform',
    ],
    ['web/platform.ts', "import { nodePlatform } from '../node/platform.ts';", 'web/platform.ts imports node/platform'],
    ['web/worker/worker.ts', "import { a } from '../../index.web.ts';", 'web/worker/worker.ts imports index.web'],
    ['index.web.ts', "export * from './cli/main.ts';", 'index.web.ts imports cli/main'],
    ['cli/main.ts', "import { browserPlatform } from '../web/platform.ts';", 'cli/main.ts imports web/platform'],
    ['helpers.ts', "import { a } from './loader/model.ts';", 'helpers.ts imports loader/model'],
    ['attic/a.ts', "import { a } from '../common/tensor.ts';", 'attic/a.ts imports common/tensor'],
  ])('catch in %s: %s', (file, source, expected) => {
    expect(violations(file, source)).toContain(expected);
  });

  it.each([
    ['graph/build.ts', "import type { Model, ModelNode } from '../loader/model.ts';"],
    ['graph/build.ts', "import { type Model, type ModelNode } from '../loader/model.ts';"],
    [
      'kernels/pool.ts',
      "// import { GpuContext } from '../runtime/gpu-context.ts';\nimport { pool } from './dispatch.ts';",
    ],
    ['node/images.ts', "import { readFile } from 'node:fs/promises';"],
    ['cli/main.ts', "import { nodePlatform } from '../node/platform.ts';"],
    ['cli/commands/detect.ts', "import { createDetector } from '../../index.node.ts';"],
  ])('allow in %s: %s', (file, source) => {
    expect(violations(file, source)).toEqual([]);
  });

  it.each([
    'Object.assign(globalThis, globals);',
    'globalThis.GPU = gpu;',
    "globalThis['navigator'].gpu ??= gpu;",
    "Object.defineProperty(globalThis, 'x', {});",
    'self.onmessage = handle;',
  ])('catch %s', (source) => {
    expect(globalWrites(source)).toHaveLength(1);
  });

  it.each(['const gpu = globalThis.navigator?.gpu;', 'if (globalThis.x === 1) run();', 'this.self = 1;'])(
    'allow %s',
    (source) => {
      expect(globalWrites(source)).toEqual([]);
    },
  );
});
