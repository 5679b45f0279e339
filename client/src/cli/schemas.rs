//! The published schemas: one for each thing that a command says with `--json`.

use std::collections::BTreeMap;

use clap::Args;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::{
    Context, abandon, account, account_show, audit, backup, case, case_batch, case_overdue, case_show, catalogue,
    chain_why, consent, consent_log, desk, desk_run, desk_show, gov, issue, item, item_show, licence, read, read_stats,
    renew, sample, status, trust, verify_serve, wallet,
};
use crate::audit::log::{Checked, Exported, Line};
use crate::audit::ratings::Ratings;
use crate::case::Timeline;
use crate::issuer::{Round, Surveyed};
use crate::talk::{ExitCode, Failure, Said, Wire, shape};
use crate::verifier::{Swept, Told};
use crate::wallet::{Application, LogRecord};

/// Options of `schema`.
#[derive(Debug, Args)]
pub struct Options {
    /// Which one; without it their names, one a line
    name: Option<String>,
}

/// A schema.
struct Published {
    name: &'static str,
    schema: fn() -> Schema,
}

/// What is not in this list cannot be said: [`Said`] is implemented here alone.
macro_rules! published {
    ($($name:literal: $type:ty = $title:literal,)+) => {
        $(impl Said for $type {})+
        const PUBLISHED: &[Published] = &[$(Published { name: $name, schema: || schema::<$type>($name, $title) }),+];
    };
}

published! {
    "account-change": account::AccountChanged = "kanhe account open, replace, close, keys add, keys remove, delegate add, delegate revoke",
    "account-delegates": Vec<account_show::DelegateShown> = "kanhe account delegate list",
    "account-key": account::KeyMade = "kanhe account keys new",
    "account-show": account_show::AccountShown = "kanhe account show",
    "audit-case": audit::CaseAudited = "kanhe audit case",
    "audit-log": Line = "kanhe audit log: one a line",
    "audit-log-out": Exported = "kanhe audit log --out",
    "audit-ratings": Ratings = "kanhe audit ratings",
    "audit-verify": Checked = "kanhe audit verify",
    "case-act": case::Acted = "kanhe case open, confirm, correct, withdraw, rate",
    "case-batch": case_batch::OpenedMany = "kanhe case open --from",
    "case-invitation": case_show::Invitation = "kanhe case show --code",
    "case-list": Vec<case_show::Line> = "kanhe case list",
    "case-overdue": Vec<case_overdue::Late> = "kanhe case overdue",
    "case-show": Timeline = "kanhe case show",
    "catalogue-list": Vec<catalogue::Line> = "kanhe catalogue list",
    "chain-status": status::ChainStatus = "kanhe chain status",
    "chain-status-why": chain_why::WhyShown = "kanhe chain status --why",
    "consent-list": Vec<consent::Shown> = "kanhe consent list",
    "consent-log": consent_log::Log = "kanhe consent log",
    "consent-show": consent::Shown = "kanhe consent grant, show, withdraw",
    "desk-list": Vec<desk::Line> = "kanhe desk list",
    "desk-rule": desk::Ruled = "kanhe desk approve, reject, return",
    "desk-run": desk_run::Line = "kanhe desk run: one a line",
    "desk-show": desk_show::Shown = "kanhe desk show",
    "error": Wire<'_> = "every command that fails, on stderr",
    "gov-card": gov::card::CardShown = "kanhe gov card new, gov card show",
    "gov-key": gov::keys::KeyShown = "kanhe gov key new, gov key prove",
    "gov-keys": gov::key_list::KeysShown = "kanhe gov key list",
    "gov-list": gov::show::ListShown = "kanhe gov list",
    "gov-sent": gov::show::SentShown = "kanhe gov propose, vote, submit, rotate, key-compromised, reaffirm",
    "gov-show": gov::view::View = "kanhe gov show; propose, rotate, key-compromised and reaffirm with --dry-run",
    "gov-template": gov::template::TemplateShown = "kanhe gov template",
    "gov-withdraw": gov::vote::Withdrawn = "kanhe gov withdraw",
    "gov-written": gov::vote::Written = "kanhe gov propose, vote, rotate, key-compromised and reaffirm with --out",
    "item-check": item::Checked = "kanhe item check",
    "item-list": Vec<item::Line> = "kanhe item list",
    "item-show": item_show::Shown = "kanhe item show",
    "licence-abandon": abandon::Abandoned = "kanhe licence issue --abandon, licence renew --abandon",
    "licence-batches": Vec<Surveyed> = "kanhe licence batches",
    "licence-batches-watch": Surveyed = "kanhe licence batches --watch: one a line",
    "licence-change": licence::Changed = "kanhe licence suspend, reinstate, revoke, loss",
    "licence-find": Vec<licence::Line> = "kanhe licence find",
    "licence-issue": issue::Issued<'_> = "kanhe licence issue",
    "licence-issue-dry-run": issue::DryRun = "kanhe licence issue --dry-run",
    "licence-renew": renew::Renewed<'_> = "kanhe licence renew",
    "licence-serve": Round = "kanhe licence serve: one a line for each portion of mail; with --once, one for all",
    "licence-show": Vec<licence::ShownLicence> = "kanhe licence show",
    "licence-template": licence::Template = "kanhe licence template",
    "read-check": read::Checked = "kanhe read check",
    "read-list": Vec<read::Shown> = "kanhe read list, read request --subjects",
    "read-show": read::Shown = "kanhe read request, show",
    "read-stats": read_stats::Shown = "kanhe read stats",
    "sample": sample::Written = "kanhe sample",
    "status": status::HomeStatus = "kanhe status",
    "trust": trust::Shown = "kanhe trust pin, trust show",
    "trust-issuer-jwk": trust::IssuerJwk = "kanhe trust issuer-jwk: one a line",
    "trust-update": trust::UpdatedShown = "kanhe trust update",
    "verify-check": Told = "kanhe verify check, verify recheck",
    "verify-sweep": Swept = "kanhe verify sweep",
    "verify-serve": verify_serve::Ready = "kanhe verify serve, once it listens",
    "wallet-apply": Vec<Application> = "kanhe wallet apply",
    "wallet-backup": backup::Made = "kanhe wallet backup",
    "wallet-init": wallet::Made = "kanhe wallet init",
    "wallet-list": Vec<wallet::Line> = "kanhe wallet list, import, collect, refresh",
    "wallet-log": Vec<LogRecord> = "kanhe wallet log",
    "wallet-present": shape::Response = "kanhe wallet present, unless --format sd-jwt",
    "wallet-restore": backup::Restored = "kanhe wallet restore",
    "wallet-show": wallet::Shown = "kanhe wallet show",
}

