#!/usr/bin/env bash
# Installs from npm, into .recipes, what tests try the documents with and no one else needs: the runtimes of the README's program for Node
# (the least Node that is named, the lines since, Bun and Deno) and Kubernetes' schemas. 700 MB.
#   --dry-run   print the command that would install them, whatever is there already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

platform=$(node -p 'process.platform + "-" + process.arch')
# as npm's package `node` names its parts
case "$platform" in
  darwin-arm64) node=node-bin-$platform ;;
  win32-*) node=node-win-${platform#win32-} ;;
  *) node=node-$platform ;;
esac
packages=("least-node@npm:$node@20.10.0" "node-22@npm:$node@22.23.3" "node-24@npm:$node@24.21.0" bun@1.4.5 deno@2.9.6
  kubernetes-models@4.5.1)
mark=.recipes/installed

if [ "${1:-}" != --dry-run ] && [ "$(cat "$mark" 2>/dev/null)" = "${packages[*]}" ]; then
  echo "Already here: ${packages[*]}"
  exit 0
fi

# their install scripts would put the executables that came along elsewhere; the tests know where they are
install=(npm install --prefix .recipes --ignore-scripts --no-package-lock --no-audit --no-fund "${packages[@]}")
echo "+ ${install[*]}"
if [ "${1:-}" = --dry-run ]; then exit 0; fi
mkdir -p .recipes
echo '{ "private": true }' > .recipes/package.json
"${install[@]}"
echo "${packages[*]}" > "$mark"
