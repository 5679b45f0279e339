# shellcheck shell=bash
# 夫妻共有 (S4): a flat for two; each spouse confirms alone from a wallet of their own, and both get a certificate.

BUYER=11010519491231002X SPOUSE=110105194912310046 STRANGER=370102198804040015

identity_card() {
    give public-security DEMOJMSFZ001 "$1" CZZT="$2" CZZTDM="$3" KZ_XB=女 KZ_MZ=汉 KZ_CSRQ=1949-12-31 \
        KZ_ZZ=济南市历下区示例路1号 KZ_QFJG=济南市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
}

# married_to NUMBER NAME — what the civil affairs bureau says of Zhao.
married_to() {
    give big-data DEMOJHDJ001 zhao CZZT=赵示例 CZZTDM="$SPOUSE" KZ_HYZK=已婚 KZ_POXM="$2" KZ_POSFZH="$1" ZZYXQQSRQ=2020-05-20
}

case_returned() {
    [[ $(json auditor "[event['done'] for event in d['events']]" audit case "$CASE") == *returned* ]]
}

scenario() {
    step "Four bureaus found a chain and vote a catalogue of types and items"
    found_network
    vote_catalogue
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor big-data

    step "Wang bought a flat; her husband Zhao has a marital-status licence, of an earlier marriage"
    person developer natural-resources
    person wang
    person zhao big-data
    give market-regulation DEMOYYZZ001 developer ZZBH=370100000000001 CZZT=济南示例置业有限公司 CZZTDM=91350100M000100Y43 \
        KZ_LX=有限责任公司 KZ_FDDBR=钱示例 KZ_ZCZB=5000 KZ_CLRQ=2018-09-03 KZ_ZS=济南高新区示例路1号 KZ_JYFW=房地产开发。 \
        ZZYXQQSRQ=2018-09-03 ZZYXQJZRQ=长期
    identity_card wang 王示例 "$BUYER"
    identity_card zhao 赵示例 "$SPOUSE"
    give natural-resources DEMOGFHTBA001 wang CZZT=王示例 CZZTDM="$BUYER" KZ_BDCDYH=370112001001GB00001F00010001 \
        KZ_ZL=济南高新区示例路1号1号楼1单元101 KZ_MJ=89.50 KZ_JE=1200000.00 KZ_QDRQ=2026-01-05
    married_to "$STRANGER" 孙示例

    step "Every bureau runs its desk; the developer files the flat and invites both"
    desks_start "${BUREAUS[@]}"
    head -c 30000 /dev/urandom >"$DEMO/floor-plan.pdf"
    open_case developer flat-registration --field building=1号楼 --attach floor_plan="$DEMO/floor-plan.pdf" --invite spouse

    step "Each confirms alone"
    run_at wang case confirm "${INVITED[0]}" --field homes=1 --field loan=no
    run_at zhao case show --code "${INVITED[1]}"
    run_at zhao case confirm "${INVITED[1]}"

    step "His licence names another spouse: the rule hands it back"
    wait_until 90 "it is handed back, on the chain" case_returned auditor
    run_at zhao case show "$CASE"

    step "He gets the licence of his marriage and shows that one; she agrees once more"
    married_to "$BUYER" 王示例
    local licence
    # The list does not say which is newer: the one that he has shown already is the old one.
    licence=$(json zhao "[line['id'] for line in d if 'DEMOJHDJ001' in line['vct'] and line['shown'] == 0][0]" wallet list)
    run_at zhao case correct "$CASE" --licence spouse_marriage="$licence"
    run_at wang case correct "$CASE"
    wait_until 90 "the case is closed, by rules alone" case_is closed "$CASE"

    step "Both collect a certificate of their own"
    run_at wang case collect "$CASE"
    run_at zhao case collect "$CASE"
    run_at zhao wallet list
    run_at wang case rate "$CASE" 5
    run_at wang case show "$CASE"

    step "Somebody who sees no content proves every step of it"
    run_at auditor audit case "$CASE"
    desks_stop
    summary "papers handed in; visits to a counter" "0; 0"
    summary "co-owners" "2, each confirmed from a wallet of their own"
    summary "a licence that names another spouse" "refused by a rule, then corrected"
}
