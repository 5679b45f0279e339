# shellcheck shell=bash
# 健康扶贫 (S9): hospital, two insurances and civil relief joined per person on a registered rule: what people really pay, and for which diseases.

# The hospital and civil relief are played by a bureau each, both insurances by a third; the relief office reads.
OFFICE=big-data HOSPITAL=natural-resources INSURANCE=market-regulation RELIEF=public-security
BILL=DEMOZYFY001 BASIC=DEMOJBYB001 SERIOUS=DEMODBBX001 AID=DEMOYLJZ001
PEOPLE=20 SERIOUSLY_ILL=8

# apply BUREAU TYPE COUNT — applications for licences: the last is the farmer's, the others are of one wallet that stands for
# those of the whole village.
apply() {
    quietly_at village wallet apply --type "$2" --issuer "$(field "$1" uscc)" --count $(($3 - 1)) --out "$DEMO/village-$2"
    quietly_at farmer wallet apply --type "$2" --issuer "$(field "$1" uscc)" --out "$DEMO/farmer-$2"
}

# write_sheets — people who do not exist, as the four sources have them: $DEMO/TYPE.csv; their numbers in $DEMO/people, of those
# whose bill is large enough for the second insurance in $DEMO/serious.
write_sheets() {
    python3 - "$DEMO" <<'PYTHON'
import csv, pathlib, sys
folder = pathlib.Path(sys.argv[1])
weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
def number(at):
    first = f"370181{1940 + at}03{1 + at:02d}{100 + at}"
    return first + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(first, weights)) % 11]
def write(code, claims, rows):
    applied = [line for who in ("village", "farmer") for line in (folder / f"{who}-{code}").read_text(encoding="utf-8").split()]
    assert len(applied) == len(rows), code
    with open(folder / f"{code}.csv", "w", encoding="utf-8-sig", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["CZZT", "CZZTDM", *claims, "ZZYXQQSRQ", "application"])
        sheet.writerows([*row, "2026-01-05", application] for row, application in zip(rows, applied))
