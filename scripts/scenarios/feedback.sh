# shellcheck shell=bash
# 好差评 (S14): each closed case is rated once by its applicant; an auditor proves the rates by item and bureau, and sees nobody.

scenario() {
    step "Four bureaus found a chain and vote a catalogue of types and items"
    found_network
    vote_catalogue
    (umask 077; head -c 18 /dev/urandom | base64 >"$DEMO/auditor.pass")
    pin auditor big-data

    step "Li and Zhang have their licences in their wallets, a developer its own"
    person li
    person zhang
    person developer natural-resources
    give public-security DEMOJMSFZ001 li CZZT=李示例 CZZTDM=11010519491231002X KZ_XB=女 KZ_MZ=汉 KZ_CSRQ=1949-12-31 \
        KZ_ZZ=济南市历下区示例路1号 KZ_QFJG=济南市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give public-security DEMOJMSFZ001 zhang CZZT=张示例 CZZTDM=11010519491231002X KZ_XB=男 KZ_MZ=汉 KZ_CSRQ=1949-12-31 \
        KZ_ZZ=青岛市示例路1号 KZ_QFJG=青岛市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give big-data DEMOGJJZH001:1 zhang CZZT=张示例 CZZTDM=11010519491231002X KZ_YE=36000.00 KZ_ZT=正常 ZZYXQQSRQ=2020-01-05
    give market-regulation DEMOYYZZ001 developer ZZBH=370100000000001 CZZT=济南示例置业有限公司 CZZTDM=91350100M000100Y43 \
        "KZ_LX=有限责任公司" KZ_FDDBR=赵示例 KZ_ZCZB=5000 KZ_CLRQ=2018-09-03 KZ_ZS=济南高新区示例路1号 KZ_JYFW=房地产开发。 \
        ZZYXQQSRQ=2018-09-03 ZZYXQJZRQ=长期

    step "Every bureau runs its desk"
    desks_start "${BUREAUS[@]}"

    step "Li opens five companies from one sheet; Zhang withdraws from the provident fund"
    companies_sheet "$DEMO/companies.csv"
    open_sheet li company-opening "$DEMO/companies.csv" "$DEMO/opened.csv"
    open_case zhang provident-withdrawal --field amount=12000.00
    local fund=$CASE

    step "Officers decide what is theirs, rules the rest"
    local company
    for company in "${COMPANIES[@]}"; do
        approve market-regulation licence "$company"
    done
    for company in "${COMPANIES[@]}"; do
        approve big-data account "$company"
    done
    # Where rules cannot decide alone an officer does.
    wait_until 60 "the withdrawal is decided, or waits for an officer" decided_or_waits "$fund" big-data decide
    if ! case_is closed "$fund"; then approve big-data decide "$fund"; fi
    for company in "${COMPANIES[@]}" "$fund"; do
        wait_until 90 "the case is closed" case_is closed "$company"
    done

    step "Each case is rated by its applicant, once"
    local stars=(5 4 5 3 5) at
    for at in "${!COMPANIES[@]}"; do
        run_at li case rate "${COMPANIES[at]}" "${stars[at]}"
    done
    run_at zhang case rate "$fund" 5
    must_fail_at 4 li case rate "${COMPANIES[3]}" 5
    say "Somebody else has no key for it."
    must_fail_at 2 zhang case rate "${COMPANIES[0]}" 1
    say "And who opens a case for another may take it back, but not rate it: the chain refuses."
    head -c 30000 /dev/urandom >"$DEMO/floor-plan.pdf"
    open_case developer flat-registration --field building=1号楼 --attach floor_plan="$DEMO/floor-plan.pdf"
    run_at developer case withdraw "$CASE"
    must_fail_at 4 developer case rate "$CASE" 1

    step "An auditor, who sees no content, proves how cases were rated"
    run_at auditor audit ratings
    run_at auditor audit ratings --item company-opening --bureau "$(field market-regulation uscc)"
    local told
    told=$(json auditor "[(row['code'], row['cases'], row['rated'], row['average_hundredths']) for row in d['items']]" audit ratings)
    [[ $told == *"('company-opening', 5, 5, 440)"* && $told == *"('provident-withdrawal', None, None, None)"* ]] ||
        die 1 "the ratings are not those that were given: $told"
    run_at auditor audit case "${COMPANIES[3]}"

    step "The log itself, complete, in a file that anyone checks again"
    run_at auditor audit log --out "$DEMO/log.jsonl"
    run_at auditor audit log --kind case --out "$DEMO/cases.jsonl"
    run_at auditor audit log --issuer "$(field public-security uscc)" --out "$DEMO/police.jsonl"
    at auditor audit verify "$DEMO/log.jsonl"
    without_network "${AT[@]}"
    say "One star made five: in an export nothing can be changed, nor left out."
    tamper "$DEMO/log.jsonl" "$DEMO/better.jsonl" stars
    must_fail_at 10 auditor audit verify "$DEMO/better.jsonl"
    tamper "$DEMO/log.jsonl" "$DEMO/shorter.jsonl" shorter
    must_fail_at 10 auditor audit verify "$DEMO/shorter.jsonl"
    desks_stop
    summary "cases closed and rated; ratings that were refused" "6; 3"
    summary "records proved complete" "$(wc -l <"$DEMO/log.jsonl") lines"
    summary "people identified in them" "0"
}

