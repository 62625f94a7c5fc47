import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Import {
  /** A file of src/ without its extension, or a package. */
  readonly target: string;
  /** Erased when compiled. */
  readonly typeOnly: boolean;
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

/** Everything that a source file imports or re-exports, dynamic imports included. */
function readImports(file: string, source: string): Import[] {
  const resolve = (specifier: string) =>
    specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier).replace(/\.ts$/, '') : specifier;
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
      return { target: resolve(specifier!), typeOnly };
    }),
    ...dynamic.map(([, specifier]) => ({ target: resolve(specifier!), typeOnly: false })),
  ];
}

const sources = new Map(
  readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => [path, readFileSync(`${root}src/${path}`, 'utf8')]),
);

interface Rule {
  /** Which files, by path from src/. */
  readonly files: RegExp;
  /** What they may import, by path without extension or by package. */
  readonly allowed: RegExp;
  /** What they may import as types besides. */
  readonly types?: RegExp;
}

/** The table of the architecture. A file obeys every rule that it matches. */
const RULES: readonly Rule[] = [
  { files: /^(errors|tensor|gpu-flags|shaders\.gen)\.ts$/, allowed: /^$/ },
  { files: /^loader\//, allowed: /^(loader\/.*|tensor|errors)$/ },
  { files: /^kernels\//, allowed: /^(kernels\/.*|errors|tensor|shaders\.gen)$/ },
  { files: /^graph\//, allowed: /^(graph\/.*|kernels\/.*|tensor|errors)$/, types: /^loader\/(model|attributes)$/ },
  {
    files: /^(device|executor|constant-store|timer|stopwatch|tuner)\.ts$/,
    allowed:
      /^(constant-store|device|errors|gpu-flags|pace|platform|stopwatch|task-queue|timer|graph\/plan|kernels\/.*|tensor)$/,
  },
  {
    files: /^models\/(registry|download|zip|cache\.browser|cache\.node|npm\.node|resolve\.node)\.ts$/,
    allowed: /^(models\/.*|errors|@zip\.js\/zip\.js|nanotar|node:.*)$/,
  },
  {
    files: /^evaluation\//,
    allowed: /^(evaluation\/.*|write-file\.node|node:.*)$/,
    types: /^(face|detect-options)$/,
  },
  { files: /^(?!models\/zip\.ts$)/, allowed: /^(?!@zip\.js\/)/ },
  { files: /^(?!cli\/).*(?<!\.node)\.ts$/, allowed: /^(?!node:)(?!.*\.node$)/ },
  { files: /^(?!cli\/)/, allowed: /^(?!cli\/)/ },
  { files: /^(?!cli\/|benchmark\/)/, allowed: /^(?!benchmark\/)/ },
  { files: /./, allowed: /^(?!onnx-proto|protobufjs)/ },
  { files: /./, allowed: new RegExp(`^(?!(${builtinModules.filter((name) => !name.startsWith('_')).join('|')})$)`) },
];

function violations(file: string, source: string): string[] {
  const imports = readImports(file, source);
  return RULES.filter(({ files }) => files.test(file)).flatMap(({ allowed, types }) =>
    imports
      .filter(({ target, typeOnly }) => !allowed.test(target) && !(typeOnly && types?.test(target)))
      .map(({ target, typeOnly }) => `${file} imports ${typeOnly ? 'types of ' : ''}${target}`),
  );
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
    for (const { target } of readImports(file, sources.get(file)!).filter(({ target }) => /^[\w-]+\//.test(target))) {
      expect(sources.has(`${target}.ts`), `${file} imports ${target}`).toBe(true);
    }
  });

  it('leaves the global object alone', () => {
    expect([...sources].flatMap(([file, source]) => globalWrites(source).map((text) => `${file}: ${text}`))).toEqual(
      [],
    );
  });

  it('has every part that the rules speak of', () => {
    for (const { files } of RULES)
      expect(
        [...sources.keys()].some((file) => files.test(file)),
        String(files),
      ).toBe(true);
    expect(readImports('models/zip.ts', sources.get('models/zip.ts')!).map(({ target }) => target)).toContain(
      '@zip.js/zip.js',
    );
  });

  it('embeds the shaders as they are', () => {
    execFileSync(process.execPath, ['scripts/embed-shaders.mjs', '--check'], { cwd: root, stdio: 'pipe' });
  });
});

describe('the rules', () => {
  it.each([
    ['tensor.ts', "import { ModelError } from './errors.ts';", 'tensor.ts imports errors'],
    ['loader/onnx.ts', "import type { Graph } from '../graph/ir.ts';", 'loader/onnx.ts imports types of graph/ir'],
    ['loader/onnx.ts', "import onnx from 'onnx-proto';", 'loader/onnx.ts imports onnx-proto'],
    ['kernels/pool.ts', "import {\n  GpuContext,\n} from '../device.ts';", 'kernels/pool.ts imports device'],
    ['graph/build.ts', "import { loadModel } from '../loader/onnx.ts';", 'graph/build.ts imports loader/onnx'],
    [
      'graph/build.ts',
      "import { Attributes } from '../loader/attributes.ts';",
      'graph/build.ts imports loader/attributes',
    ],
    ['graph/passes/a.ts', "import '../../executor.ts';", 'graph/passes/a.ts imports executor'],
    ['executor.ts', "import { optimize } from './graph/passes/index.ts';", 'executor.ts imports graph/passes/index'],
    ['detector.ts', "import { readFileSync } from 'node:fs';", 'detector.ts imports node:fs'],
    ['detector.ts', "export { nodePlatform } from './platform.node.ts';", 'detector.ts imports platform.node'],
    ['platform.ts', "const fs = await import('node:fs');", 'platform.ts imports node:fs'],
    ['images.node.ts', "import fs from 'fs';", 'images.node.ts imports fs'],
    ['models/download.ts', "import { open } from 'node:fs/promises';", 'models/download.ts imports node:fs/promises'],
    [
      'models/registry.ts',
      "import { nodePlatform } from '../platform.node.ts';",
      'models/registry.ts imports platform.node',
    ],
    [
      'models/resolve.node.ts',
      "import { ZipReader } from '@zip.js/zip.js';",
      'models/resolve.node.ts imports @zip.js/zip.js',
    ],
    ['index.ts', "export * from './cli/main.ts';", 'index.ts imports cli/main'],
    ['detector.ts', "import { median } from './benchmark/statistics.ts';", 'detector.ts imports benchmark/statistics'],
  ])('catch in %s: %s', (file, source, expected) => {
    expect(violations(file, source)).toContain(expected);
  });

  it.each([
    ['graph/build.ts', "import type { Model, ModelNode } from '../loader/model.ts';"],
    ['graph/build.ts', "import { type Model, type ModelNode } from '../loader/model.ts';"],
    ['kernels/pool.ts', "// import { GpuContext } from '../device.ts';\nimport { pool } from './kernel.ts';"],
    ['images.node.ts', "import { readFile } from 'node:fs/promises';"],
    ['cli/main.ts', "import { nodePlatform } from '../platform.node.ts';"],
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
