# shellcheck shell=bash
# Runs a command without the two warnings of Dawn (webgpu 0.6.2), which writes them from native code on software adapters
# and has no option against them. They are gone when scripts/quick-start.sh prints none without this.
quiet_dawn() {
  { "$@" 2>&1 >&3 3>&- | sed -u '/PerPipelineLayout artificially reduced from /d' >&2 3>&-; } 3>&1
}
