#!/usr/bin/env bash
# Writes docs/api.md from the docstrings of what the package exports. Needs the network once: the generator works with an
# older TypeScript than the project's, so it is no dependency of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Writes what an entry exports, by what people do with it.
describe() {
  npx --yes --package typedoc@0.28.20 --package typedoc-plugin-markdown@4.14.1 --package typescript@5.9.3 -- typedoc \
    --plugin typedoc-plugin-markdown --entryPoints "src/$1" --tsconfig tsconfig.json --skipErrorChecking \
    --out "$out/$1" --outputFileStrategy modules --readme none --name "$2" --disableSources \
    --categorizeByGroup false --defaultCategory 'Types and errors' \
    --categoryOrder 'Finding faces' --categoryOrder 'What is done with faces' --categoryOrder Models \
    --categoryOrder 'Files, in Node' --categoryOrder Networks \
    --excludePrivate --excludeExternals --hidePageHeader --hideBreadcrumbs --useCodeBlocks \
    --parametersFormat table --interfacePropertiesFormat table --classPropertiesFormat table \
    --typeAliasPropertiesFormat table --enumMembersFormat table --logLevel Error
}

describe index.web.ts scrfd-webgpu
describe index.node.ts 'What only Node has'
# of Node's the chapter that pages lack, and the name that it adds to another
{
  cat "$out/index.web.ts/README.md"
  printf '\n# In Node besides: scrfd-webgpu/node\n\n`scrfd-webgpu` is the same module in Node: all of the above, and\n\n'
  node -e "
    const text = require('node:fs').readFileSync(process.argv[1], 'utf8');
    const part = (whole, title) => whole.split(/^(?=#{2,3} )/m).filter((each) => each.startsWith(title)).join('');
    const files = text.split(/^(?=## )/m).find((each) => each.startsWith('## Files, in Node'));
    const ends = /^## .*\n+|\s*(\*\*\*\s*)?$/g;
    console.log(files.replace(ends, '') + '\n\n***\n\n' + part(text, '### resolveModel').replace(ends, ''));
  " "$out/index.node.ts/README.md"
} > docs/api.md
