# shellcheck shell=bash
# 秒批 (S10): applications for provident fund, decided by rules with no officer; how many a second, and how long each takes.
#
# KANHE_INSTANT_CASES applications (default 1000), from the wallets of two people.

INSTANT=(provident-instant decide)

# applicant NAME PERSON ID BORN NODE — a wallet, at a node of that bureau, with the three licences that are asked for.
applicant() {
    person "$1" "$5"
    give public-security DEMOJMSFZ001 "$1" "CZZT=$2" "CZZTDM=$3" KZ_XB=女 KZ_MZ=汉 "KZ_CSRQ=$4" \
        KZ_ZZ=青岛市市南区示例路1号 KZ_QFJG=青岛市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give big-data DEMOGJJZH001:1 "$1" "CZZT=$2" "CZZTDM=$3" KZ_YE=36000.00 KZ_ZT=正常 ZZYXQQSRQ=2020-01-01
    give natural-resources DEMOFWQK001:1 "$1" "CZZT=$2" "CZZTDM=$3" KZ_TS=0 KZ_XQ=青岛市 ZZYXQQSRQ=2026-01-01
}

# file_sheet NAME — opens a case for each row of the person's sheet, in the background; its pid is in STARTED_PID.
file_sheet() {
    at "$1" case open provident-instant --from "$DEMO/$1.csv" --out "$DEMO/$1-opened.csv"
    show_command "${AT[@]}"
    note "(in the background)"
    start_group "$DEMO/file-$1.log" "${AT[@]}"
}

scenario() {
    local count=${KANHE_INSTANT_CASES:-1000} name pids=() code=0
    local -a told
    [[ $count =~ ^[0-9]+$ ]] && ((count >= 2)) || die 2 "KANHE_INSTANT_CASES is a number of at least 2" "it is $count"
    local -A share=([wang]=$((count - count / 2)) [li]=$((count / 2)))

    step "Four bureaus found a chain and vote a catalogue of types and items"
    found_network
    vote_catalogue
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor natural-resources

    step "Two people have identity card, fund account and the statement of homes owned"
    applicant wang 王示例 11010519491231002X 1949-12-31 market-regulation
    applicant li 李示例 110105199003072215 1990-03-07 natural-resources
    run_at wang item show provident-instant

    step "The provident fund centre runs its desk; no officer is there"
    desk_start big-data --json

    step "One application by itself, as a person hands it in"
    open_case wang provident-instant --field amount=12000.00
    wait_until 60 "its notice is issued" decided_at big-data "${INSTANT[@]}" 1 issued
    told[0]=$(desk_log time big-data "$CASE" decide)
    summary "one application, from its block to that of the decision" "${told[0]} ms"
    run_at wang case collect "$CASE"
    run_at wang case show "$CASE"

    step "$count applications at once"
    say "They come from two wallets, half from each, by sheets: a thousand phones do not fit into one machine. For the fund and the"
    say "chain each is a case of its own, with its own key, sealed file, presentation of three licences, decision and notice."
    for name in wang li; do sheet "$DEMO/$name.csv" amount "${share[$name]}" 12000.00; done
    for name in wang li; do
        file_sheet "$name"
        pids+=("$STARTED_PID")
    done
    for name in "${pids[@]}"; do
        wait "$name" || code=$?
        forget_group "$name"
    done
    ((code == 0)) || die 1 "a sheet was not filed" "$(tail -n 3 "$DEMO"/file-*.log)"
    wait_until 300 "all are decided, and their notices issued" decided_at big-data "${INSTANT[@]}" $((count + 1)) issued

    step "Somebody who sees no content proves one of them"
    CASE=$(python3 -c 'import csv, sys; print(list(csv.reader(open(sys.argv[1], encoding="utf-8-sig")))[-1][1])' "$DEMO/li-opened.csv")
    run_at auditor audit case "$CASE"
    read -ra told < <(desk_log times big-data "${INSTANT[@]}")
    desks_stop
    summary "applications decided by rules; by an officer" "${told[0]}; 0"
    summary "notices issued" "${told[1]}"
    summary "decisions per second, from the first application on" "${told[3]} (${told[2]} s)"
    summary "from presented to decided, by block time: p50, p99" "${told[4]} s, ${told[5]} s"
    summary_saved provident-instant "${told[0]}"
}
