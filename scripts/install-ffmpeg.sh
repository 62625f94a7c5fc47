#!/usr/bin/env bash
# Installs ffmpeg and ffprobe, which scrfd video reads and writes films with, on Debian and Ubuntu.
#   --dry-run   print the commands that would install them, whatever is there already
set -euo pipefail

# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

both_here() {
  command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null
}

version() {
  ffmpeg -hide_banner -version | head -n 1
}

if ! $dry_run && both_here; then
  echo "Already here: $(version)"
  exit 0
fi

has_apt ||
  fail "knows only Debian and Ubuntu, not ${PRETTY_NAME:-this system}. Elsewhere:" \
    "  macOS:   brew install ffmpeg" \
    "  Fedora:  dnf install ffmpeg-free" \
    "  Windows: winget install ffmpeg"

as_root apt-get update
apt_install ffmpeg

$dry_run && exit 0
both_here || fail "installed, but expected ffmpeg and ffprobe on the PATH"
echo "Installed: $(version)"
