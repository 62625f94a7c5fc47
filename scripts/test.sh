#!/usr/bin/env bash
# Sets up a clean clone and runs every check: lint, types, unit tests, and GPU tests on this machine's adapter
# (Mesa's lavapipe where there is no GPU) and again on SwiftShader, and the pages in Chromium. Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/quiet-dawn.sh
. scripts/quiet-dawn.sh

bash scripts/setup.sh
bash scripts/install-chromium.sh || echo "Going on without Chromium." >&2
bash scripts/install-ffmpeg.sh || echo "Going on without ffmpeg." >&2
bash scripts/install-cluster.sh || echo "Going on without GNU parallel, Slurm and Redis." >&2
bash scripts/install-recipes.sh || echo "Going on without other runtimes, and Kubernetes' schemas." >&2
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}"

npm run lint
npm run types

reports=$(mktemp -d)
status=0
quiet_dawn npx vitest run --reporter=default --reporter=json --outputFile.json="$reports/default.json" || status=1

# A second, independent implementation of Vulkan: subgroups of 4, other limits, other rounding. Ten times slower,
# so the longest tests take fewer cases there, and those of what happens beside the GPU, or without one, run once.
swiftshader=/usr/lib/chromium/vk_swiftshader_icd.json
if [ -f "$swiftshader" ]; then
  SCRFD_SLOW_ADAPTER=1 VK_DRIVER_FILES="$swiftshader" VK_ICD_FILENAMES="$swiftshader" \
    quiet_dawn npx vitest run \
    --reporter=default --reporter=json --outputFile.json="$reports/swiftshader.json" \
    --exclude test/detector/device-loss.test.ts --exclude test/detector/caller-memory.test.ts \
    --exclude test/runtime/leak.test.ts --exclude test/runtime/hardware-group-norm.test.ts \
    --exclude test/detector/launches.test.ts \
    test/kernels test/graph/operators test/graph/random-networks.test.ts test/graph/non-finite.test.ts test/detector test/runtime || status=1
elif [ -n "${CI:-}" ]; then
  echo "SwiftShader is missing: expected $swiftshader from Debian's chromium package" >&2
  status=1
else
  echo "SwiftShader is missing: its half of the GPU tests was not run" >&2
fi

# a short run of what hours of `npm run fuzz -- --minutes 600` look for
npm run fuzz -- --runs 300 || status=1

node scripts/sum-reports.mjs "$reports"/*.json || status=1
exit "$status"
