# shellcheck shell=bash
# Is this machine good enough, and what will it take?

DISK_FIRST_GB=12
DISK_LATER_GB=3
MEMORY_MB_MIN=4000
# A C++ file of RocksDB or a large Rust crate takes up to about this much.
MEMORY_PER_JOB_MB=1500

# Free space in GB of the file system that holds a path (or its nearest existing parent).
free_gb() {
    local path=$1
    while [[ ! -e $path ]]; do path=$(dirname "$path"); done
    df -Pk "$path" | awk 'NR == 2 { printf "%d", $4 / 1048576 }'
}

memory_mb() { awk '/^MemAvailable:/ { printf "%d", $2 / 1024 }' /proc/meminfo; }

rocksdb_is_built() { compgen -G "$CARGO_TARGET_DIR/debug/build/librocksdb-sys-*/out/librocksdb.a" >/dev/null; }

check_machine() {
    [[ $(uname -s) == Linux ]] || die 2 "this runs on Linux only" "use a Debian 12 machine or virtual machine"
    local disk memory cores need=$DISK_LATER_GB
    rocksdb_is_built || need=$DISK_FIRST_GB
    disk=$(free_gb "$CARGO_TARGET_DIR") memory=$(memory_mb) cores=$(nproc)
    ((disk >= need)) || die 2 "only $disk GB are free where the build goes ($CARGO_TARGET_DIR); it needs $need" \
        "free some space, or set XDG_CACHE_HOME to a folder on a larger disk"
    ((memory >= MEMORY_MB_MIN)) || die 2 "only $memory MB of memory are available; the build needs $MEMORY_MB_MIN" \
        "end other programs, or use a larger machine"
    if ((memory / cores < MEMORY_PER_JOB_MB)); then
        export CARGO_BUILD_JOBS=$((memory / MEMORY_PER_JOB_MB > 0 ? memory / MEMORY_PER_JOB_MB : 1))
        note "memory is short for $cores cores: building with $CARGO_BUILD_JOBS at a time"
    fi
    ok "disk $disk GB free, memory $memory MB available, $cores cores"
}
