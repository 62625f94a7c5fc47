// What happens to a shader's text when building; src/kernels/wgsl.ts has what happens to it when running.
// - The line #include "conv/spec.wgsl", indented or not, stands for that file of shaders/, whoever includes it. In one shader
//   a file comes once, at its first place. A file that others include is a part: no kernel has its name.
// - Lines "enable …;" come first, whichever file they are in.
// - Bundles for pages have shaders without comments and spaces that mean nothing.

const INCLUDE = /^ *#include "(.*)"\n/gm;
const ENABLE = /^enable .*;\n/gm;

/** The files that a file's text includes, by their paths from shaders/. */
export function includesOf(text) {
  return [...text.matchAll(INCLUDE)].map(([, file]) => file);
}

/**
 * A shader's whole source.
 * @param name of its file, from shaders/
 * @param files the texts of all files of shaders/, by their paths from there
 * @throws Error for an included file that is missing, or that includes itself by way of others
 */
export function composeShader(name, files) {
  const source = expand(name, files, [], new Set());
  return [...(source.match(ENABLE) ?? []), source.replaceAll(ENABLE, '')].join('');
}

/** @param above the files whose text this one's becomes a part of, outermost first */
function expand(name, files, above, seen) {
  seen.add(name);
  return files.get(name).replaceAll(INCLUDE, (_, file) => {
    const path = [...above, name];
    if (!files.has(file)) throw new Error(`${name} includes ${file}, which is not in shaders/`);
    if (path.includes(file))
      throw new Error(`${[...path.slice(path.indexOf(file)), file].join(' includes ')}: a circle`);
    return seen.has(file) ? '' : `${expand(file, files, path, seen)}\n`;
  });
}

/** The same shader in fewer characters. */
export function shortenShader(source) {
  return (
    source
      .replaceAll(/\/\/.*$/gm, '')
      // lines within functions, but for those of #for: others are found by where they begin
      .replaceAll(/(?<=[;{},(]) *\n(?: *\n)* +(?=[^ #\n])/g, '')
      .replaceAll(/\s*\n\s*/g, '\n')
      // not in constants and aliases: src/kernels/wgsl.ts finds some by their lines
      .replaceAll(/^(?!const |alias ).*$/gm, (line) => line.replaceAll(/ ?([=+*/,;:{}()]) ?/g, '$1'))
      .trim()
  );
}
