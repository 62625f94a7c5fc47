#!/usr/bin/env bash
# Installs Debian's Chromium: the browser of the tests, and with its SwiftShader their second Vulkan driver.
#   --dry-run   print the commands that would install it, whatever is there already
set -euo pipefail

# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

icd=/usr/lib/chromium/vk_swiftshader_icd.json

if ! $dry_run && command -v chromium >/dev/null && [ -r "$icd" ]; then
  echo "Already here: $(chromium --version 2>/dev/null || command -v chromium)"
  exit 0
fi

[ "${ID:-}" = debian ] ||
  fail "knows only Debian, not ${PRETTY_NAME:-this system} (Ubuntu's chromium is a snap without $icd)"

as_root apt-get update
apt_install chromium

$dry_run && exit 0
[ -r "$icd" ] || fail "installed, but expected SwiftShader at $icd"
echo "Installed: $(chromium --version 2>/dev/null || command -v chromium)"
