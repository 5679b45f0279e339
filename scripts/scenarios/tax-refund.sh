# shellcheck shell=bash
# 一体化退税 (S12): tax office, treasury and bank one after another, each signing within its time; three kinds of refund, one returned and corrected.

COMPANY=烟台示例机械有限公司

# refund KIND AMOUNT ACCOUNT-NAME OPTION… — the company applies.
refund() {
    open_case company tax-refund --field kind="$1" --field amount="$2" --field account_name="$3" \
        --field account=6222000000000000000 "${@:4}"
}

# signed_through — tax office and treasury, each by an officer.
signed_through() {
    officer market-regulation audit
    officer natural-resources treasury
}

case_returned() {
    [[ $(json auditor "[event['done'] for event in d['events']]" audit case "$CASE") == *returned* ]]
}

closed_and_collected() {
    wait_until 60 "the case is closed" case_is closed "$CASE"
    quietly_at company case collect "$CASE"
    quietly_at company case rate "$CASE" 5
}

scenario() {
    step "Four bureaus found a chain and vote a catalogue of types and items"
    found_network
    vote_catalogue
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor big-data

    step "A company has its business licence and the proof of tax paid"
    person company
    give market-regulation DEMOYYZZ001 company ZZBH=370600000000001 CZZT="$COMPANY" CZZTDM=91350100M000100Y43 \
        KZ_LX=有限责任公司 KZ_FDDBR=赵示例 KZ_ZCZB=5000 KZ_CLRQ=2018-09-03 KZ_ZS=烟台市示例路1号 KZ_JYFW=机械制造。 \
        ZZYXQQSRQ=2018-09-03 ZZYXQJZRQ=长期
    give market-regulation DEMOWSZM001 company ZZBH=370600202601000001 CZZT="$COMPANY" CZZTDM=91350100M000100Y43 KZ_SZ=增值税 \
        KZ_SSQ=2025-12 KZ_YNJE=80000.00 KZ_JE=100000.00 ZZYXQQSRQ=2026-01-10
    run_at company item show tax-refund

    step "Tax office, treasury and bank run their desks"
    desks_start market-regulation natural-resources big-data

    step "Export: she applies; each office sees by when it is to sign"
    refund export 13000.00 烟台示例机械 --field ground=420120260000000001
    local export=$CASE
    wait_until 60 "the audit waits for an officer" waits_at market-regulation audit
    run_at market-regulation desk list
    run_at company case show "$CASE"
    signed_through

    step "The bank's officer returns it: the account is in another name. What the officer writes only the company can read"
    wait_until 60 "the payment waits for an officer" waits_at big-data pay
    run_at big-data desk show "$CASE" --step pay
    run_at big-data desk return "$CASE" --step pay --officer 0023 --reason own_account \
        --words "户名少了“有限公司”四字，请与营业执照一致后重新提交。"
    wait_until 60 "it is handed back, on the chain" case_returned auditor
    run_at company case show "$CASE"

    step "Corrected: what tax office and treasury signed stays; the bank pays"
    run_at company case correct "$CASE" --field account_name="$COMPANY"
    officer big-data pay
    wait_until 60 "the case is closed" case_is closed "$CASE"
    run_at company case collect "$CASE"
    run_at company case rate "$CASE" 4
    run_at company case show "$CASE"

    step "Of what was overpaid, and by policy: the same three offices"
    refund overpaid 20000.00 "$COMPANY"
    signed_through
    officer big-data pay
    closed_and_collected
    refund policy 5000.00 "$COMPANY" --field ground=财税〔2026〕1号
    signed_through
    officer big-data pay
    closed_and_collected
    run_at company wallet list
    run_at company case list

    step "What is late is listed for all: nothing is"
    run_at company case overdue

    step "Somebody who sees no content proves who signed what, and when"
    run_at auditor audit case "$export"
    desks_stop
    summary "refunds" "3 kinds, each signed by tax office, treasury and bank"
    summary "returned and corrected" "1, at the bank; the offices before did nothing again"
}
