# shellcheck shell=bash
# 不动产登记 (S4): a developer files 500 flats from one sheet; buyers confirm from their own wallets, bank and tax decide, the certificate comes.
#
# KANHE_FLATS flats (default 500).

SUN=110105194912310046

# buyer NAME PERSON ID BORN FLAT — a wallet with identity card and the registered purchase.
buyer() {
    person "$1"
    give public-security DEMOJMSFZ001 "$1" "CZZT=$2" "CZZTDM=$3" KZ_XB=女 KZ_MZ=汉 "KZ_CSRQ=$4" \
        KZ_ZZ=济南市历下区示例路1号 KZ_QFJG=济南市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give natural-resources DEMOGFHTBA001:1 "$1" "CZZT=$2" "CZZTDM=$3" "KZ_BDCDYH=370112001001GB00001F0001$5" \
        "KZ_ZL=济南高新区示例路1号1号楼1单元$5" KZ_MJ=89.50 KZ_JE=1200000.00 KZ_QDRQ=2026-01-05
}

# on_record NAME PERSON ID BORN FLAT — the same for somebody without a wallet: bureaus prepare both licences, and she has the codes
# on paper at home.
on_record() {
    prepare public-security DEMOJMSFZ001 "$1" "CZZT=$2" "CZZTDM=$3" KZ_XB=女 KZ_MZ=汉 "KZ_CSRQ=$4" \
        KZ_ZZ=济南市历下区示例路1号 KZ_QFJG=济南市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    prepare natural-resources DEMOGFHTBA001 "$1" "CZZT=$2" "CZZTDM=$3" "KZ_BDCDYH=370112001001GB00001F0001$5" \
        "KZ_ZL=济南高新区示例路1号1号楼1单元$5" KZ_MJ=89.50 KZ_JE=1200000.00 KZ_QDRQ=2026-01-05
}

