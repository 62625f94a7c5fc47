#!/usr/bin/env bash
# Sets up a clean clone and finds the face in the picture that comes with it; with arguments: scrfd detect ARGUMENTS.
set -euo pipefail

scripts=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/quiet-dawn.sh
. "$scripts/quiet-dawn.sh"
bash "$scripts/setup.sh" >&2
main=$(realpath "$scripts/../dist/cli/main.js")
if [ $# -eq 0 ]; then
  cd "$scripts/.."
  set -- assets/astronaut.png --out out/
fi
quiet_dawn node "$main" detect "$@"
