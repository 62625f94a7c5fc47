// What happens to a shader's text when running, for what `override` cannot express; scripts/wgsl.mjs has what happens to it
// when building.
// - A line `const NAME = …;` is replaced by one with the value that a kernel gives for that name. Others stay as they are.
// - The lines between `#for i < NAME` and `#end` are written out once for every value of i below the constant NAME. In them a
//   sum of products of i, of numbers and of constants stands for its value: `{i}`, `{i*2+1}`, `{p*BLOCKS+q}`. Such blocks may lie
//   in one another.
// - A line `alias In = …;` or `alias Out = …;` says how an image, a binding declared as an array of it, is stored: as `f32` or
//   `vec4f`, for which `f16` or `vec4h` are put where images are half floats. Shaders read such a binding by `f32(…)` or
//   `vec4f(…)` and write it by `Out(…)`.
// Lines of `const` and `alias` begin without indentation.
/**
 * A shader's source with these constants, its `#for` blocks written out.
 * @throws Error where it has no line for one of them
 */
export function specialize(kernel: string, shader: string, consts: Readonly<Record<string, number>> = {}): string {
  const key = `${kernel} ${JSON.stringify(consts)}`;
  const known = SPECIALIZED.get(key) ?? unroll(replaceConsts(kernel, shader, consts));
  SPECIALIZED.set(key, known);
  return known;
}

/** Networks ask for the same few again and again. */
const SPECIALIZED = new Map<string, string>();

function replaceConsts(kernel: string, shader: string, consts: Readonly<Record<string, number>>): string {
  let source = shader;
  for (const [name, value] of Object.entries(consts)) {
    const pattern = new RegExp(`^const ${name} = .*;$`, 'm');
    if (!pattern.test(source)) throw new Error(`${kernel}.wgsl has no line "const ${name} = …;"`);
    source = source.replace(pattern, `const ${name} = ${value};`);
  }
  return source;
}

/** Writes out `#for` blocks, the innermost first. */
function unroll(source: string): string {
  const innermost = /^ *#for (\w) < (\w+)\n((?:(?! *#).*\n)*) *#end\n/gm;
  const constant = (name: string) => source.match(new RegExp(`^const ${name} = (\\d+);$`, 'm'))?.[1];
  const unrolled = source.replace(innermost, (_, variable: string, limit: string, body: string) => {
    const count = Number(constant(limit));
    if (!count) throw new Error(`#for: no line "const ${limit} = …;"`);
    const expression = new RegExp(`\\{([\\w*+]*\\b${variable}\\b[\\w*+]*)\\}`, 'g');
    const place = (i: number) => (_: string, text: string) =>
      evaluate(text.replaceAll(/[a-zA-Z]\w*/g, (name) => (name === variable ? `${i}` : (constant(name) ?? name))));
    return Array.from({ length: count }, (_, i) => body.replaceAll(expression, place(i))).join('');
  });
  return unrolled === source ? source : unroll(unrolled);
}

/** The value of a sum of products of numbers; what has other variables waits for the blocks around. */
function evaluate(text: string): string {
  if (/[a-zA-Z]/.test(text)) return `{${text}}`;
  const product = (term: string) => term.split('*').reduce((value, factor) => value * Number(factor), 1);
  return `${text.split('+').reduce((sum, term) => sum + product(term), 0)}`;
}

/**
 * A source that stores the images of these aliases as half floats, and the numbers of their bindings.
 * @throws Error where it has no line for one of them
 */
export function halveStorage(
  kernel: string,
  source: string,
  aliases: readonly string[],
): { source: string; bindings: ReadonlySet<number> } {
  const bindings = new Set<number>();
  let halved = source;
  for (const name of aliases) {
    const alias = new RegExp(`^alias ${name} = (vec4f|f32);$`, 'm');
    if (!alias.test(source)) throw new Error(`${kernel}.wgsl has no line "alias ${name} = …;"`);
    halved = halved.replace(alias, (_, type: string) => `alias ${name} = ${type === 'f32' ? 'f16' : 'vec4h'};`);
    const binding = new RegExp(`@binding\\((\\d+)\\) ?var<[^>]*> ?\\w+: ?array<${name}>`, 'g');
    for (const [, number] of source.matchAll(binding)) bindings.add(Number(number));
  }
  return { source: `enable f16;\n${halved}`, bindings };
}
