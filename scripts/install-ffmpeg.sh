#!/usr/bin/env bash
# Installs ffmpeg and ffprobe, which scrfd video reads and writes films with, on Debian and Ubuntu.
#   --dry-run   print the commands that would install them, whatever is there already
set -euo pipefail

dry_run=false
[ "${1:-}" = --dry-run ] && dry_run=true

fail() {
  printf 'install-ffmpeg: %s\n' "$@" >&2
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

# shellcheck source=/dev/null
[ -r /etc/os-release ] && . /etc/os-release
case " ${ID:-} ${ID_LIKE:-} " in
  *" debian "* | *" ubuntu "*) ;;
  *)
    fail "knows only Debian and Ubuntu, not ${PRETTY_NAME:-this system}. Elsewhere:" \
      "  macOS:   brew install ffmpeg" \
      "  Fedora:  dnf install ffmpeg-free" \
      "  Windows: winget install ffmpeg"
    ;;
esac

as_root apt-get update
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ffmpeg

$dry_run && exit 0
both_here || fail "installed, but expected ffmpeg and ffprobe on the PATH"
echo "Installed: $(version)"
