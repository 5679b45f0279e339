# shellcheck shell=bash
# 企业开办 (S1, S2): one application; licence by an officer, then seal, insurance, bank in parallel; a delegate in limits.

COMPANY=91370100MA3E00013X

scenario() {
    local delegate
    step "Four bureaus found a chain and vote a catalogue of types and items"
    found_network
    vote_catalogue
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor big-data
    run_at auditor item list

    step "Li Shili has an identity card in her wallet"
    person li
    give public-security DEMOJMSFZ001 li CZZT=李示例 CZZTDM=11010519491231002X KZ_XB=女 KZ_MZ=汉 KZ_CSRQ=1949-12-31 \
        KZ_ZZ=济南市历下区示例路1号 KZ_QFJG=济南市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    run_at li item show company-opening

    step "Every bureau runs its desk"
    desks_start market-regulation public-security big-data

    step "She opens a company, with a name that is none; the officer hands it back"
    open_case li company-opening --field name=济南示例软件 --field code="$COMPANY" --field capital=100.00 \
        --field domicile=济南市高新区示例路2号 --field scope=软件开发。 --field staff=3
    wait_until 60 "the step waits for an officer of market regulation" waits_at market-regulation licence
    run_at market-regulation desk show "$CASE"
    run_at market-regulation desk return "$CASE" --officer 0017 --reason named
    wait_until 60 "it is handed back, on the chain" case_returned auditor
    run_at li case show "$CASE"

    step "She corrects the name; nothing else is asked again"
    run_at li case correct "$CASE" --field name=济南示例软件有限公司
    officer market-regulation licence

    step "Seal and social insurance follow by themselves; the bank's officer opens the account"
    officer big-data account
    wait_until 90 "the case is closed" case_is closed "$CASE"

    step "She collects the business licence, and says how it was"
    run_at li case collect "$CASE"
    run_at li wallet list
    run_at li case rate "$CASE" 5
    must_fail_at 4 li case rate "$CASE" 4
    run_at li case show "$CASE"

    step "Somebody who sees no content proves every step of it"
    run_at auditor audit case "$CASE"

    step "With the licence the company's account was opened; the licence's key is its first key"
    run_at auditor account show "$COMPANY" --history

    step "She lets an accountant act for the company: one item, at most 100,000 yuan, one case"
    person wang
    delegate=$(json wang "d['key']" account keys new)
    run_at li account delegate add "$COMPANY" "$delegate" --item invoice-quota --amount 100000.00 --cases 1 \
        --until "$(date -d '+1 year' +%F)"

    step "The accountant asks for another quota of invoices, for the company; rules decide"
    open_case wang invoice-quota --for "$COMPANY" --field quota=80000.00
    wait_until 60 "the case is closed" case_is closed "$CASE"

    step "Beyond the amount, and for another item, nothing leaves; a second case the tax office hands back"
    must_fail_at 4 wang case open invoice-quota --for "$COMPANY" --field quota=100000.01
    open_case wang invoice-quota --for "$COMPANY" --field quota=1000.00
    wait_until 60 "it is handed back, on the chain" case_returned auditor
    run_at wang case show "$CASE"

    step "She takes the right back"
    delegate=$(json li "d[0]['id']" account delegate list "$COMPANY")
    run_at li account delegate revoke "$COMPANY" "$delegate"
    must_fail_at 4 wang case open invoice-quota --for "$COMPANY" --field quota=1.00
    desks_stop
    summary_saved company-opening 1
    summary "bureaus that decided" "3, in 4 steps, 2 of them by rules alone"
}

case_returned() {
    [[ $(json "$1" "[event['done'] for event in d['events']]" audit case "$CASE") == *returned* ]]
}
