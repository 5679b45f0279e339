# shellcheck shell=bash
# A local network in a folder DIR, made by `kanhe-node devnet init`:
#   DIR/devnet.json       {"bureaus": [{"name": …, "api": "http://127.0.0.1:PORT"}, …]}
#   DIR/NAME/             home of a node; the scripts add DIR/NAME/pid and DIR/NAME/log

NODE_PROGRAM=$CARGO_TARGET_DIR/debug/kanhe-node

# devnet_bureaus DIR — a line "NAME URL founder|outside" for each node.
devnet_bureaus() {
    python3 - "$1/devnet.json" <<'PYTHON'
import json, sys
for bureau in json.load(open(sys.argv[1]))["bureaus"]:
    print(bureau["name"], bureau["api"], "founder" if bureau["founder"] else "outside")
PYTHON
}

# devnet_ready URL — the height, if the node answers that it is ready; otherwise code 1 and its reason.
devnet_ready() {
    python3 - "$1" <<'PYTHON'
import json, sys, urllib.error, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    with opener.open(sys.argv[1].rstrip("/") + "/readyz", timeout=3) as answer:
        body = answer.read(65536)
except urllib.error.HTTPError as error:
    body = error.read(65536).decode("utf-8", "replace").strip()
    sys.exit(print(f"not ready ({error.code}) {body[:120]}") or 1)
except OSError as error:
    sys.exit(print(f"no answer ({getattr(error, 'reason', error)})") or 1)
try:
    print(json.loads(body)["height"])
except (ValueError, KeyError, TypeError):
    print("ready, height not said")
PYTHON
}

# node_pid HOME — the pid of the node that runs on this home, proved by its own command line; nothing if none does.
# A pid file alone proves nothing: numbers are given out again.
node_pid() {
    local home=$1 pid words=()
    pid=$(cat "$home/pid" 2>/dev/null || true)
    [[ $pid =~ ^[0-9]+$ && -r /proc/$pid/cmdline ]] || return 0
    mapfile -d '' -t words <"/proc/$pid/cmdline" 2>/dev/null || return 0
    [[ ${words[0]:-} == */kanhe-node && ${words[1]:-} == run && " ${words[*]} " == *" --home $home "* ]] || return 0
    # A rebuilt program shows as "… (deleted)"; it is still ours.
    [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == */kanhe-node* ]] || return 0
    printf '%s\n' "$pid"
}

# node_start HOME — does nothing if it runs already. It outlives this script if KEEP_PROCESSES is yes.
node_start() {
    local home=$1
    [[ -z $(node_pid "$home") ]] || return 0
    # Its log can name what others should not read.
    (
        umask 077
        setsid nohup "$NODE_PROGRAM" run --home "$home" >>"$home/log" 2>&1 </dev/null 3>&- 9>&- &
        printf '%s\n' "$!" >"$home/pid.new"
        mv "$home/pid.new" "$home/pid"
    )
}

# node_stop HOME [SECONDS] — SIGTERM, and SIGKILL after the grace time; 1 if it had to be killed.
node_stop() {
    local home=$1 pid tries=$((${2:-20} * 10))
    pid=$(node_pid "$home")
    if [[ -n $pid ]]; then
        kill -TERM "$pid" 2>/dev/null || true
        while ((tries-- > 0)) && [[ -n $(node_pid "$home") ]]; do sleep 0.1; done
        if [[ -n $(node_pid "$home") ]]; then
            warn "$(basename "$home") (pid $pid) did not end by itself and is killed"
            kill -KILL "$pid" 2>/dev/null || true
            rm -f "$home/pid"
            return 1
        fi
    fi
    rm -f "$home/pid"
}

# node_kill HOME — as a power cut would.
node_kill() {
    local pid
    pid=$(node_pid "$1")
    [[ -z $pid ]] || kill -KILL "$pid"
    rm -f "$1/pid"
}

# node_wait_ready HOME URL [SECONDS] — until it is ready; says its last words if it ends before that.
node_wait_ready() {
    local home=$1 url=$2 began=$SECONDS deadline=$((SECONDS + ${3:-60}))
    until devnet_ready "$url" >/dev/null; do
        # For a moment the new process is not yet the node.
        if [[ -z $(node_pid "$home") ]] && ((SECONDS > began + 1)); then
            tail -n 20 "$home/log" >&2
            die 1 "the node $(basename "$home") ended while starting" "its log is $home/log"
        fi
        if ((SECONDS >= deadline)); then
            tail -n 20 "$home/log" >&2
            die 1 "the node $(basename "$home") is not ready: $(devnet_ready "$url")" "its log is $home/log"
        fi
        sleep 0.2
    done
}

# devnet_init DIR BUREAUS [OUTSIDE] — with bureaus outside epochs are short, so that one can watch them join.
devnet_init() {
    local dir=$1 outside=${3:-0} more=()
    ((outside == 0)) || more=(--outside "$outside" --epoch-blocks 20)
    if [[ ! -e $dir/devnet.json ]]; then
        if [[ -d $dir && -n $(ls -A "$dir") ]]; then
            die 2 "$dir is not empty and holds no network" "name a new folder"
        fi
        "$NODE_PROGRAM" devnet init --dir "$dir" --bureaus "$2" "${more[@]}" 3>&-
    fi
}

# devnet_up DIR — starts what does not run, and waits until all founders are ready. A bureau outside becomes so once it is
# admitted.
devnet_up() {
    local dir=$1 name url place
    while read -r name url place; do node_start "$dir/$name"; done < <(devnet_bureaus "$dir")
    while read -r name url place; do
        [[ $place != founder ]] || node_wait_ready "$dir/$name" "$url"
    done < <(devnet_bureaus "$dir")
}

# devnet_down DIR — asks all to end, then waits for each.
devnet_down() {
    local dir=$1 name url place pid code=0
    [[ -e $dir/devnet.json ]] || return 0
    while read -r name url place; do
        pid=$(node_pid "$dir/$name")
        [[ -z $pid ]] || kill -TERM "$pid" 2>/dev/null || true
    done < <(devnet_bureaus "$dir")
    while read -r name url place; do node_stop "$dir/$name" || code=1; done < <(devnet_bureaus "$dir")
    return "$code"
}

devnet_status() {
    local dir=$1 name url place pid said code=0
    printf '%-14s %-8s %-28s %s\n' node pid api height
    while read -r name url place; do
        pid=$(node_pid "$dir/$name")
        if [[ -z $pid ]]; then
            said="not running" code=1
        elif ! said=$(devnet_ready "$url"); then
            if [[ $place == founder ]]; then code=1; else said="$said; its card is $dir/$name/card.bin"; fi
        fi
        printf '%-14s %-8s %-28s %s\n' "$name" "${pid:--}" "$url" "$said"
    done < <(devnet_bureaus "$dir")
    return "$code"
}
