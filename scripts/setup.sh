#!/usr/bin/env bash
# Installs what a clean clone needs to run: npm packages, a WebGPU adapter, the built package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# for npm before 11, which knows no allowScripts: the install script downloads CUDA libraries that nothing here uses
export ONNXRUNTIME_NODE_INSTALL=skip
npm ci --include=dev --no-audit --no-fund
bash scripts/install-software-vulkan.sh
npm run build