companies_sheet() {
    python3 - "$1" <<'PYTHON'
import csv, sys
codes = ["91370100MA3E00013X", "91370100MA3E00021Q", "91370100MA3E00039J", "91370100MA3E00047D", "91370100MA3E000558"]
with open(sys.argv[1], "w", encoding="utf-8-sig", newline="") as file:
    sheet = csv.writer(file)
    sheet.writerow(["name", "code", "capital", "domicile", "scope", "staff"])
    for place, code in enumerate(codes, 1):
        sheet.writerow([f"济南示例{place}号软件有限公司", code, "100.00", "济南市高新区示例路2号", "软件开发。", "3"])
PYTHON
}

# open_sheet NAME ITEM SHEET OUT — a case for each row; their ids are in COMPANIES.
open_sheet() {
    at "$1" case open "$2" --from "$3" --out "$4"
    show_command "${AT[@]}"
    at "$1" --json case open "$2" --from "$3" --out "$4"
    in_group "${AT[@]}" >"$DEMO/many.json" || die 1 "the cases were not opened"
    mapfile -t COMPANIES < <(python3 -c 'import json, sys
for row in json.load(open(sys.argv[1]))["rows"]: print(row["case"])' "$DEMO/many.json")
    say "${#COMPANIES[@]} cases"
}

# waits_there BUREAU STEP CASE — whether this case waits for an officer of a bureau.
waits_there() {
    local rows
    rows=$(json "$1" "[(row['step'], row['case']) for row in d if row['state'] == 'waiting' and not row['ruled']]" desk list) || return 1
    [[ $rows == *"('$2', '$3"* ]]
}

decided_or_waits() { case_is closed "$1" || waits_there "$2" "$3" "$1"; }

# approve BUREAU STEP CASE — an officer approves once it is his turn.
approve() {
    wait_until 90 "$2 waits for an officer of $1" waits_there "$1" "$2" "$3"
    run_at "$1" desk approve "$3" --step "$2" --officer 0017
}

# tamper FILE OUT HOW — an export as somebody would rather have it.
tamper() {
    python3 - "$@" <<'PYTHON'
import json, sys
source, out, how = sys.argv[1:]
lines = open(source, encoding="utf-8").read().splitlines()
def rate(line):
    event = json.loads(line).get("record", {}).get("content", {}).get("event")
    return event["act"]["act"].get("rate") if isinstance(event, dict) else None
at = next(place for place, line in enumerate(lines) if (rate(line) or {}).get("stars") == 3)
if how == "shorter":
    del lines[at]
else:
    line = json.loads(lines[at])
    line["record"]["content"]["event"]["act"]["act"]["rate"]["stars"] = 5
    lines[at] = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
open(out, "w", encoding="utf-8").write("\n".join(lines) + "\n")
PYTHON
}
