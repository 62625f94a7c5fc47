#!/usr/bin/env bash
# Installs what the recipes for several machines run on in their tests, on Debian and Ubuntu: GNU parallel, Slurm and Redis.
# The tests start a Slurm and a Redis of their own.
#   --dry-run   print the commands that would install them, whatever is there already
set -euo pipefail

# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# the daemons are in a folder that is on root's PATH only
PATH=$PATH:/usr/sbin
commands=(parallel munged slurmctld slurmd sbatch redis-server)

all_here() {
  local command
  for command in "${commands[@]}"; do
    command -v "$command" >/dev/null || return 1
  done
}

versions() {
  echo "$(parallel --version 2>/dev/null | head -n 1), $(dpkg-query -W -f='Slurm ${Version}' slurmd), $(redis-server --version | cut -d ' ' -f 1-3)"
}

if ! $dry_run && all_here; then
  echo "Already here: $(versions)"
  exit 0
fi

has_apt ||
  fail "knows only Debian and Ubuntu, not ${PRETTY_NAME:-this system}: needs GNU parallel, Slurm with MUNGE, and Redis"

as_root apt-get update
apt_install parallel slurm-wlm munge redis-server

$dry_run && exit 0
all_here || fail "installed, but expected all of ${commands[*]} on the PATH"
echo "Installed: $(versions)"
