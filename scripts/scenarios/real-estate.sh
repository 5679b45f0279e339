# shellcheck shell=bash
# 不动产登记 (S4): the developer files, the buyer confirms from her own wallet, tax and bank decide by rules, and the certificate comes.

scenario() {
    step "Four bureaus found a chain and vote a catalogue of types and items"
    found_network
    vote_catalogue
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor big-data

    step "The developer has its business licence; Wang Shili her identity card and the registered purchase"
    person developer natural-resources
    person wang
    person stranger
    give market-regulation DEMOYYZZ001 developer ZZBH=370100000000001 CZZT=济南示例置业有限公司 CZZTDM=91350100M000100Y43 \
        "KZ_LX=有限责任公司" KZ_FDDBR=赵示例 KZ_ZCZB=5000 KZ_CLRQ=2018-09-03 KZ_ZS=济南高新区示例路1号 KZ_JYFW=房地产开发。 \
        ZZYXQQSRQ=2018-09-03 ZZYXQJZRQ=长期
    give public-security DEMOJMSFZ001 wang CZZT=王示例 CZZTDM=11010519491231002X KZ_XB=女 KZ_MZ=汉 KZ_CSRQ=1949-12-31 \
        KZ_ZZ=济南市历下区示例路1号 KZ_QFJG=济南市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give natural-resources DEMOGFHTBA001:1 wang CZZT=王示例 CZZTDM=11010519491231002X KZ_BDCDYH=370112001001GB00001F00010001 \
        KZ_ZL=济南高新区示例路1号1号楼1单元101 KZ_MJ=89.50 KZ_JE=1200000.00 KZ_QDRQ=2026-01-05
    run_at wang item show flat-registration

    step "Every bureau runs its desk"
    desks_start "${BUREAUS[@]}"

    step "The developer files the flat and invites its buyer"
    head -c 300000 /dev/urandom >"$DEMO/floor-plan.pdf"
    open_case developer flat-registration --field building=1号楼 --attach floor_plan="$DEMO/floor-plan.pdf"

    step "She looks at what would be disclosed to whom, and confirms when it suits her"
    run_at wang case show --code "${INVITED[0]}"
    run_at wang case confirm "${INVITED[0]}" --field homes=1 --field loan=no
    say "The code is good for one person, once."
    must_fail_at 4 stranger case confirm "${INVITED[0]}" --field homes=1 --field loan=no

    step "Filing, deed tax and mortgage are decided by rules; the registrar looks at who owns"
    officer natural-resources register
    wait_until 90 "the case is closed" case_is closed "$CASE"

    step "She collects the certificate"
    run_at wang case collect "$CASE"
    run_at wang wallet list
    run_at wang case rate "$CASE" 5
    run_at wang case show "$CASE"

    step "Somebody who sees no content proves every step of it"
    run_at auditor audit case "$CASE"
    desks_stop
    summary "papers handed in; visits to a counter" "0; 0"
    summary "steps decided" "4, 3 of them by rules alone"
}