fn schema<T: JsonSchema>(name: &str, title: &str) -> Schema {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), format!("urn:kanhe:schema:cli:{name}").into());
    schema.insert("title".to_owned(), title.into());
    Schema::try_from(sorted(schema.to_value())).expect("it was one before")
}

/// The same whether maps keep their order or not: another crate of the same build may ask for either.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> = members.into_iter().collect();
            Value::Object(members.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(elements) => elements.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Prints a schema, or the names of all.
pub fn run(options: &Options, context: &Context) -> Result<ExitCode, Failure> {
    let Some(name) = &options.name else {
        let names: Vec<&str> = PUBLISHED.iter().map(|published| published.name).collect();
        context.output.raw(&names.join("\n"))?;
        return Ok(ExitCode::Ok);
    };
    let text = find(name).ok_or_else(|| Failure::of(ExitCode::Usage, "no_schema", &[("name", name)]))?;
    context.output.raw(&text)?;
    Ok(ExitCode::Ok)
}

fn find(name: &str) -> Option<String> {
    let published = PUBLISHED.iter().find(|published| published.name == name)?;
    Some(serde_json::to_string_pretty(&(published.schema)()).expect("a schema is JSON"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// `KANHE_BLESS=1` writes them anew, as `./scripts/generate` does.
    #[test]
    fn the_checked_in_schemas_are_those_of_the_types() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
        let bless = std::env::var_os("KANHE_BLESS").is_some();
        for published in PUBLISHED {
            let path = folder.join(format!("{}.json", published.name));
            let text = find(published.name).unwrap() + "\n";
            if bless {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(kept, text, "{} is out of date: ./scripts/generate", path.display());
            let schema = serde_json::from_str(&text).unwrap();
            jsonschema::draft202012::meta::validate(&schema).unwrap();
        }
        let named = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let named: BTreeSet<String> = named.filter(|name| name.ends_with(".json")).collect();
        let due: BTreeSet<String> = PUBLISHED.iter().map(|published| format!("{}.json", published.name)).collect();
        assert_eq!(named, due);
    }
}
