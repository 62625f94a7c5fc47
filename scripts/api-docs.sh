#!/usr/bin/env bash
# Writes docs/api.md from the docstrings of what the package exports. Needs the network once: the generator works with an
# older TypeScript than the project's, so it is no dependency of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
npx --yes --package typedoc@0.28.20 --package typedoc-plugin-markdown@4.14.1 --package typescript@5.9.3 -- typedoc \
  --plugin typedoc-plugin-markdown --entryPoints src/index.web.ts --tsconfig tsconfig.json --skipErrorChecking \
  --out "$out" --outputFileStrategy modules --readme none --name scrfd-webgpu --disableSources \
  --excludePrivate --excludeExternals --hidePageHeader --hideBreadcrumbs --useCodeBlocks \
  --parametersFormat table --interfacePropertiesFormat table --classPropertiesFormat table \
  --typeAliasPropertiesFormat table --enumMembersFormat table --logLevel Error
cp "$out/README.md" docs/api.md
