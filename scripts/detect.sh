#!/usr/bin/env bash
# Sets up a clean clone, then finds faces: scripts/detect.sh IMAGE... --model FILE [options of scrfd detect]
set -euo pipefail

bash "$(dirname "${BASH_SOURCE[0]}")/setup.sh" >&2
exec node "$(dirname "${BASH_SOURCE[0]}")/../dist/cli/main.js" detect "$@"
