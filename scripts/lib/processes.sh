# shellcheck shell=bash
# Starting programs so that every one of them is ended again, whatever happens to the script.
#
# Each command runs in a session of its own (`setsid`), so its children are ended with it, and a Ctrl-C reaches the
# script alone, which then ends them in order. As a net below that, all carry a mark in their environment.

KANHE_RUN=kanhe-$$-$RANDOM$RANDOM
export KANHE_RUN

GROUPS_STARTED=()
CLEANUPS=()

# at_end COMMAND… — run when the script ends, last registered first. Commands must not fail.
at_end() {
    local quoted
    printf -v quoted '%q ' "$@"
    CLEANUPS=("$quoted" "${CLEANUPS[@]}")
}

# in_group COMMAND… — runs a program in its own session and waits; signals to the script are acted on at once.
in_group() {
    local pid code=0
    if [[ -t 0 ]]; then
        setsid -- "$@" </dev/null 3>&- &
    else
        setsid -- "$@" <&0 3>&- &
    fi
    pid=$!
    GROUPS_STARTED+=("$pid")
    wait "$pid" || code=$?
    forget_group "$pid"
    return "$code"
}

# start_group LOG COMMAND… — starts it in the background; its pid, also its group, is in STARTED_PID.
start_group() {
    local log=$1
    shift
    setsid -- "$@" >>"$log" 2>&1 </dev/null 3>&- &
    STARTED_PID=$!
    GROUPS_STARTED+=("$STARTED_PID")
}

forget_group() {
    local kept=() pid
    for pid in "${GROUPS_STARTED[@]}"; do
        [[ $pid == "$1" ]] || kept+=("$pid")
    done
    GROUPS_STARTED=("${kept[@]}")
}

group_lives() { kill -0 -- "-$1" 2>/dev/null; }

# end_group PID [SECONDS] — SIGTERM to the group, SIGKILL after the grace time.
end_group() {
    local pid=$1 tries=$((${2:-10} * 10))
    kill -TERM -- "-$pid" 2>/dev/null || { forget_group "$pid"; return 0; }
    while ((tries-- > 0)) && group_lives "$pid"; do sleep 0.1; done
    kill -KILL -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    forget_group "$pid"
}

# Pids of processes that carry this run's mark, wherever their parent went.
marked_processes() {
    local file
    { env -u KANHE_RUN grep -lzxF "KANHE_RUN=$KANHE_RUN" /proc/[0-9]*/environ 2>/dev/null || true; } |
        while IFS= read -r file; do
            file=${file#/proc/}
            printf '%s\n' "${file%/environ}"
        done
}

# Ends what still carries this run's mark.
end_marked() {
    local pid tries=50
    for pid in $(marked_processes); do kill -TERM "$pid" 2>/dev/null || true; done
    while ((tries-- > 0)) && [[ -n $(marked_processes) ]]; do sleep 0.1; done
    for pid in $(marked_processes); do kill -KILL "$pid" 2>/dev/null || true; done
}

KEEP_PROCESSES=no
# The subshell of the stage that is running (see talk.sh).
STAGE_PID=

on_exit() {
    local code=$? pid cleanup
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    [[ -z $STAGE_PID ]] || kill -TERM "$STAGE_PID" 2>/dev/null
    for pid in "${GROUPS_STARTED[@]}"; do end_group "$pid"; done
    for cleanup in "${CLEANUPS[@]}"; do eval "$cleanup"; done
    [[ $KEEP_PROCESSES == yes ]] || end_marked
    exit "$code"
}

# Scripts that start anything call this once.
clean_up_at_exit() {
    trap on_exit EXIT
    trap 'printf "\ninterrupted: ending what was started\n" >&2; exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}
