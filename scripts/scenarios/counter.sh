# shellcheck shell=bash
# 万能受理窗口 (S3): a counter asks for three licences of three bureaus at once; of one person, or they are refused.

# A code that is made up for this, with both check characters right.
COUNTER=11370100MB1A09006T

# ask_three NAME — the counter's request.
ask_three() {
    run_at counter verify request --type DEMOJMSFZ001 --claims CZZT,CZZTDM --type DEMOGJJZH001:1 --claims KZ_YE \
        --type DEMOGFHTBA001:1 --claims KZ_ZL --same-holder --purpose counter-service --max-age 24h \
        --key "$DEMO/counter.key" --as "$COUNTER" --out "$DEMO/$1.request"
}

# three_for NAME PERSON NUMBER — the licences of three bureaus in one wallet; name and number are in them.
three_for() {
    give public-security DEMOJMSFZ001 "$2" CZZT="$1" CZZTDM="$3" KZ_XB=女 KZ_MZ=汉 KZ_CSRQ=1949-12-31 \
        KZ_ZZ=济南市历下区示例路1号 KZ_QFJG=济南市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give big-data DEMOGJJZH001:1 "$2" CZZT="$1" CZZTDM="$3" KZ_YE=36000.00 KZ_ZT=正常 ZZYXQQSRQ=2022-01-05
    give natural-resources DEMOGFHTBA001:1 "$2" CZZT="$1" CZZTDM="$3" KZ_BDCDYH=370112001001GB00001F00010001 \
        KZ_ZL=济南高新区示例路1号1号楼1单元101 KZ_MJ=89.50 KZ_JE=1200000.00 KZ_QDRQ=2026-01-05
}

# The bureaus vote who the counter is and what it may ask.
register_counter() {
    cat >"$DEMO/counter.toml" <<TOML
note = "A counter for all bureaus"
expires = "1d"

[[action]]
do = "relying-party"
uscc = "$COUNTER"
zh = "济南高新区政务服务中心"
en = "Government Service Centre of Jinan High-tech Zone"
request_key = "$1"
may_ask = ["DEMOJMSFZ001=CZZT,CZZTDM", "DEMOGJJZH001=KZ_YE", "DEMOGFHTBA001=KZ_ZL"]
purpose = ["counter-service"]
TOML
    decide "$DEMO/counter.toml"
}

scenario() {
    step "Four bureaus found a chain, vote a catalogue, and let a counter ask for three types"
    found_network
    vote_catalogue
    head -c 18 /dev/urandom | base64 >"$DEMO/counter.pass"
    chmod 600 "$DEMO/counter.pass"
    pin counter
    run_at counter gov key new --role request --out "$DEMO/counter.key"
    register_counter "$DEMO/counter.key"

    step "Two people have licences of three bureaus each"
    person zhao
    person qian big-data
    three_for 赵示例 zhao 11010519491231002X
    three_for 钱示例 qian 110105194912310046

    step "The counter asks for all three at once; Zhao shows them"
    ask_three first
    run_at zhao wallet present "$DEMO/first.request" --out "$DEMO/first.response"
    run_at counter verify check "$DEMO/first.response" --request "$DEMO/first.request"
    summary "three licences of three bureaus in one presentation" "valid, of one holder"

    step "Zhao borrows one of Qian's: the wallet does not take it in"
    say "A licence is bound to a key; whoever lacks it cannot show the licence."
    must_fail_at 10 zhao wallet import "$DEMO"/give-qian-DEMOGJJZH001:1/deliveries-*.jsonl

    step "What the counter has no right to ask it cannot ask"
    run_at counter verify request --type 11100000MB03271699001 --claims KZ_ZL --purpose counter-service --max-age 24h \
        --key "$DEMO/counter.key" --as "$COUNTER" --out "$DEMO/third.request"
    must_fail_at 10 zhao wallet present "$DEMO/third.request" --out "$DEMO/third.response"
    run_at zhao wallet log
    summary "licences of another person, a right that is missing" "refused, refused"
}
