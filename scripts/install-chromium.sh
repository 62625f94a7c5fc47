#!/usr/bin/env bash
# Installs Debian's Chromium: the browser of the tests, and with its SwiftShader their second Vulkan driver.
#   --dry-run   print the commands that would install it, whatever is there already
set -euo pipefail

icd=/usr/lib/chromium/vk_swiftshader_icd.json
dry_run=false
[ "${1:-}" = --dry-run ] && dry_run=true

fail() {
  printf 'install-chromium: %s\n' "$@" >&2
  exit 1
}

as_root() {
  local command=("$@")
  if [ "$(id -u)" -ne 0 ] && ! $dry_run; then
    command -v sudo >/dev/null || fail "run this as root: sudo is not installed"
    command=(sudo "$@")
  fi
  echo "+ ${command[*]}"
  $dry_run || "${command[@]}"
}

if ! $dry_run && command -v chromium >/dev/null && [ -r "$icd" ]; then
  echo "Already here: $(chromium --version 2>/dev/null || command -v chromium)"
  exit 0
fi

# shellcheck source=/dev/null
[ -r /etc/os-release ] && . /etc/os-release
[ "${ID:-}" = debian ] ||
  fail "knows only Debian, not ${PRETTY_NAME:-this system} (Ubuntu's chromium is a snap without $icd)"

as_root apt-get update
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium

$dry_run && exit 0
[ -r "$icd" ] || fail "installed, but expected SwiftShader at $icd"
echo "Installed: $(chromium --version 2>/dev/null || command -v chromium)"
