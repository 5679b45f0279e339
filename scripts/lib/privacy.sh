# shellcheck shell=bash
# No personal data on the chain: a scan of all that the nodes have written, which can fail.

# What the nodes say of themselves while they still run.
dump_metrics() {
    local name url
    mkdir -p "$DEMO/metrics"
    while read -r name url _; do
        python3 - "$url/metrics" >"$DEMO/metrics/$name" <<'PYTHON'
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.stdout.buffer.write(opener.open(sys.argv[1], timeout=10).read())
PYTHON
    done < <(devnet_bureaus "$NET")
}

# scan_privacy SHEET — stops the nodes, and looks for the sheet's claims in databases, logs and metrics.
scan_privacy() {
    step "Nothing of the spreadsheet's content is found in what the nodes have written"
    dump_metrics
    devnet_down "$NET"
    run kanhe-privacy-scan --net "$NET" --sheet "$1" --also "$DEMO/metrics" --excluded "$DEMO/not-looked-for.txt"
    summary "claims of the spreadsheet found on any node" "none; all that was planted was found"
}
