import { describe, expect, it } from 'vitest';
import { composeShader, includesOf, shortenShader } from '../../scripts/wgsl.mjs';

/** The lines of `main.wgsl`, composed of these files, without empty ones. */
function compose(files: Readonly<Record<string, string>>): string[] {
  return composeShader('main.wgsl', new Map(Object.entries(files)))
    .split('\n')
    .filter((line) => line !== '');
}

describe('composeShader', () => {
  it('puts a file where the line stands', () => {
    const main = 'const A = 1;\n#include "conv/part.wgsl"\nfn main() {\n  #include "start.wgsl"\n  done();\n}\n';
    const files = { 'main.wgsl': main, 'conv/part.wgsl': 'const B = 2;\n', 'start.wgsl': '  let x = B;\n' };
    expect(includesOf(main)).toEqual(['conv/part.wgsl', 'start.wgsl']);
    expect(compose(files)).toEqual(['const A = 1;', 'const B = 2;', 'fn main() {', '  let x = B;', '  done();', '}']);
  });

  it('takes paths from shaders/, in parts of parts too', () => {
    const files = {
      'main.wgsl': '#include "conv/a.wgsl"\nm\n',
      'conv/a.wgsl': '#include "conv/b.wgsl"\na\n',
      'conv/b.wgsl': 'b\n',
    };
    expect(compose(files)).toEqual(['b', 'a', 'm']);
  });

  it('has a file that several include once', () => {
    const files = {
      'main.wgsl': '#include "a.wgsl"\n#include "b.wgsl"\n#include "a.wgsl"\nm\n',
      'a.wgsl': '#include "c.wgsl"\na\n',
      'b.wgsl': '#include "c.wgsl"\nb\n',
      'c.wgsl': 'c\n',
    };
    expect(compose(files)).toEqual(['c', 'a', 'b', 'm']);
  });

  it('begins with what is enabled, in whichever file', () => {
    const files = {
      'main.wgsl': '// what it does\nenable f16;\n#include "a.wgsl"\nm\n',
      'a.wgsl': '// a part\nenable subgroups;\na\n',
    };
    expect(compose(files)).toEqual(['enable f16;', 'enable subgroups;', '// what it does', '// a part', 'a', 'm']);
  });

  it('names both files where one is missing', () => {
    const files = { 'main.wgsl': '#include "a.wgsl"\n', 'a.wgsl': '#include "conv/b.wgsl"\n' };
    expect(() => compose(files)).toThrow('a.wgsl includes conv/b.wgsl, which is not in shaders/');
  });

  it('names the files of a circle', () => {
    const files = {
      'main.wgsl': '#include "a.wgsl"\n',
      'a.wgsl': '#include "b.wgsl"\n',
      'b.wgsl': '#include "a.wgsl"\n',
    };
    expect(() => compose(files)).toThrow('a.wgsl includes b.wgsl includes a.wgsl: a circle');
    expect(() => compose({ 'main.wgsl': '#include "main.wgsl"\n' })).toThrow('main.wgsl includes main.wgsl');
  });
});

describe('shortenShader', () => {
  it('drops comments, needless spaces and the lines within functions', () => {
    const source = '// what it does\nfn f(a: i32, b: i32) -> i32 {\n  // why\n  return a * b; // product\n}\n';
    expect(shortenShader(source)).toBe('fn f(a:i32,b:i32)-> i32{return a*b;\n}');
  });

  it('keeps the lines that kernels look for', () => {
    const source = 'const PIXELS = 4;\nalias In = vec4f;\n  #for i < PIXELS\n  let v{i*2+1} = f({i});\n  #end\n';
    expect(shortenShader(source)).toBe(
      'const PIXELS = 4;\nalias In = vec4f;\n#for i < PIXELS\nlet v{i*2+1}=f({i});\n#end',
    );
  });
});
