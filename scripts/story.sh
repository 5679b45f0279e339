# shellcheck shell=bash
# The demo's story: licences are issued, held, presented and proved on a network of four bureaus.
#
# Read by scripts/demo, which gives $DEMO (this run's folder), $NET (the network) and the words to tell it in. Every
# command is the one that a user would type, against real nodes.

LICENCE=DEMOYYZZ001
ROWS=10000
# So many rows name no application: their holders have no wallet yet and get a code.
PICKUPS=100

# field NAME KEY — a field of a bureau (or of the bank) in devnet.json.
field() {
    python3 - "$NET/devnet.json" "$1" "$2" <<'PYTHON'
import json, sys
net = json.load(open(sys.argv[1]))
found = [b for b in net["bureaus"] if b["name"] == sys.argv[2]] or [net[sys.argv[2]]]
print(found[0][sys.argv[3]])
PYTHON
}

# Everyone has a home of their own, and a file with its passphrase.
at_home() { printf '%s\0' kanhe --home "$DEMO/$1" --passphrase-file "$DEMO/$1.pass" --yes; }

set_homes() {
    mapfile -d '' -t COMPANY < <(at_home company)
    mapfile -d '' -t NEWCOMER < <(at_home newcomer)
    mapfile -d '' -t OTHERS < <(at_home others)
    mapfile -d '' -t BUREAU < <(at_home bureau)
    mapfile -d '' -t BANK < <(at_home bank)
}

height() { devnet_ready "$1"; }

same_height() {
    local first second
    first=$(height "$1") && second=$(height "$2") && ((second >= first))
}

prepare_people() {
    local who
    for who in company newcomer others; do
        head -c 18 /dev/urandom | base64 >"$DEMO/$who.pass"
        chmod 600 "$DEMO/$who.pass"
    done
    # The desks of bureau and bank know the passphrases of their keys.
    install -m 600 "$(field market-regulation passphrase_file)" "$DEMO/bureau.pass"
    install -m 600 "$(field bank passphrase_file)" "$DEMO/bank.pass"
    for who in company newcomer others bureau bank; do
        quietly kanhe --home "$DEMO/$who" --node "$URL" --yes trust pin --genesis "$NET/genesis.bin"
    done
}

# The first row of the sheet is our company's; its name and code are read from a CSV of the same seed.
read_company() {
    quietly kanhe --home "$DEMO/others" --lang zh sample --type business-licence --seed 7 --count 1 --out "$DEMO/first.csv"
    COMPANY_CODE=$(python3 - "$DEMO/first.csv" <<'PYTHON'
import csv, re, sys
rows = list(csv.reader(open(sys.argv[1], encoding="utf-8-sig")))
print(next(cell for cell in rows[1] if re.fullmatch(r"[0-9A-HJ-NPQRTUWXY]{18}", cell)))
PYTHON
    )
}

# The bureau hands each newcomer the own code; this is the first line of its file.
read_pickup() {
    read -r PICKUP_HOLDER PICKUP_CODE < <(python3 - "$DEMO"/issued/codes-*.csv <<'PYTHON'
import csv, sys
row = list(csv.reader(open(sys.argv[1], encoding="utf-8-sig")))[1]
print(row[2], row[3])
PYTHON
    )
}

# The bureau's running process. It ends with the demo, or by service_stop.
service_start() {
    local command=("${BUREAU[@]}" licence serve --key "$(field market-regulation issuing_key)"
        --sealing-key "$(field market-regulation sealing_key)")
    show_command "${command[@]}"
    note "(in the background)"
    start_group "$DEMO/serve.log" "${command[@]}"
    SERVICE_PID=$STARTED_PID
}

# A clean end, as an operating system asks for it.
service_stop() {
    local code=0
    kill -TERM "$SERVICE_PID"
    wait "$SERVICE_PID" || code=$?
    forget_group "$SERVICE_PID"
    cat "$DEMO/serve.log" >&3
    ((code == 0)) || die 1 "licence serve ended with code $code"
}

# ask NAME [MAX_AGE] — the bank asks; the company answers with the evidence that it has.
ask() {
    run "${BANK[@]}" verify request --type "$LICENCE" --claims CZZT,CZZTDM,ZZYXQJZRQ --purpose loan --max-age "${2:-24h}" \
        --key "$(field bank request_key)" --out "$DEMO/$1.request"
}
answer() { run "${COMPANY[@]}" wallet present "$DEMO/$1.request" --out "$DEMO/$1.response"; }
set_check() { CHECK=("${BANK[@]}" verify check "$DEMO/$1.response" --request "$DEMO/$1.request"); }

