# shellcheck shell=bash
# The words in which the demo's story is told. Commands are shown as a user would type them, then run for real.

# A word as the shell would want it typed; Chinese stays as it is.
shell_word() {
    if [[ $1 =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then
        printf '%s' "$1"
    else
        printf "'%s'" "${1//\'/\'\\\'\'}"
    fi
}

shown_command() {
    local word line=''
    for word in "$@"; do line+=" $(shell_word "$word")"; done
    # The folder of this run is long and means nothing to the reader.
    [[ -z ${DEMO:-} ]] || line=${line//"$DEMO"/\$DEMO}
    printf '%s' "${line# }"
}

show_command() { printf '%s$ %s%s\n' "$BOLD" "$(shown_command "$@")" "$PLAIN" >&3; }

# run COMMAND… — shows it, runs it, stops the demo if it fails.
run() {
    local code=0
    show_command "$@"
    in_group "$@" || code=$?
    ((code == 0)) || die 1 "this should have worked and ended with code $code: $(shown_command "$@")"
}

# capture VARIABLE COMMAND… — the same, its stdout kept as well as shown.
capture() {
    local variable=$1 file code=0
    shift
    file=$(mktemp "$DEMO/.out.XXXXXX")
    show_command "$@"
    in_group "$@" >"$file" || code=$?
    printf -v "$variable" '%s' "$(<"$file")"
    cat "$file" >&3
    rm -f "$file"
    ((code == 0)) || die 1 "this should have worked and ended with code $code: $(shown_command "$@")"
}

# quietly COMMAND… — not shown, output only if it fails: for what is not part of the story.
quietly() {
    local file code=0
    file=$(mktemp "$DEMO/.out.XXXXXX")
    in_group "$@" >"$file" 2>&1 || code=$?
    ((code == 0)) || tail -n 30 "$file" >&2
    rm -f "$file"
    ((code == 0)) || die 1 "this should have worked and ended with code $code: $(shown_command "$@")"
}

# must_fail CODE COMMAND… — shows it, runs it, and stops the demo unless it ends with exactly this code.
must_fail() {
    local wanted=$1 code=0
    shift
    show_command "$@"
    in_group "$@" || code=$?
    ((code == wanted)) || die 1 "this should have ended with code $wanted and ended with $code: $(shown_command "$@")"
    note "(exit code $code, as it should)"
}

# wait_until SECONDS WHAT COMMAND… — until the command says yes.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2 began=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || die 1 "waited $(duration $((SECONDS - began))) in vain until $what"
        sleep 0.2
    done
    note "($what: after $(duration $((SECONDS - began))))"
}

SUMMARY_NAMES=() SUMMARY_VALUES=()

# summary NAME VALUE — a row for the table at the end.
summary() { SUMMARY_NAMES+=("$1") SUMMARY_VALUES+=("$2"); }

summary_table() {
    local i
    printf '\n' >&3
    for i in "${!SUMMARY_NAMES[@]}"; do
        printf '  %-52s %s\n' "${SUMMARY_NAMES[i]}" "${SUMMARY_VALUES[i]}" >&3
    done
}

# without_network COMMAND… — in a network namespace that has nothing, not even loopback. Needs no root.
without_network() { run unshare -rn "$@"; }
