"""How a desk went on with a step, by what `kanhe --json desk run` said.

    desk_log.py count LOG ITEM STEP [STATE]      steps that came to a state (default: on the chain)
    desk_log.py times LOG ITEM STEP              decisions, licences, per second, and times from its turn to the decision
    desk_log.py time LOG CASE STEP               the same of one case: milliseconds
"""
import json
import sys

DECIDED = ("recorded", "issuing", "issued")


def steps(path, wanted):
    """The last line of each step for which `wanted` holds."""
    found = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("{") or not line.endswith("\n"):
                continue
            step = json.loads(line).get("step")
            if step and wanted(step):
                found[step["case"], step["step"], step["round"]] = step
    return list(found.values())


def at(values, share):
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))]


def times(found):
    decided = [step for step in found if step["decided_ms"] is not None]
    if not decided:
        sys.exit("nothing is decided")
    spans = [step["decided_ms"] - step["since_ms"] for step in decided]
    began, ended = min(step["since_ms"] for step in decided), max(step["decided_ms"] for step in decided)
    seconds = max(ended - began, 1) / 1000
    licences = sum(step["licences"] for step in decided)
    print(len(decided), licences, f"{seconds:.1f}", f"{len(decided) / seconds:.1f}",
          *(f"{at(spans, share) / 1000:.1f}" for share in (50, 99)))


def main(what, log, *names):
    if what == "time":
        case, step = names
        found = steps(log, lambda known: known["case"] == case and known["step"] == step)
        print(*(known["decided_ms"] - known["since_ms"] for known in found if known["decided_ms"] is not None))
        return
    item, step, *state = names
    found = steps(log, lambda known: (known["item"], known["step"]) == (item, step))
    if what == "count":
        states = state or DECIDED
        print(sum(known["state"] in states for known in found))
    else:
        times(found)


main(*sys.argv[1:])
