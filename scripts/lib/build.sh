# shellcheck shell=bash
# Building with something to look at. RocksDB, one crate of many, is half of the first build.
#
# Always `--workspace`: with `-p NAME` cargo chooses other features for shared dependencies, which compiles RocksDB,
# tokio and libp2p a second time.

# Objects of RocksDB that its crate will compile, and 0 before the crate is there.
rocksdb_objects_expected() {
    local list
    for list in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/librocksdb-sys-*/rocksdb_lib_sources.txt; do
        if [[ -f $list ]]; then wc -l <"$list"; return; fi
    done
    echo 0
}

# Objects of the RocksDB that is being compiled since the stamp; empty if none is.
rocksdb_objects_done() {
    local stamp=$1 dir
    for dir in "$CARGO_TARGET_DIR"/debug/build/librocksdb-sys-*/out; do
        [[ -d $dir && ! -e $dir/librocksdb.a && $dir -nt $stamp ]] || continue
        find "$dir" -maxdepth 1 -name '*.o' | wc -l
        return
    done
}

# One line on how far cargo is, from its own progress bar in the log.
progress_line() {
    local log=$1 stamp=$2 recent crates objects line
    recent=$(tail -c 8192 "$log" | tr '\r' '\n')
    crates=$(grep -oE '[0-9]+/[0-9]+: .*' <<<"$recent" | tail -n 1 || true)
    if [[ -z $crates ]]; then
        case $recent in
            *'Blocking waiting for file lock'*) line="waiting for another build to finish" ;;
            *Download*) line="downloading crates" ;;
            *) line="starting" ;;
        esac
    else
        line="crates ${crates%%:*}"
        objects=$(rocksdb_objects_done "$stamp")
        [[ -z $objects ]] || line+=", RocksDB objects $objects/$(rocksdb_objects_expected)"
        line+="  now: ${crates#*: }"
    fi
    printf '%s' "$line"
}

expected_build_time() {
    if rocksdb_is_built; then
        say "building: seconds when little changed, up to 5 minutes when dependencies did"
    else
        say "first build: about $((70 / $(nproc) + 1)) minutes with $(nproc) cores, most of it RocksDB; later ones take seconds"
    fi
}

# The log without cargo's progress bars.
readable_log() { tr '\r' '\n' <"$1" | sed 's/\x1b\[K//g' | grep -vE '^ *(Building|Downloading|Updating) \[|^ *$' || true; }

# build_with_progress CARGO-ARGUMENTS… — e.g. `build --workspace --bins`.
build_with_progress() {
    local log stamp code=0 pid shown=$SECONDS began=$SECONDS width every=30 line
    make_cache
    log=$(mktemp "$KANHE_CACHE/build.XXXXXX.log")
    stamp=$log.stamp
    touch "$stamp"
    expected_build_time
    CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=160 CARGO_TERM_COLOR=never \
        start_group "$log" cargo "$1" --locked "${@:2}"
    pid=$STARTED_PID
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        if [[ -t 3 ]]; then
            width=$(tput cols 2>/dev/null || echo 80)
            line="$(duration $((SECONDS - began)))  $(progress_line "$log" "$stamp")"
            printf '\r\e[K%s' "${line:0:width - 1}" >&3
        elif ((SECONDS - shown >= every)); then
            shown=$SECONDS
            line="  $(duration $((SECONDS - began)))  $(progress_line "$log" "$stamp")"
            line=${line:0:140}
            say "${line%"${line##*[![:space:]]}"}"
        fi
    done
    wait "$pid" || code=$?
    forget_group "$pid"
    [[ ! -t 3 ]] || printf '\r\e[K' >&3
    rm -f "$stamp"
    if ((code != 0)); then
        readable_log "$log" | tail -n 60 >&2
        die 1 "the build failed (cargo $*)" "the whole log is $log"
    fi
    readable_log "$log" | grep -E '^warning' >&2 || true
    rm -f "$log"
    ok "built in $(duration $((SECONDS - began)))"
}

# build_programs — the two programs and the tools of the tests, by the profile that KANHE_PROFILE names.
build_programs() { build_with_progress build --workspace --bins --profile "${KANHE_PROFILE:-dev}"; }