story() {
    local began issued
    step "Four bureaus of Jinan High-tech Zone and a bank found a chain"
    run kanhe-node devnet init --dir "$NET" --bureaus 4
    devnet_up "$NET"
    devnet_status "$NET" >&3
    URL=$(field market-regulation api)
    ISSUER=$(field market-regulation uscc)
    export KANHE_NODE=$URL
    set_homes
    prepare_people
    run "${BANK[@]}" trust show

    step "$((ROWS - PICKUPS)) companies apply; the bureau gets a spreadsheet of $ROWS rows"
    run "${COMPANY[@]}" wallet init
    run "${COMPANY[@]}" wallet apply --type "$LICENCE" --issuer "$ISSUER" --out "$DEMO/application.txt"
    quietly "${OTHERS[@]}" wallet init
    run "${OTHERS[@]}" wallet apply --type "$LICENCE" --issuer "$ISSUER" --count $((ROWS - PICKUPS - 1)) --out "$DEMO/others.txt"
    cat "$DEMO/application.txt" "$DEMO/others.txt" >"$DEMO/applications.txt"
    run kanhe sample --type business-licence --seed 7 --count "$ROWS" --applications "$DEMO/applications.txt" \
        --out "$DEMO/companies.xlsx"
    read_company

    step "The bureau issues them in batches, while one node loses its power"
    began=$SECONDS
    node_kill "$NET/big-data"
    say "(the node of the big-data bureau was killed)"
    run "${BUREAU[@]}" licence issue "$DEMO/companies.xlsx" --type "$LICENCE" --key "$(field market-regulation issuing_key)" \
        --batch 2500 --out "$DEMO/issued"
    issued=$((SECONDS - began))
    summary "licences issued from a spreadsheet, signed and anchored" "$((ROWS - PICKUPS)) in $(duration "$issued")"
    summary "licences prepared to be picked up by code" "$PICKUPS"
    node_start "$NET/big-data"
    node_wait_ready "$NET/big-data" "$(field big-data api)"
    wait_until 60 "the killed node has caught up" same_height "$URL" "$(field big-data api)"

    step "Holders collect: by the application, and by code through another bureau's node"
    service_start
    run "${COMPANY[@]}" wallet collect
    read_pickup
    quietly "${NEWCOMER[@]}" wallet init
    run "${NEWCOMER[@]}" --node "$(field public-security api)" wallet collect --code "$PICKUP_CODE" --issuer "$ISSUER" \
        --type "$LICENCE"
    say "The code is bound to the first key that came with it: somebody else comes too late."
    must_fail 4 "${OTHERS[@]}" wallet collect --code "$PICKUP_CODE" --issuer "$ISSUER" --type "$LICENCE"
    summary "collected by possession; by code at another bureau" "yes; yes, once"

    step "The newcomer's licence is renewed"
    run "${BUREAU[@]}" licence renew "$PICKUP_HOLDER" --set ZZYXQJZRQ=2046-12-31 --out "$DEMO/renewed" \
        --key "$(field market-regulation issuing_key)"
    run "${NEWCOMER[@]}" wallet collect --again
    run "${NEWCOMER[@]}" wallet list
    service_stop
    run "${BUREAU[@]}" licence batches --issuer "$ISSUER"
    summary "renewed, the old version superseded with it" "yes"

    step "The company answers the bank"
    ask first
    answer first
    set_check first
    run "${CHECK[@]}"
    summary "three claims presented, proved online" "valid"

    step "The bank proves another answer with no network at all"
    ask second 10s
    ask third 10s
    ask before
    quietly "${COMPANY[@]}" wallet refresh
    answer second
    answer third
    answer before
    say "Control: in there the node cannot be reached."
    must_fail 3 unshare -rn kanhe --home "$DEMO/bank" chain status
    set_check second
    without_network "${CHECK[@]}" --offline
    summary "proved with the network cable out" "valid as of its evidence"

    step "The licence is suspended"
    run "${BUREAU[@]}" licence suspend "$COMPANY_CODE" --key "$(field market-regulation issuing_key)"
    say "Without network, evidence from before is still valid as of its time, where the bank allows it a day."
    set_check before
    without_network "${CHECK[@]}" --offline
    say "It is no longer enough when it is older than the bank allows."
    wait_until 30 "the evidence is older than ten seconds" evidence_is_old
    set_check third
    must_fail 11 "${CHECK[@]}" --offline
    ask fourth
    run "${COMPANY[@]}" wallet refresh
    answer fourth
    set_check fourth
    must_fail 12 "${CHECK[@]}"
    summary "suspended: old evidence, the same past its age, fresh" "valid as of then, undecided (11), suspended (12)"

    step "And revoked"
    run "${BUREAU[@]}" licence revoke "$COMPANY_CODE" --key "$(field market-regulation issuing_key)"
    ask fifth
    quietly "${COMPANY[@]}" wallet refresh
    answer fifth
    set_check fifth
    must_fail 12 "${CHECK[@]}"
    run "${COMPANY[@]}" wallet log

    scan_privacy "$DEMO/companies.xlsx"

    step "Every node's database is checked against its headers"
    fsck_all
    summary "databases checked whole" "4 clean"
}

# The response of `third` was made before; ten seconds later its evidence is too old.
evidence_is_old() {
    (($(date +%s) - $(stat -c %Y "$DEMO/third.response") > 11))
}

fsck_all() {
    local name
    devnet_down "$NET"
    for name in market-regulation public-security natural-resources big-data; do
        run kanhe-node fsck --home "$NET/$name"
    done
    [[ $keep == no ]] || devnet_up "$NET"
}

try_next() {
    cat >&3 <<TEXT

What to try next
  citizens, enterprises   kanhe wallet --help      keep licences, show only what is asked, see who asked
  verifiers               kanhe verify --help      ask, check online or offline, keep a receipt
  bureaus                 kanhe licence --help     issue from a spreadsheet, suspend, revoke
  operators               ./scripts/devnet --help  a network to play with; kanhe-node --help
TEXT
}
