# shellcheck shell=bash
# 有条件共享 (S5): bureaus declare what they hold; a commercial request is refused, one for people's benefit is served, recorded and audited.

ZHOU=370702198703030013

# declare BUREAU CLASS:ZH:EN:TYPE:COUNT… — a bureau says which classes of data it holds, and how many; a class may have no type.
declare_classes() {
    local bureau=$1 file=$DEMO/classes-$1.toml row code zh en type count
    shift
    : >"$file"
    for row in "$@"; do
        IFS=: read -r code zh en type count <<<"$row"
        printf '[[class]]\ncode = "%s"\nzh = "%s"\nen = "%s"\ncount = %s\n' "$code" "$zh" "$en" "$count" >>"$file"
        [[ -z $type ]] || printf 'type = "%s"\n' "$type" >>"$file"
        printf '\n' >>"$file"
    done
    run_at "$bureau" catalogue declare "$file" --key "$(field "$bureau" governance_key)"
}

# declared CLASSES — whether the chain has so many.
declared() { [[ $(json auditor "len(d)" catalogue list) == "$1" ]]; }

scenario() {
    step "Four bureaus found a chain and vote types, items and purposes: one of public benefit, one commercial"
    found_network
    vote_catalogue
    vote_purposes relief:public_benefit:困难救助:"Relief of hardship" marketing:commercial:商业营销:Marketing
    auditor

    step "All is collected: each bureau declares its classes of data with counts, and none of the data"
    declare_classes public-security residences:居住登记:"Registered residences":DEMOJZDJ001:1204331 identity_cards:居民身份证:"Identity cards":DEMOJMSFZ001:1190027
    declare_classes market-regulation business_licences:营业执照:"Business licences":DEMOYYZZ001:98120 insured:社会保险参保:"Insured people":DEMOSBJF001:803144
    declare_classes natural-resources certificates:不动产登记:"Real-estate register":11100000MB03271699001:522310
    declare_classes big-data health_records:居民电子健康档案:"Electronic health records":DEMODZJKDA001:1090773 weather:气象观测:"Weather observations"::31536000
    wait_until 30 "all seven classes are on the chain" declared 7
    run_at auditor catalogue list
    says auditor "sum(line['count'] for line in d) == 36444705 and len({line['bureau'] for line in d}) == 4" catalogue list
    say "A file with data in it is none."
    printf '[[class]]\ncode = "people"\nzh = "人口"\nen = "People"\ncount = 1\nrows = ["周示例,%s"]\n' "$ZHOU" >"$DEMO/data.toml"
    must_fail_at 2 big-data catalogue declare "$DEMO/data.toml" --key "$(field big-data governance_key)"

    step "Zhou has her registered residence in her wallet; police hold it"
    person zhou
    give public-security DEMOJZDJ001 zhou CZZT=周示例 CZZTDM="$ZHOU" KZ_ZZ=烟台市示例路1号 KZ_XQ=东区 ZZYXQQSRQ=2024-03-01
    desks_start public-security

    step "Sharing has a condition: for profit nothing is read, by nobody, and not even with her consent"
    reads market-regulation public-security DEMOJZDJ001 KZ_ZZ --basis statute --purpose marketing --subject "$ZHOU"
    refused purpose_commercial market-regulation "${READS[@]}"
    refused purpose_commercial zhou consent grant --to "$(field market-regulation uscc)" --purpose marketing \
        --source "$(field public-security uscc)" --type DEMOJZDJ001 --claims KZ_ZZ
    summary "commercial: on a rule; with consent" "refused; refused by the chain itself"

    step "For people's benefit it is: relief reads her address on a registered rule"
    reads big-data public-security DEMOJZDJ001 KZ_ZZ --basis statute --purpose relief --subject "$ZHOU"
    run_at big-data "${READS[@]}"
    run_at zhou consent log
    says zhou "[(read['reader'], read['purpose'], read['refused']) for read in d['reads']] == [('$(field market-regulation uscc)', 'marketing', 'purpose_commercial'), ('$(field big-data uscc)', 'relief', None)] and not d['missing']" consent log
    desks_stop

    step "An auditor exports every read of the chain and every refusal, provably complete, and sees nobody's data"
    run_at auditor audit log --kind access --out "$DEMO/reads.jsonl"
    at auditor audit verify "$DEMO/reads.jsonl"
    without_network "${AT[@]}"
    audited "$DEMO/reads.jsonl" "$(field public-security uscc)" "$(field big-data uscc)" "$(field market-regulation uscc)" "$ZHOU"
    run_at market-regulation read list
    says market-regulation "{row['code'] for row in d} == {'purpose_commercial'}" read list
    sed 's/"relief"/"rescue"/g' "$DEMO/reads.jsonl" >"$DEMO/other.jsonl"
    must_fail_at 10 auditor audit verify "$DEMO/other.jsonl"
    summary "classes declared, entries" "7 of 4 bureaus, 36,444,705"
    summary "public benefit" "served once"
    summary "both" "on record, in her log and in the audit"
    summary "papers; who saw what" "0; relief: one address, the auditor: no data"
}

# audited FILE SOURCE READER PURPOSE NUMBER — the export has just this read, and nothing of the person.
audited() {
    python3 - "$@" <<'PYTHON' || die 1 "the export is not what it must be: $1"
import json, sys
path, source, reader, trader, number = sys.argv[1:]
text = open(path, encoding="utf-8").read()
found = [json.loads(line)["record"] for line in text.splitlines() if "record" in json.loads(line)]
refused, given = [record["content"]["read"]["read"] for record in found]
of = lambda read: (read["request"]["request"]["source"], read["request"]["request"]["reader"], read["request"]["request"]["purpose"])
assert of(refused) == (source, trader, "marketing") and refused["answered"] == {"refused": "purpose_commercial"}, refused
assert of(given) == (source, reader, "relief") and "given" in given["answered"], given
assert number not in text and "周示例" not in text and "KZ_ZZ" not in text
PYTHON
    ok "one refusal and one read in it: by whom, of whom, for what; no person, no data"
}
