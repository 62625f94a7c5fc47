#!/usr/bin/env bash
# Sets up a clean clone and finds the face in the picture that comes with it; with arguments: scrfd detect ARGUMENTS.
set -euo pipefail

scripts=$(dirname "${BASH_SOURCE[0]}")
bash "$scripts/setup.sh" >&2
if [ $# -eq 0 ]; then
  cd "$scripts/.."
  exec node dist/cli/main.js detect assets/astronaut.png --out out/
fi
exec node "$scripts/../dist/cli/main.js" detect "$@"
