#!/usr/bin/env bash
# Installs what the server's Dockerfile is built and run by in its test, on Debian and Ubuntu, as root: Podman, and the image that it is
# made from, in .recipes/container. Where no registry of images answers, that image is made from Debian's and npm's packages: Debian 13,
# Node 22 with its npm in /usr/local, a user `node`. 300 MB, and 1 GB more while the test runs.
#   --dry-run   print the commands that would install them, whatever is there already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/apt.sh
. scripts/apt.sh

image=docker.io/library/node:22-trixie-slim
npm=10.9.9 # Node 22's
home=$PWD/.recipes/container
export CONTAINERS_CONF=$home/containers.conf CONTAINERS_STORAGE_CONF=$home/storage.conf

if ! $dry_run && [ -e "$home/installed" ] && command -v podman >/dev/null; then
  echo "Already here: $(podman --version), $(cat "$home/installed")"
  exit 0
fi

has_apt || fail "knows only Debian and Ubuntu, not ${PRETTY_NAME:-this system}: needs Podman, runc, debootstrap and OpenSSL"

as_root apt-get update
apt_install podman runc debootstrap debian-archive-keyring openssl
echo "+ podman pull $image, or make it: debootstrap, scripts/install-recipes.sh, npm install npm@$npm, podman import"
$dry_run && exit 0
[ "$(id -u)" -eq 0 ] || fail "run this as root: containers use this machine's network, and its ports below 1024"

# its own images, apart from this machine's; nothing asked for that a container around this one may not give: systemd, limits above ours
mkdir -p "$home"
cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver = "overlay"
graphroot = "$home/storage"
runroot = "$home/run"
[storage.options.overlay]
skip_mount_home = "true"
CONF
cat >"$CONTAINERS_CONF" <<CONF
[containers]
netns = "host"
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
CONF

if podman pull "$image"; then
  origin=pulled
else
  origin="made here"
  echo "No registry of images answers: making $image"
  bash scripts/install-recipes.sh
  rootfs=$(mktemp -d)
  trap 'rm -rf "$rootfs"' EXIT
  debootstrap --variant=minbase trixie "$rootfs" >"$home/debootstrap.log" || fail "see $home/debootstrap.log"
  cp .recipes/node_modules/node-22/bin/node "$rootfs/usr/local/bin/"
  npm install --global --prefix "$rootfs/usr/local" --no-audit --no-fund "npm@$npm"
  chroot "$rootfs" useradd --uid 1000 --user-group --create-home --shell /bin/bash node
  # as Debian's images have it
  echo 'Acquire::Languages "none";' >"$rootfs/etc/apt/apt.conf.d/docker-no-languages"
  echo force-unsafe-io >"$rootfs/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
  rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/*
  tar -C "$rootfs" -c . | podman import --change 'CMD ["node"]' - "$image"
fi
echo "$image, $origin" >"$home/installed"
echo "Installed: $(podman --version), $(cat "$home/installed")"
