# shellcheck shell=bash
# 健康扶贫 (S9): hospital, basic insurance, serious-illness insurance and civil relief, joined per person on a registered rule: what people really pay.

# The hospital and civil relief are played by a bureau each, both insurances by a third; the relief office reads.
OFFICE=big-data HOSPITAL=natural-resources INSURANCE=market-regulation RELIEF=public-security
BILL=DEMOZYFY001 BASIC=DEMOJBYB001 SERIOUS=DEMODBBX001 AID=DEMOYLJZ001

# write_sheets — twenty people, who do not exist, as the four sources have them: $DEMO/TYPE.csv, $DEMO/people and, whose bill is
# large enough for the second insurance, $DEMO/serious.
write_sheets() {
    python3 - "$DEMO" "$DEMO/villagers.txt" <<'PYTHON'
import csv, pathlib, sys
folder = pathlib.Path(sys.argv[1])
weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
def number(at):
    first = f"370181{1940 + at}03{1 + at:02d}{100 + at}"
    return first + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(first, weights)) % 11]
diseases = ["高血压"] * 9 + ["糖尿病"] * 6 + ["慢阻肺"] * 3 + ["尘肺病"] * 2
applications = iter(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8").split())
def write(name, claims, rows):
    with open(folder / f"{name}.csv", "w", encoding="utf-8-sig", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["CZZT", "CZZTDM", *claims, "ZZYXQQSRQ", "application"])
        sheet.writerows([*row, "2026-01-05", next(applications)] for row in rows)
people = [(f"村民{at + 1}", number(at)) for at in range(20)]
bills = [4_000 + 1_000 * at for at in range(20)]
cents = lambda amount: f"{amount:.2f}"
serious = [at for at in range(20) if bills[at] > 15_000]
write("DEMOZYFY001", ["KZ_JB", "KZ_FY"], [(*people[at], diseases[at], cents(bills[at])) for at in range(20)])
write("DEMOJBYB001", ["KZ_JBBX"], [(*people[at], cents(bills[at] * 0.6)) for at in range(20)])
write("DEMODBBX001", ["KZ_DBBX"], [(*people[at], cents(bills[at] * 0.2)) for at in serious])
write("DEMOYLJZ001", ["KZ_YLJZ"], [(*people[at], cents(300)) for at in range(20)])
(folder / "people").write_text("\n".join(of for _, of in people) + "\n")
(folder / "serious").write_text("\n".join(people[at][1] for at in serious) + "\n")
PYTHON
}

# issue_sheet BUREAU TYPE — the bureau issues what its sheet says.
issue_sheet() {
    quietly_at "$1" licence issue "$DEMO/$2.csv" --type "$2" --key "$(field "$1" issuing_key)" --sealing-key "$(field "$1" sealing_key)" --out "$DEMO/$2"
}
