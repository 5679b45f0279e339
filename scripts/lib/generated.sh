# shellcheck shell=bash
# Files of docs/ that a program writes, and the command that writes each to stdout. Add a line for each new one; those
# of docs/schemas, `kanhe schema` names.

GENERATED=(
    "docs/cli.md|kanhe help-markdown"
    "docs/openapi.json|kanhe-node openapi"
)

# generated_now COMMAND WORD… — what the program built last says now.
generated_now() {
    local program=$CARGO_TARGET_DIR/debug/$1
    shift
    [[ -x $program ]] || return 3
    # The text must not depend on who builds it.
    env -u KANHE_NODE -u KANHE_HOME LANG=C.UTF-8 LC_ALL=C.UTF-8 COLUMNS=100 NO_COLOR=1 "$program" "$@" </dev/null
}

# schema_entries — a line for each schema that `kanhe` publishes; their names come from itself.
schema_entries() {
    local name
    generated_now kanhe schema | while IFS= read -r name; do printf 'docs/schemas/%s.json|kanhe schema %s\n' "$name" "$name"; done
}

# Fails where a checked-in file is not what its program writes; writes it anew with `write`.
check_generated() {
    local mode=${1:-check} entry file command new failed=0 entries=("${GENERATED[@]}")
    new=$(mktemp)
    while IFS= read -r entry; do entries+=("$entry"); done < <(schema_entries)
    if ((${#entries[@]} == ${#GENERATED[@]})); then
        printf 'docs/schemas: "kanhe schema" names none\n' >&2
        return 1
    fi
    for file in docs/schemas/*.json; do
        if [[ $'\n'$(printf '%s\n' "${entries[@]}") != *$'\n'"$file|"* ]]; then
            if [[ $mode == write ]]; then
                rm -f "$file"
                say "removed $file"
            else
                printf '%s: nothing writes it\nhint: ./scripts/generate, and commit it\n' "$file" >&2
                failed=1
            fi
        fi
    done
    for entry in "${entries[@]}"; do
        file=${entry%%|*} command=${entry#*|}
        # shellcheck disable=SC2086 # the words of the command
        if ! generated_now $command >"$new" 2>"$new.err"; then
            if [[ -e $file ]]; then
                printf '%s: "%s" failed: %s\n' "$file" "$command" "$(head -n 3 "$new.err")" >&2
                failed=1
            else
                note "$file: not there, and no \"$command\" that writes it"
            fi
        elif [[ $mode == write ]]; then
            mkdir -p "${file%/*}"
            cp "$new" "$file"
            say "wrote $file"
        elif ! diff -u --label "$file" --label "$command" "$file" "$new" | head -n 40 >&2; then
            printf '%s: out of date\nhint: ./scripts/generate, and commit it\n' "$file" >&2
            failed=1
        fi
    done
    rm -f "$new" "$new.err"
    return "$failed"
}
