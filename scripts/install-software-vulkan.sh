#!/usr/bin/env bash
# shellcheck disable=SC2016 # what stands in single quotes is for apt and dpkg to expand
# Gives WebGPU in Node (Dawn, the npm package webgpu) a software Vulkan driver, Mesa's lavapipe, on Debian and Ubuntu.
#   --dry-run   print the commands that would install it, whatever is there already
set -euo pipefail

# shellcheck source=scripts/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

min_mesa=23 # Dawn refuses older ones: "shaderUniform*ArrayDynamicIndexing required" (webgpu 0.6.2)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Prints the name of a working adapter, or of an installed driver where Dawn is not there to try it.
find_adapter() {
  if [ -d node_modules/webgpu ] && command -v node >/dev/null; then
    node --input-type=module -e "
      import { create } from 'webgpu';
      const gpu = create([]);
      const adapter = await gpu.requestAdapter();
      if (!adapter) process.exit(1);
      console.log(adapter.info.description || adapter.info.vendor);" 2>/dev/null
    return
  fi
  compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null || return 1
  is_new_enough "$(dpkg-query -W -f='${Version}' mesa-vulkan-drivers 2>/dev/null)" || return 1
  echo "the lavapipe driver of Mesa (npm install webgpu to try it)"
}

is_new_enough() {
  [ -n "$1" ] && dpkg --compare-versions "$1" ge "$min_mesa"
}

candidate() {
  LC_ALL=C apt-cache policy mesa-vulkan-drivers | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# Adds <codename>-backports of the mirror that apt uses already; apt itself reads both styles of sources.
add_backports() {
  local suite=$1-backports mirror file=/etc/apt/sources.list.d/$1-backports-mesa.sources
  if ! $dry_run && [ -n "$(apt-get indextargets 'Created-By: Packages' "Release: $suite")" ]; then return; fi
  mirror=$(apt-get indextargets --format '$(REPO_URI)' \
    'Created-By: Packages' 'Label: Debian' "Codename: $1" 'Component: main' | head -n 1)
  [ -n "$mirror" ] || fail "apt knows no mirror of Debian $1; add $suite to its sources and run this again"
  as_root tee "$file" <<SOURCES
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  as_root apt-get update
}

if ! $dry_run && adapter=$(find_adapter); then
  echo "Already here: $adapter"
  exit 0
fi

case "$(uname -s)" in
  Linux) ;;
  Darwin) fail "WebGPU runs on Metal here: npm install webgpu, and macOS 13 or newer" ;;
  *) fail "WebGPU runs on Direct3D 12 here: npm install webgpu, and update the graphics driver" ;;
esac

has_apt ||
  fail "knows only Debian and Ubuntu, not ${PRETTY_NAME:-this system}. Install Mesa $min_mesa or newer:" \
    "  Fedora: dnf install mesa-vulkan-drivers vulkan-loader" \
    "  Arch:   pacman -S vulkan-swrast vulkan-icd-loader" \
    "  Alpine: Dawn needs glibc; use a Debian image"

echo "There is no WebGPU adapter: installing Mesa's software Vulkan driver (lavapipe)."
as_root apt-get update
suite=()
if [ "${VERSION_CODENAME:-}" = bookworm ]; then
  # Debian 12's own Mesa is 22.3.
  add_backports bookworm
  suite=(-t bookworm-backports)
elif ! is_new_enough "$(candidate)"; then
  fail "Mesa $(candidate) of ${PRETTY_NAME:-this system} is too old, $min_mesa is needed; use Debian 12, Ubuntu 24.04 or newer"
fi
apt_install "${suite[@]}" mesa-vulkan-drivers libvulkan1

$dry_run && exit 0
adapter=$(find_adapter) || fail "installed, but there is still no adapter; look at VK_DRIVER_FILES and VK_ICD_FILENAMES"
echo "Installed: $adapter"
