# shellcheck shell=bash
# What all scenarios stand on: a network of four bureaus whose catalogue has the types and items of deploy/, people with
# wallets and licences, and a desk for each bureau.
#
# Read by scripts/scenario, which gives $DEMO (this run's folder) and $NET (the network).

BUREAUS=(market-regulation public-security natural-resources big-data)

# field NAME KEY — a field of a bureau (or of the bank) in devnet.json.
field() {
    python3 - "$NET/devnet.json" "$1" "$2" <<'PYTHON'
import json, sys
net = json.load(open(sys.argv[1]))
found = [b for b in net["bureaus"] if b["name"] == sys.argv[2]] or [net[sys.argv[2]]]
print(found[0][sys.argv[3]])
PYTHON
}

# at NAME COMMAND… — runs a command of kanhe in somebody's home. `run at …` would show a word that nobody types, so the
# words are put into AT.
at() {
    AT=(kanhe --home "$DEMO/$1" --passphrase-file "$DEMO/$1.pass" --yes "${@:2}")
}
run_at() { at "$@"; run "${AT[@]}"; }
quietly_at() { at "$@"; quietly "${AT[@]}"; }
capture_at() { at "${@:2}"; capture "$1" "${AT[@]}"; }
must_fail_at() { at "${@:2}"; must_fail "$1" "${AT[@]}"; }

pin() { quietly_at "$1" --node "$(field "${2:-market-regulation}" api)" trust pin --genesis "$NET/genesis.bin"; }

# person NAME — a home with a wallet.
person() {
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/$1.pass")
    pin "$1" "${2:-market-regulation}"
    quietly_at "$1" wallet init
}

# found_network — four nodes; each bureau's desk has a home that knows the passphrase of its keys.
found_network() {
    local name
    quietly kanhe-node devnet init --dir "$NET" --bureaus 4
    devnet_up "$NET"
    for name in "${BUREAUS[@]}"; do
        install -m 600 "$(field "$name" passphrase_file)" "$DEMO/$name.pass"
        pin "$name" "$name"
    done
    install -m 600 "$(field bank passphrase_file)" "$DEMO/bank.pass"
    pin bank
}

# decide FILE — the first bureau proposes, the others vote until it is done.
decide() {
    local id name
    at "${BUREAUS[0]}" --json gov propose --file "$1" --key "$(field "${BUREAUS[0]}" governance_key)"
    in_group "${AT[@]}" >"$DEMO/proposed.json" || die 1 "a proposal was refused: $1"
    id=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["proposals"][0]["id"])' "$DEMO/proposed.json")
    for name in "${BUREAUS[@]:1:2}"; do
        quietly_at "$name" gov vote "$id" yes --key "$(field "$name" governance_key)"
    done
}

# vote_catalogue — all types and items of deploy/, by vote.
vote_catalogue() {
    local file
    while IFS= read -r file; do
        decide "$file"
    done < <(python3 "$ROOT/scripts/lib/catalogue.py" "$NET/devnet.json" "$ROOT/deploy" "$DEMO/catalogue")
}

# give BUREAU TYPE HOLDER COLUMN=VALUE… — HOLDER applies, BUREAU issues a licence with these claims, HOLDER collects it.
# Columns are the names of claims.
give() {
    local bureau=$1 type=$2 holder=$3 sheet
    shift 3
    sheet=$DEMO/give-$holder-$type
    # A second licence of the type to the same holder has files of its own.
    while [[ -e $sheet ]]; do sheet+=-next; done
    quietly_at "$holder" wallet apply --type "$type" --issuer "$(field "$bureau" uscc)" --out "$sheet.txt"
    one_row "$sheet.csv" "$@" application="$(tr -d '\n' <"$sheet.txt")"
    quietly_at "$bureau" licence issue "$sheet.csv" --type "$type" --key "$(field "$bureau" issuing_key)" --sealing-key "$(field "$bureau" sealing_key)" --out "$sheet"
    # What the bureau writes for this application is the licence; the counter gives it to the holder.
    quietly_at "$holder" wallet import "$sheet"/deliveries-*.jsonl
}

# prepare BUREAU TYPE NAME COLUMN=VALUE… — the same for somebody without a wallet: it awaits whoever has the code.
prepare() {
    local sheet=$DEMO/prepare-$3-$2
    one_row "$sheet.csv" "${@:4}"
    quietly_at "$1" licence issue "$sheet.csv" --type "$2" --key "$(field "$1" issuing_key)" --sealing-key "$(field "$1" sealing_key)" --out "$sheet"
}

# one_row SHEET COLUMN=VALUE…
one_row() {
    python3 - "$@" <<'PYTHON'
import csv, sys
out, *pairs = sys.argv[1:]
names, values = zip(*(pair.split("=", 1) for pair in pairs))
with open(out, "w", encoding="utf-8-sig", newline="") as file:
    csv.writer(file).writerows([names, values])
PYTHON
}

declare -A DESKS=()

# desk_start BUREAU [OPTION…] — the bureau's running process, as `kanhe desk run`. It ends with the scenario, or by desk_stop.
# With --json what it says can be counted: see desk_log.py.
desk_start() {
    at "$1" "${@:2}" desk run --key "$(field "$1" issuing_key)" --sealing-key "$(field "$1" sealing_key)"
    show_command "${AT[@]}"
    note "(in the background)"
    start_group "$DEMO/desk-$1.log" "${AT[@]}"
    DESKS[$1]=$STARTED_PID
}

