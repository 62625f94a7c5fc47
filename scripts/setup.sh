#!/usr/bin/env bash
# Installs what a clean clone needs to run: npm packages, a WebGPU adapter, the built package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# as .npmrc says, whose key npm's next major version does not read: the install script downloads CUDA libraries
export ONNXRUNTIME_NODE_INSTALL=skip
npm ci --include=dev --no-audit --no-fund
bash scripts/install-software-vulkan.sh
npm run build
