# shellcheck shell=bash
# What the installers share, which read it with their arguments: a dry run, failing, and Debian's packages.

# shellcheck source=/dev/null
[ -r /etc/os-release ] && . /etc/os-release

dry_run=false
if [ "${1:-}" = --dry-run ]; then dry_run=true; fi

# Ends the installer with these lines.
fail() {
  printf "$(basename "$0" .sh): %s\n" "$@" >&2
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

# Debian, Ubuntu, or a system made of one of them.
has_apt() {
  [[ " ${ID:-} ${ID_LIKE:-} " =~ " "(debian|ubuntu)" " ]]
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}