yuan = "{:.2f}".format
diseases = ["高血压"] * 9 + ["糖尿病"] * 6 + ["慢阻肺"] * 3 + ["尘肺病"] * 2
people = [(f"村民{at + 1}", number(at)) for at in range(20)]
bills = [4_000 + 1_000 * at for at in range(20)]
serious = [at for at in range(20) if bills[at] > 15_000]
write("DEMOZYFY001", ["KZ_JB", "KZ_FY"], [(*people[at], diseases[at], yuan(bills[at])) for at in range(20)])
write("DEMOJBYB001", ["KZ_JBBX"], [(*people[at], yuan(bills[at] * 6 // 10)) for at in range(20)])
write("DEMODBBX001", ["KZ_DBBX"], [(*people[at], yuan(bills[at] // 5)) for at in serious])
write("DEMOYLJZ001", ["KZ_YLJZ"], [(*people[at], yuan(300)) for at in range(20)])
(folder / "people").write_text("".join(of + "\n" for _, of in people))
(folder / "serious").write_text("".join(people[at][1] + "\n" for at in serious))
PYTHON
}

# issue BUREAU TYPE — the bureau issues what its sheet says; the farmer gets hers.
issue() {
    quietly_at "$1" licence issue "$DEMO/$2.csv" --type "$2" --key "$(field "$1" issuing_key)" --sealing-key "$(field "$1" sealing_key)" --out "$DEMO/$2"
    cat "$DEMO/$2"/deliveries-*.jsonl | tail -n 1 >"$DEMO/farmer-$2.jsonl"
    quietly_at farmer wallet import "$DEMO/farmer-$2.jsonl"
}

READING=()

# read_all BUREAU TYPE CLAIMS PEOPLE — the office asks about all of them; the four sources answer at the same time.
read_all() {
    reads "$OFFICE" "$1" "$2" "$3" --basis statute --purpose medical-relief --subjects "$DEMO/$4" --wait 180
    at "$OFFICE" "${READS[@]}"
    show_command "${AT[@]}"
    start_group "$DEMO/read-$2.log" "${AT[@]}"
    READING+=("$STARTED_PID:$2")
}

all_read() {
    local one code
    for one in "${READING[@]}"; do
        code=0
        wait "${one%%:*}" || code=$?
        forget_group "${one%%:*}"
        ((code == 0)) || die 1 "reading ${one#*:} ended with code $code" "$(tail -n 3 "$DEMO/read-${one#*:}.log")"
    done
}

scenario() {
    local all=$((3 * PEOPLE + SERIOUSLY_ILL))
    step "Four bureaus found a chain and vote types, items, and the rule by which relief may read"
    found_network
    vote_catalogue
    vote_purposes medical-relief:public_benefit:医疗救助:"Medical relief"
    auditor

    step "Hospital, basic insurance, serious-illness insurance and civil relief each know a part about $PEOPLE villagers"
    person village
    person farmer
    apply "$HOSPITAL" "$BILL" "$PEOPLE"
    apply "$INSURANCE" "$BASIC" "$PEOPLE"
    apply "$INSURANCE" "$SERIOUS" "$SERIOUSLY_ILL"
    apply "$RELIEF" "$AID" "$PEOPLE"
    write_sheets
    issue "$HOSPITAL" "$BILL"
    issue "$INSURANCE" "$BASIC"
    issue "$INSURANCE" "$SERIOUS"
    issue "$RELIEF" "$AID"

    step "The relief office reads on the rule, per person: $all reads, each on the chain before the data leaves"
    desks_start "$HOSPITAL" "$INSURANCE" "$RELIEF"
    read_all "$HOSPITAL" "$BILL" KZ_JB,KZ_FY people
    read_all "$INSURANCE" "$BASIC" KZ_JBBX people
    say "The second insurance pays for large bills alone, so it is asked about those $SERIOUSLY_ILL alone."
    read_all "$INSURANCE" "$SERIOUS" KZ_DBBX serious
    read_all "$RELIEF" "$AID" KZ_YLJZ people
    all_read
    says "$OFFICE" "len(d) == $all and all(row['state'] == 'given' and len(row['licences']) == 1 for row in d)" read list
    desks_stop

    step "What people really pay: the bill, less both insurances, less relief; the diseases of most people first"
    local own=(read stats --sum KZ_FY --less KZ_JBBX --less KZ_DBBX --less KZ_YLJZ --group-by KZ_JB)
    run_at "$OFFICE" "${own[@]}" --min-group 5 --top 2
    says "$OFFICE" "[(of['value'], of['people'], of['sum'], of['per_person']) for of in d['groups']] == [('高血压', 9, '26100.00', '2900.00'), ('糖尿病', 6, '25200.00', '4200.00')]" "${own[@]}" --min-group 5 --top 2
    says "$OFFICE" "(d['total']['people'], d['total']['sum'], d['total']['per_person'], d['unread']) == ($PEOPLE, '70800.00', '3540.00', 0)" "${own[@]}" --min-group 5
    say "Of three and of two people nothing is said, whatever is asked for; nor can it be worked out for one of the two groups."
    run_at "$OFFICE" "${own[@]}" --min-group 1
    says "$OFFICE" "(d['hidden'], d['min_group']) == (2, 5) and not {'慢阻肺', '尘肺病'} & {of['value'] for of in d['groups']}" "${own[@]}" --min-group 1
    say "Without that wish groups of fewer than ten stay hidden: here all of them."
    says "$OFFICE" "(d['groups'], d['hidden'], d['total']['people']) == ([], 4, $PEOPLE)" "${own[@]}"
    run_at "$OFFICE" "${own[@]}"
    summary "true own expense" "3,540.00 per person of 20; bills were 13,500.00"
    summary "top diseases" "高血压 9, 糖尿病 6"
    summary "groups that are not shown" "2, of 3 and 2 people"

    step "Nobody asked the farmer for a paper or a signature, but she sees who read what"
    run_at farmer consent log
    says farmer "sum(not read['refused'] for read in d['reads']) == 4 and {read['ground'] for read in d['reads']} == {'medical-relief'} and not d['missing']" consent log

    step "An auditor counts all reads of the chain, and sees nobody"
    run_at auditor audit log --kind access --out "$DEMO/reads.jsonl"
    at auditor audit verify "$DEMO/reads.jsonl"
    without_network "${AT[@]}"
    local found
    found=$(python3 -c 'import json, sys; print(sum("record" in json.loads(line) for line in open(sys.argv[1], encoding="utf-8")))' "$DEMO/reads.jsonl")
    ((found == all)) || die 1 "the export has $found reads and not $all"
    if grep -qFf "$DEMO/people" "$DEMO/reads.jsonl"; then die 1 "the export names somebody"; fi
    summary "papers; visits" "0; 0"
    summary "who saw what" "relief office: bills and payments; statistics: no group of few; chain: nobody"
}
