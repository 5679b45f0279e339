# shellcheck shell=bash
# What every script shares. Source it first:  source "$(dirname "$0")/lib.sh"
#
# Sets: ROOT, KANHE_CACHE, CARGO_TARGET_DIR (exported), and the functions of lib/*.sh.
# Exit codes of all scripts: 0 done, 1 failed, 2 usage or something missing on this machine, 130 Ctrl-C.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT"

if [[ -z ${HOME:-} ]]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    export HOME
fi

# One cache for all checkouts, so development and CI share one build of RocksDB.
KANHE_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/kanhe
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$KANHE_CACHE/target}

# Each of these would compile everything again with other flags (see .cargo/config.toml).
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_INCREMENTAL CARGO_BUILD_TARGET

source "$ROOT/scripts/lib/talk.sh"
source "$ROOT/scripts/lib/processes.sh"
source "$ROOT/scripts/lib/machine.sh"
source "$ROOT/scripts/lib/prerequisites.sh"
source "$ROOT/scripts/lib/build.sh"

# Makes the cache folder, or says why the disk says no.
make_cache() {
    mkdir -p "$KANHE_CACHE" "$CARGO_TARGET_DIR" 2>/dev/null \
        || die 2 "cannot write $KANHE_CACHE" "set XDG_CACHE_HOME to a folder that you may write"
}