# desk_stop BUREAU — a clean end, as an operating system asks for it.
desk_stop() {
    local code=0 pid=${DESKS[$1]}
    kill -TERM "$pid"
    wait "$pid" || code=$?
    forget_group "$pid"
    unset "DESKS[$1]"
    ((code == 0)) || die 1 "the desk of $1 ended with code $code" "its log: $(tail -n 3 "$DEMO/desk-$1.log")"
}

desks_start() { local name; for name in "$@"; do desk_start "$name"; done; }
desks_stop() { local name; for name in "${!DESKS[@]}"; do desk_stop "$name"; done; }

# json NAME EXPRESSION COMMAND… — a value of what a command of NAME says with --json; `d` is the document.
json() {
    local who=$1 expression=$2
    shift 2
    at "$who" --json "$@"
    in_group "${AT[@]}" | python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$expression"
}

# open_case NAME ITEM OPTION… — opens a case; its id is in CASE, and codes of invitations in INVITED.
open_case() {
    local who=$1
    shift
    at "$who" case open "$@"
    show_command "${AT[@]}"
    at "$who" --json case open "$@"
    in_group "${AT[@]}" >"$DEMO/opened.json" || die 1 "the case was not opened"
    CASE=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["id"])' "$DEMO/opened.json")
    mapfile -t INVITED < <(python3 -c 'import json, sys
for invitation in json.load(open(sys.argv[1]))["invitations"]: print(invitation["code"])' "$DEMO/opened.json")
    say "case $CASE"
}

# waits_at BUREAU STEP — whether a step waits for an officer of a bureau.
waits_at() { [[ $(json "$1" "[row['step'] for row in d if row['state'] == 'waiting']" desk list) == *"'$2'"* ]]; }

# case_is STATUS CASE — as the chain has it, proved.
case_is() { [[ $(json auditor "d['status']" audit case "$2") == "$1" ]]; }

# desk_log WHAT BUREAU NAME… — what the desk of a bureau said, counted.
desk_log() { python3 "$ROOT/scripts/lib/desk_log.py" "$1" "$DEMO/desk-$2.log" "${@:3}"; }

# decided_at BUREAU ITEM STEP COUNT [STATE] — whether so many steps came so far at a desk that was started with --json.
decided_at() { (($(desk_log count "$1" "$2" "$3" "${@:5}") >= $4)); }

# summary_saved ITEM CASES — what so many cases would have been on paper, counted from the item's file.
summary_saved() {
    local papers visits
    read -r papers visits < <(json auditor "f\"{d['papers']} {d['visits']}\"" item show "$1")
    summary "papers not handed in ($papers a case, by the item's file)" "$((papers * $2))"
    summary "visits not made ($visits a case, of all who take part)" "$((visits * $2))"
}

# sheet FILE HEADINGS COUNT FORMAT… — a sheet of so many rows; each FORMAT is a cell, in which {} is the row's number.
sheet() {
    python3 - "$@" <<'PYTHON'
import csv, sys
out, headings, count, *cells = sys.argv[1:]
with open(out, "w", encoding="utf-8-sig", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(headings.split(","))
    writer.writerows([cell.replace("{}", str(row)) for cell in cells] for row in range(1, int(count) + 1))
PYTHON
}

# officer BUREAU STEP — an officer looks at a step and approves it.
officer() {
    wait_until 60 "$2 waits for an officer of $1" waits_at "$1" "$2"
    run_at "$1" desk show "$CASE" --step "$2"
    run_at "$1" desk approve "$CASE" --step "$2" --officer 0017
}

# vote_purposes CODE:CLASS:ZH:EN… — purposes for which bureaus read: public_benefit or commercial.
vote_purposes() {
    local file=$DEMO/purposes.toml row code class zh en
    printf 'note = "Purposes of reading"\nexpires = "1d"\n' >"$file"
    for row in "$@"; do
        IFS=: read -r code class zh en <<<"$row"
        printf '\n[[action]]\ndo = "purpose"\ncode = "%s"\nclass = "%s"\nzh = "%s"\nen = "%s"\n' "$code" "$class" "$zh" "$en" >>"$file"
    done
    decide "$file"
}

# refused CODE NAME COMMAND… — must be refused by just this stable code: said to a person first, then asked of the machine.
refused() {
    local code=$1 who=$2 said
    shift 2
    must_fail_at 4 "$who" "$@"
    at "$who" --json "$@"
    said=$(in_group "${AT[@]}" 2>&1 || true)
    [[ $said == *"\"$code\""* ]] || die 1 "this should have been refused as $code: $said"
    note "($code)"
}

# reads BUREAU SOURCE TYPE CLAIMS OPTION… — the words of a read by BUREAU at SOURCE, in READS.
reads() {
    READS=(read request --source "$(field "$2" uscc)" --type "$3" --claims "$4" --key "$(field "$1" issuing_key)" "${@:5}")
}

# says NAME EXPRESSION COMMAND… — stops unless the expression over what a command says is true.
says() { [[ $(json "$@") == True ]] || die 1 "this does not hold: $2" "by: kanhe ${*:3}"; }

# auditor — a home that has nothing but the pin.
auditor() {
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor big-data
}

# altered FILE OUT — the same file with one bit turned.
altered() {
    python3 - "$@" <<'PYTHON'
import sys
content = bytearray(open(sys.argv[1], "rb").read())
content[len(content) // 2] ^= 1
open(sys.argv[2], "wb").write(content)
PYTHON
}
