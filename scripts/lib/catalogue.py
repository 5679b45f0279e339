"""Writes proposals that register the licence types and service items of deploy/ on a local network.

    catalogue.py DEVNET.JSON DEPLOY OUT

OUT gets 1.toml, 2.toml, …, to be voted in that order: a proposal has at most 16 actions and 64 KiB.
"""
import json
import pathlib
import sys
import tomllib

# Which bureau issues what genesis does not know yet. Four nodes play more offices than a city would give to one.
ISSUERS = {
    "admission-notice": "big-data",
    "basic-insurance-settlement": "market-regulation",
    "birth-certificate": "public-security",
    "employment-registration": "market-regulation",
    "health-record": "big-data",
    "homes-owned": "natural-resources",
    "hospital-bill": "natural-resources",
    "household-page": "public-security",
    "marital-status": "big-data",
    "medical-aid": "public-security",
    "newborn-registration": "big-data",
    "provident-account": "big-data",
    "provident-notice": "big-data",
    "purchase-registration": "natural-resources",
    "refund-notice": "big-data",
    "residence-registration": "public-security",
    "serious-illness-settlement": "market-regulation",
    "social-insurance": "market-regulation",
    "sole-trader-licence": "market-regulation",
    "tax-payment": "market-regulation",
}
# Which bureau plays which role of an item.
ROLES = {
    "bank": "big-data",
    "civil": "big-data",
    "fund": "big-data",
    "health": "big-data",
    "housing": "natural-resources",
    "land": "natural-resources",
    "market": "market-regulation",
    "police": "public-security",
    "registry": "natural-resources",
    "school": "big-data",
    "social": "market-regulation",
    "tax": "market-regulation",
    "treasury": "natural-resources",
}
ACTIONS_MAX = 16


def words(text):
    return json.dumps(text, ensure_ascii=False)


def action(do, **fields):
    return "\n".join(["[[action]]", f'do = "{do}"', *(f"{name} = {words(value)}" for name, value in fields.items())])


def type_actions(deploy, uscc):
    for name, bureau in ISSUERS.items():
        path = deploy / "types" / f"{name}.json"
        kind = json.loads(path.read_text(encoding="utf-8"))
        names, holder = kind["names"], kind["schema"]["x-kanhe-holder"]
        yield action("register-type", type=f"{kind['code']}:{kind['version']}", schema=str(path), zh=names["zh"],
                     en=names["en"], holder=holder, max_age="24h")
        yield action("accredit", issuer=uscc[bureau], type=kind["code"])


def item_actions(deploy, uscc):
    purposes = set()
    for path in sorted((deploy / "items").glob("*.toml")):
        item = tomllib.loads(path.read_text(encoding="utf-8"))
        names = item["names"]
        if item["purpose"] not in purposes:
            yield action("purpose", code=item["purpose"], zh=names["zh"], en=names["en"], **{"class": "public_benefit"})
        purposes.add(item["purpose"])
        bind = [f"{role['code']}={uscc[ROLES[role['code']]]}" for role in item["bureau"]]
        yield action("register-item", file=str(path), bind=bind)


def main(description, deploy, out):
    network = json.loads(pathlib.Path(description).read_text(encoding="utf-8"))
    uscc = {bureau["name"]: bureau["uscc"] for bureau in network["bureaus"]}
    deploy, out = pathlib.Path(deploy).resolve(), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    # An item needs its types in force, so they are in a proposal before; an item's file fills much of one.
    groups, types, items = [], list(type_actions(deploy, uscc)), list(item_actions(deploy, uscc))
    for at in range(0, len(types), ACTIONS_MAX):
        groups.append(types[at:at + ACTIONS_MAX])
    groups.extend(items[at:at + 4] for at in range(0, len(items), 4))
    for number, group in enumerate(groups, 1):
        head = ['note = "The catalogue of deploy/"', 'expires = "1d"']
        (out / f"{number}.toml").write_text("\n\n".join(["\n".join(head), *group]) + "\n", encoding="utf-8")
        print(out / f"{number}.toml")


main(*sys.argv[1:])
