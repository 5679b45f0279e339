# shellcheck shell=bash
# 户证网来 (S11): seven kinds of data of five bureaus in place of seven proofs; each read authorised by itself, one taken back midway.

SUN=370702198501010022 HOME_OF_SUN=济南市示例路3号

# What five bureaus hold of her: social security and market regulation are played by one bureau here, civil affairs and
# health by another.
licences_of_sun() {
    give public-security DEMOJMSFZ001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_XB=女 KZ_MZ=汉 KZ_CSRQ=1985-01-01 \
        KZ_ZZ=潍坊市示例路1号 KZ_QFJG=潍坊市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give market-regulation DEMOSBJF001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_YS=36 ZZYXQQSRQ=2026-01-05
    give market-regulation DEMOJYDJ001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_DW=济南示例软件有限公司 ZZYXQQSRQ=2023-01-05
    give market-regulation DEMOGTYYZZ001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_ZH=济南示例小吃店 KZ_TYDM=92370702MA3E00013N \
        KZ_JYCS=济南市示例路2号 ZZYXQQSRQ=2025-06-01
    give big-data DEMOJHDJ001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_HYZK=已婚 KZ_POXM=李示例 KZ_POSFZH=11010519491231002X ZZYXQQSRQ=2015-05-20
    give big-data DEMOCSYXDJ001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_XSE=李小例 KZ_CSRQ=2019-08-31 ZZYXQQSRQ=2019-09-05
    give natural-resources 11100000MB03271699001 sun "ZZBH=鲁(2025)济南市不动产权第0000003号" CZZT=孙示例 CZZTDM="$SUN" KZ_GYQK=单独所有 \
        KZ_ZL="$HOME_OF_SUN" KZ_BDCDYH=370112001001GB00001F00010003 KZ_QLLX=国有建设用地使用权/房屋所有权 KZ_QLXZ=出让/市场化商品房 \
        KZ_YT=城镇住宅用地/成套住宅 KZ_MJ=89.50 ZZYXQQSRQ=2025-05-01 ZZYXQJZRQ=长期
    give natural-resources DEMOGFHTBA001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_BDCDYH=370112001001GB00001F00010003 KZ_ZL="$HOME_OF_SUN" \
        KZ_MJ=89.50 KZ_JE=900000.00 KZ_QDRQ=2025-01-05
}

# read_so_often N — whether so many reads about her are on the chain.
read_so_often() { [[ $(json sun "sum(not read['refused'] for read in d['reads'])" consent log) == "$1" ]]; }

case_returned() {
    [[ $(json auditor "[event['done'] for event in d['events']]" audit case "$CASE") == *returned* ]]
}

scenario() {
    step "Four bureaus found a chain and vote a catalogue; two of them play two of the five sources each"
    found_network
    vote_catalogue
    auditor

    step "Five bureaus hold seven kinds of data of Sun; police hold her identity card"
    person sun
    licences_of_sun
    run_at sun item show household-registration

    step "Police, land, social security and market regulation run their desks; civil affairs and health not yet"
    desks_start public-security market-regulation natural-resources

    step "She applies from home: seven authorisations, each told and given by itself, each for this case alone"
    open_case sun household-registration --field address="$HOME_OF_SUN" --field reason=购房
    run_at sun consent list
    says sun "len(d) == 7 and {row['case'] for row in d} == {'$CASE'} and len({row['id'] for row in d}) == 7" consent list
    wait_until 60 "five of the seven are read" read_so_often 5

    step "Midway she takes one back: her marriage nobody has read yet"
    local marriage
    marriage=$(json sun "[row['id'] for row in d if row['scope'][0]['type'] == 'DEMOJHDJ001'][0]" consent list)
    run_at sun consent withdraw "$marriage"
    desk_start big-data
    wait_until 60 "the step waits for an officer of police" waits_at public-security decide
    run_at public-security desk show "$CASE" --step decide
    says public-security "[why['code'] for why in d['why']].count('consent_withdrawn') == 1 and 'marriage' not in d['input']['read'] and len(d['input']['read']) == 6" desk show "$CASE" --step decide
    says sun "sum(not read['refused'] for read in d['reads']) == 6" consent log

    step "Rules decide nothing then: the officer returns it, and writes why"
    run_at public-security desk return "$CASE" --step decide --officer 0017 --reason known_family --words "请重新授权查询婚姻登记，或说明不便之处。"
    wait_until 60 "it is handed back, on the chain" case_returned
    run_at sun case show "$CASE"

    step "She authorises anew; all seven are read, rules decide, and the electronic page comes"
    run_at sun case correct "$CASE"
    wait_until 90 "the case is closed" case_is closed "$CASE"
    run_at sun case collect "$CASE"
    run_at sun wallet list
    run_at sun case rate "$CASE" 5

    step "She sees who read what, each for this case and each under an authorisation of its own"
    run_at sun consent log
    says sun "sum(not read['refused'] for read in d['reads']) == 13 and not d['missing'] and {read['basis'] for read in d['reads']} == {'consent'}" consent log
    says sun "len({read['consent'] for read in d['reads'] if not read['refused']} - {'$marriage'}) == 13" consent log
    says sun "{(read['consent'], read['refused']) for read in d['reads'] if read['refused']} <= {('$marriage', 'consent_withdrawn')}" consent log
    says sun "len({(read['source'], read['scope'][0]['type']) for read in d['reads'] if not read['refused']}) == 7" consent log

    step "Somebody who sees no content proves every step of it"
    run_at auditor audit case "$CASE"
    desks_stop
    summary "papers handed in; visits to a counter" "0 of 7; 0"
    summary "reads, each under an authorisation of its own" "6, and 7 after the return"
    summary "an authorisation taken back midway" "not read; the officer saw it and returned the case"
    summary "who saw what" "police: what seven authorisations name; the chain: nobody"
}