# filed ROW COLUMN — a cell of what the developer got back: a row for each flat.
filed() { python3 -c 'import csv, sys
print(list(csv.reader(open(sys.argv[1], encoding="utf-8-sig")))[int(sys.argv[2])][int(sys.argv[3])])' "$DEMO/filed.csv" "$1" "$2"; }

# The officer of a bureau approves the step of a case once it waits.
approved() {
    CASE=$1
    wait_until 60 "$3 waits for an officer of $2" row_waits "$2" "$3" "$CASE"
    run_at "$2" desk approve "$CASE" --step "$3" --officer 0017
}
row_waits() { [[ $(json "$1" "[row['case'] for row in d if row['state'] == 'waiting' and row['step'] == '$2']" desk list) == *"$3"* ]]; }

scenario() {
    local flats=${KANHE_FLATS:-500} first second third case name
    local -a told
    [[ $flats =~ ^[0-9]+$ ]] && ((flats >= 3)) || die 2 "KANHE_FLATS is a number of at least 3" "it is $flats"

    step "Four bureaus found a chain and vote a catalogue of types and items"
    found_network
    vote_catalogue
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor big-data

    step "The developer has its business licence; two buyers their identity cards and registered purchases"
    person developer natural-resources
    person stranger
    give market-regulation DEMOYYZZ001 developer ZZBH=370100000000001 CZZT=济南示例置业有限公司 CZZTDM=91350100M000100Y43 \
        "KZ_LX=有限责任公司" KZ_FDDBR=赵示例 KZ_ZCZB=5000 KZ_CLRQ=2018-09-03 KZ_ZS=济南高新区示例路1号 KZ_JYFW=房地产开发。 \
        ZZYXQQSRQ=2018-09-03 ZZYXQJZRQ=长期
    buyer wang 王示例 11010519491231002X 1949-12-31 0101
    buyer li 李示例 110105199003072215 1990-03-07 0102
    say "Granny Sun bought a flat too; she has an identity card and neither telephone nor wallet."
    on_record sun 孙示例 "$SUN" 1949-12-31 0103
    run_at wang item show flat-registration

    step "Every bureau runs its desk"
    for name in "${BUREAUS[@]}"; do desk_start "$name" --json; done

    step "Nobody has filed: there is no way to a certificate"
    say "Only who shows a business licence opens such a case, and whoever was not invited takes no part in one."
    must_fail_at 1 wang case open flat-registration --field building=1号楼
    must_fail_at 2 wang case confirm kanhe-case:none --field homes=1 --field loan=no

    step "The developer files $flats flats from one sheet, and gets an invitation for each buyer"
    head -c 3000 /dev/urandom >"$DEMO/floor-plan.pdf"
    sheet "$DEMO/flats.csv" building,floor_plan "$flats" "1号楼 {}" floor-plan.pdf
    run_at developer case open flat-registration --from "$DEMO/flats.csv" --out "$DEMO/filed.csv"
    say "The same sheet again opens nothing twice."
    quietly_at developer case open flat-registration --from "$DEMO/flats.csv" --out "$DEMO/again.csv"
    cmp "$DEMO/filed.csv" "$DEMO/again.csv" || die 1 "the same sheet again opened other cases"
    wait_until 300 "all filings are approved by rules" decided_at natural-resources flat-registration filing "$flats"
    read -ra told < <(desk_log times natural-resources flat-registration filing)
    first=$(filed 1 1) second=$(filed 2 1)

    step "One buyer looks at what would be disclosed to whom, and confirms when it suits her; no loan"
    run_at wang case show --code "$(filed 1 3)"
    run_at wang case confirm "$(filed 1 3)" --field homes=1 --field loan=no
    say "The code is good for one person, once."
    must_fail_at 4 stranger case confirm "$(filed 1 3)" --field homes=1 --field loan=no

    step "Another confirms with a loan: the bank's officer signs the mortgage"
    run_at li case confirm "$(filed 2 3)" --field homes=2 --field loan=yes
    approved "$second" big-data mortgage

    step "Granny Sun goes to the counter with her identity card: a clerk confirms for her, and signs on which ground"
    third=$(filed 3 1)
    quietly_at market-regulation wallet init
    run_at market-regulation case confirm "$(filed 3 3)" --assist "$SUN" --clerk A-17 --key "$(field market-regulation issuing_key)" \
        --issued-by identity="$(field public-security uscc)" --issued-by purchase="$(field natural-resources uscc)" \
        --field homes=1 --field loan=no
    say "Without the bureau's key a clerk does nothing for anybody."
    must_fail_at 2 market-regulation case confirm "$(filed 2 3)" --assist "$SUN" --clerk A-17 --field homes=1 --field loan=no
    read -r CODE ISSUER TYPE < <(json market-regulation "' '.join(d['pickups'][0][name] for name in ('code', 'issuer', 'type'))" case show "$third")

    step "Deed tax is cleared by rules; the registrar looks at who owns, and the certificates are issued"
    for case in "$first" "$second" "$third"; do approved "$case" natural-resources register; done
    for case in "$first" "$second" "$third"; do wait_until 90 "the case is closed" case_is closed "$case"; done
    say "The other $((flats - 3)) are filed and wait for their buyers, as long as the item gives them."
    CASE=$(filed "$flats" 1)
    case_is open "$CASE" || die 1 "a case whose buyer has not confirmed is not open"

    step "They collect the certificates"
    run_at wang case collect "$first"
    run_at wang wallet list
    run_at wang case rate "$first" 5
    run_at li case collect "$second"
    run_at wang case show "$first"

    step "Her grandson installs a wallet for her: with the code from the counter she picks hers up, and sees who read about her"
    person sun
    run_at sun wallet collect --code "$CODE" --issuer "$ISSUER" --type "$TYPE"
    run_at sun consent log
    must_fail_at 4 stranger wallet collect --code "$CODE" --issuer "$ISSUER" --type "$TYPE"

    step "Somebody who sees no content proves every step of it"
    for case in "$first" "$second" "$third"; do run_at auditor audit case "$case"; done
    desks_stop
    summary "flats filed from one sheet, decided by rules" "${told[0]}: ${told[3]} per second, p99 ${told[5]} s by block time"
    summary "buyers who confirmed; mortgages signed" "3, one at a counter with an identity card alone; 1"
    summary_saved flat-registration 3
    summary "of these a visit was made after all" "1, by who has no wallet"
}
