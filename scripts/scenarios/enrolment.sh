# shellcheck shell=bash
# 义务教育入学 (S7): a parent for a child; six kinds of licences are compared by rules, an incomplete application comes back with what is missing.

MOTHER=370702198501010022 FATHER=370702198602020035 AUNT=370702198703030013

identity_card() {
    give public-security DEMOJMSFZ001 "$1" CZZT="$2" CZZTDM="$3" KZ_XB=女 KZ_MZ=汉 KZ_CSRQ="$4" \
        KZ_ZZ=潍坊市示例东区1号 KZ_QFJG=潍坊市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
}

birth_certificate() {
    give public-security DEMOCSYXZM001 "$1" CZZT=张小例 KZ_CSRQ=2019-08-31 KZ_FQSFZH="$FATHER" KZ_MQSFZH="$MOTHER" \
        ZZYXQQSRQ=2019-09-05
}

# What six bureaus say of the family, each as a licence in the mother's wallet.
licences_of_the_family() {
    give public-security DEMOJZDJ001 zhang CZZT=张示例 CZZTDM="$MOTHER" KZ_ZZ=潍坊市示例东区1号 KZ_XQ=东区 ZZYXQQSRQ=2024-03-01
    give natural-resources 11100000MB03271699001 zhang "ZZBH=鲁(2016)潍坊市不动产权第0000001号" CZZT=张示例 CZZTDM="$MOTHER" KZ_GYQK=单独所有 \
        KZ_ZL=潍坊市示例西区9号 KZ_BDCDYH=370702001001GB00001F00010001 KZ_QLLX=国有建设用地使用权/房屋所有权 KZ_QLXZ=出让/市场化商品房 \
        KZ_YT=城镇住宅用地/成套住宅 KZ_MJ=60.00 ZZYXQQSRQ=2016-05-01 ZZYXQJZRQ=长期
    give natural-resources DEMOGFHTBA001 zhang CZZT=张示例 CZZTDM="$MOTHER" KZ_BDCDYH=370702001001GB00002F00010001 \
        KZ_ZL=潍坊市示例西区3号 KZ_MJ=89.50 KZ_JE=900000.00 KZ_QDRQ=2026-01-05
    give market-regulation DEMOSBJF001 zhang CZZT=张示例 CZZTDM="$MOTHER" KZ_YS=8 ZZYXQQSRQ=2026-01-05
    give market-regulation DEMOGTYYZZ001 zhang CZZT=张示例 CZZTDM="$MOTHER" KZ_ZH=潍坊示例小吃店 KZ_TYDM=92370702MA3E00013N \
        KZ_JYCS=潍坊市示例东区2号 ZZYXQQSRQ=2025-06-01
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

    step "Zhang Shili has what six bureaus say of her family in her wallet; her child's birth certificate too"
    person zhang
    person aunt big-data
    identity_card zhang 张示例 "$MOTHER" 1985-01-01
    identity_card aunt 王示例 "$AUNT" 1987-03-03
    birth_certificate zhang
    licences_of_the_family
    run_at zhang item show school-enrolment

    step "The education bureau runs its desk"
    desks_start big-data

    step "She applies with residence and eight months of insurance: that is not enough, and she is told what is missing"
    open_case zhang school-enrolment --field district=东区 --licence residence --licence insurance
    wait_until 60 "it is handed back, on the chain" case_returned auditor
    run_at zhang case show "$CASE"

    step "She adds what else she has; all six kinds are compared, and her trade in the district decides"
    run_at zhang case correct "$CASE" --licence residence --licence insurance --licence home --licence purchase --licence trade
    wait_until 60 "the case is closed" case_is closed "$CASE"
    run_at zhang case collect "$CASE"
    run_at zhang wallet list
    run_at zhang case rate "$CASE" 5
    run_at zhang case show "$CASE"
    local enrolled=$CASE

    step "An aunt has the child's birth certificate in her wallet: it names other parents"
    birth_certificate aunt
    open_case aunt school-enrolment --field district=东区
    wait_until 60 "she is refused, on the chain" case_is rejected "$CASE"
    run_at aunt case show "$CASE"
    must_fail_at 1 aunt case collect "$CASE"

    step "Somebody who sees no content proves every step of it"
    run_at auditor audit case "$enrolled"
    desks_stop
    summary "papers handed in; visits to a counter" "0; 0"
    summary "kinds of licences compared by rules" "6, by no officer"
    summary "who is not the parent" "refused"
}
