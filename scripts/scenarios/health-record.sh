# shellcheck shell=bash
# 居民电子健康档案 (S8): a record made at one hospital is used at the next with the patient's consent; a clinic is refused, and she sees who read.

# Two hospitals, an emergency centre and a clinic are played by the four bureaus.
FIRST=big-data SECOND=natural-resources EMERGENCY=public-security CLINIC=market-regulation
SUN=370702198501010022

scenario() {
    step "Four bureaus found a chain and vote a catalogue; two of them are hospitals here, one the emergency centre, one a clinic"
    found_network
    vote_catalogue
    vote_purposes treatment:public_benefit:诊疗:Treatment first-aid:public_benefit:院前急救:"First aid"
    auditor

    step "The first hospital writes Sun's record; she has it in her wallet, and nobody else has it"
    person sun
    give "$EMERGENCY" DEMOJMSFZ001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_XB=女 KZ_MZ=汉 KZ_CSRQ=1985-01-01 \
        KZ_ZZ=寿光市示例路1号 KZ_QFJG=寿光市公安局 ZZYXQQSRQ=2022-01-05 ZZYXQJZRQ=长期
    give "$FIRST" DEMODZJKDA001 sun CZZT=孙示例 CZZTDM="$SUN" KZ_YLJG=寿光市示例第一医院 KZ_JZRQ=2026-01-05 KZ_ZD=原发性高血压 \
        "KZ_YY=氨氯地平片 5mg 每日一次" KZ_GMS=青霉素 ZZYXQQSRQ=2026-01-05
    desks_start "$FIRST"

    step "She lets the second hospital read diagnosis, medicines and allergies there, three times within thirty days"
    run_at sun consent grant --to "$(field "$SECOND" uscc)" --purpose treatment --source "$(field "$FIRST" uscc)" \
        --type DEMODZJKDA001 --claims KZ_ZD,KZ_YY,KZ_GMS --reads 3 --days 30 --out "$DEMO/sun.consent"

    step "The second hospital reads: recorded first, given then"
    reads "$SECOND" "$FIRST" DEMODZJKDA001 KZ_ZD,KZ_YY,KZ_GMS --basis consent --consent "$DEMO/sun.consent"
    run_at "$SECOND" "${READS[@]}" --out "$DEMO/visit.proof"
    says "$SECOND" "[row['licences'][0]['claims']['KZ_ZD'] for row in d] == ['原发性高血压']" read list
    say "Later, in a remote consultation, it needs the medicines once more."
    reads "$SECOND" "$FIRST" DEMODZJKDA001 KZ_YY --basis consent --consent "$DEMO/sun.consent"
    run_at "$SECOND" "${READS[@]}"
    say "What she did not consent to it cannot ask, not even which hospital it was."
    reads "$SECOND" "$FIRST" DEMODZJKDA001 KZ_YLJG --basis consent --consent "$DEMO/sun.consent"
    refused terms_beyond "$SECOND" "${READS[@]}"

    step "A clinic got hold of the very same consent: it opens nothing for others"
    reads "$CLINIC" "$FIRST" DEMODZJKDA001 KZ_ZD --basis consent --consent "$DEMO/sun.consent"
    refused consent_other "$CLINIC" "${READS[@]}"
    summary "an unrelated clinic" "refused, and on record"

    step "An ambulance reads allergies without asking: on a registered rule, and not in secret"
    reads "$EMERGENCY" "$FIRST" DEMODZJKDA001 KZ_GMS --basis statute --purpose first-aid --subject "$SUN"
    run_at "$EMERGENCY" "${READS[@]}"

    step "She sees every read, by whom, what and why, and who was refused; of none a number is missing"
    run_at sun consent log
    says sun "[(read['basis'], read['purpose'], sum(len(of['claims']) for of in read['scope'])) for read in d['reads'] if not read['refused']] == [('consent', 'treatment', 3), ('consent', 'treatment', 1), ('statute', 'first-aid', 1)]" consent log
    says sun "not d['missing'] and [(read['reader'], read['refused']) for read in d['reads'] if read['refused']] == [('$(field "$SECOND" uscc)', 'terms_beyond'), ('$(field "$CLINIC" uscc)', 'consent_other')]" consent log

    step "She takes the consent back: nothing more is read, and what was read stays read"
    local consent
    consent=$(json sun "d[0]['id']" consent list)
    run_at sun consent withdraw "$consent"
    reads "$SECOND" "$FIRST" DEMODZJKDA001 KZ_ZD --basis consent --consent "$DEMO/sun.consent"
    refused consent_withdrawn "$SECOND" "${READS[@]}"
    run_at sun consent show "$consent"
    says sun "d['left'] == 1 and d['withdrawn_ms'] is not None" consent show "$consent"
    says sun "[read['refused'] for read in d['reads']] == [None, None, 'terms_beyond', 'consent_other', None, 'consent_withdrawn']" consent log
    desks_stop

    step "Years later somebody proves what was shared, with the file and the pin, without any network"
    at auditor read check "$DEMO/visit.proof"
    without_network "${AT[@]}"
    altered "$DEMO/visit.proof" "$DEMO/altered.proof"
    must_fail_at 10 auditor read check "$DEMO/altered.proof"
    summary "papers and films carried between hospitals" "0"
    summary "reads" "2 with her consent, 1 on a rule, 3 refused; all 6 in her log"
    summary "who saw what" "hospital: diagnosis, medicines, allergies; ambulance: allergies"
    summary "after withdrawal" "refused"
}
