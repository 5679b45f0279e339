# shellcheck shell=bash
# Headings, results and errors. Colour only on a terminal, and never the only sign of anything.

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' YELLOW=$'\e[33m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' RED='' GREEN='' YELLOW='' PLAIN=''
fi

# What people read goes to descriptor 3, so that `$(run …)` catches the data alone.
exec 3>&1

STARTED=$SECONDS

# 75 -> 1m15s
duration() {
    local s=$1
    if ((s >= 3600)); then
        printf '%dh%02dm' $((s / 3600)) $((s % 3600 / 60))
    elif ((s >= 60)); then
        printf '%dm%02ds' $((s / 60)) $((s % 60))
    else
        printf '%ds' "$s"
    fi
}

elapsed() { duration $((SECONDS - STARTED)); }

say() { printf '%s\n' "$*" >&3; }
note() { printf '%s%s%s\n' "$DIM" "$*" "$PLAIN" >&3; }
ok() { printf '%sok%s    %s\n' "$GREEN" "$PLAIN" "$*" >&3; }
warn() { printf '%swarning:%s %s\n' "$YELLOW" "$PLAIN" "$*" >&2; }

# A heading with the time since the script began.
step() { printf '\n%s== [%s] %s%s\n' "$BOLD" "$(elapsed)" "$*" "$PLAIN" >&3; }

# die CODE MESSAGE [HINT]
die() {
    local code=$1 message=$2 hint=${3:-}
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$message" >&2
    [[ -z $hint ]] || printf 'hint: %s\n' "$hint" >&2
    exit "$code"
}

# The comment block at the head of a script is its help.
print_help() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }

# --- stages: what .ci/run, test and check print at their end ---------------------------------------------------------

STAGE_NAMES=() STAGE_SECONDS=() STAGE_RESULTS=() STAGES_FAILED=0

# stage NAME COMMAND… — runs it, notes its time, leaves its code in STAGE_CODE. Call it as a plain command: in a
# condition (`stage … || …`) bash would switch off `set -e` in all that it runs.
STAGE_CODE=0
stage() {
    local name=$1 began=$SECONDS time
    shift
    step "$name"
    STAGE_CODE=0
    # In the background, so that signals to the script are acted on at once.
    (
        trap - EXIT INT TERM HUP
        "$@"
    ) <&0 &
    STAGE_PID=$!
    wait "$STAGE_PID" || STAGE_CODE=$?
    STAGE_PID=
    time=$((SECONDS - began))
    STAGE_NAMES+=("$name") STAGE_SECONDS+=("$time")
    if ((STAGE_CODE == 0)); then
        STAGE_RESULTS+=(ok)
        ok "$name ($(duration "$time"))"
    else
        STAGE_RESULTS+=(FAILED)
        STAGES_FAILED=$((STAGES_FAILED + 1))
        printf '%sFAILED%s %s (code %d, %s)\n' "$RED" "$PLAIN" "$name" "$STAGE_CODE" "$(duration "$time")" >&3
    fi
}

# The same for a stage without which the rest means nothing.
stage_or_stop() {
    stage "$@"
    if ((STAGE_CODE != 0)); then
        stage_table
        exit 1
    fi
}

stage_table() {
    local i
    printf '\n%-44s %10s  %s\n' stage time result >&3
    for i in "${!STAGE_NAMES[@]}"; do
        printf '%-44s %10s  %s\n' "${STAGE_NAMES[i]}" "$(duration "${STAGE_SECONDS[i]}")" "${STAGE_RESULTS[i]}" >&3
    done
    printf '%-44s %10s\n' total "$(elapsed)" >&3
}
