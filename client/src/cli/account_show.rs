//! `kanhe account show` and `account delegate list`.

use kanhe_proto::account::{AccountRecord, By, Change, Delegate, EnterpriseAccount};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey};
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use crate::account::{history, read};
use crate::clock;
use crate::talk::{ExitCode, Failure, Table, moment, say};

/// A key of an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct KeyShown {
    /// Names it.
    #[schemars(with = "String")]
    id: KeyId,
    /// The key.
    #[schemars(with = "String")]
    key: PublicKey,
}

/// How a delegate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stands {
    /// May act.
    Acts,
    /// Its time is over.
    Expired,
    /// Revoked.
    Revoked,
}

/// A delegate.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct DelegateShown {
    /// Names its key.
    #[schemars(with = "String")]
    id: KeyId,
    /// Its key.
    #[schemars(with = "String")]
    key: PublicKey,
    /// Items in whose cases it may act.
    items: Vec<String>,
    /// The greatest amount that it may fill in; nothing: no bound.
    amount_max: Option<String>,
    /// In how many cases each bureau lets it act; nothing: no bound.
    cases_max: Option<u32>,
    /// Until when, in milliseconds since 1970.
    not_after_ms: u64,
    /// Since when it has these limits, in milliseconds since 1970.
    set_ms: u64,
    /// When it was revoked, in milliseconds since 1970.
    revoked_ms: Option<u64>,
    /// How it stands.
    stands: Stands,
}

/// An act on an account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ActShown {
    /// Place of its record in the log.
    record: u64,
    /// Its number.
    number: u32,
    /// When, in milliseconds since 1970.
    time_ms: u64,
    /// `open`, `replace_keys`, `add_key`, `remove_key`, `set_delegate`, `revoke_delegate` or `close`.
    what: &'static str,
    /// The bureau that did it; nothing if a key of the account did.
    #[schemars(with = "Option<String>")]
    bureau: Option<Uscc>,
    /// The key that signed.
    #[schemars(with = "String")]
    key: KeyId,
}

/// An account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct AccountShown {
    /// Whose.
    #[schemars(with = "String")]
    uscc: Uscc,
    /// The bureau that opened it.
    #[schemars(with = "String")]
    opened_by: Uscc,
    /// The licence type under which it was opened.
    type_code: String,
    /// Whether nobody acts for it.
    closed: bool,
    /// Number of acts on it.
    sequence: u32,
    /// Height of the header that proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    /// Its keys.
    keys: Vec<KeyShown>,
    /// Its delegates.
    delegates: Vec<DelegateShown>,
    /// All acts on it, with `--history`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    acts: Vec<ActShown>,
}

fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn delegate(known: &Delegate, now: TimeMs) -> DelegateShown {
    let grant = &known.grant;
    let stands = match known.revoked {
        Some(_) => Stands::Revoked,
        None if grant.not_after < now => Stands::Expired,
        None => Stands::Acts,
    };
    DelegateShown {
        id: grant.key.id(),
        key: grant.key.clone(),
        items: grant.items.iter().map(ToString::to_string).collect(),
        amount_max: grant.amount_max.map(amount),
        cases_max: grant.cases_max,
        not_after_ms: grant.not_after.0,
        set_ms: known.set.0,
        revoked_ms: known.revoked.map(|time| time.0),
        stands,
    }
}

fn act((index, record): &(LogIndex, AccountRecord)) -> ActShown {
    let act = &record.signed.act;
    let what = match act.change {
        Change::Open(_) => "open",
        Change::ReplaceKeys(_) => "replace_keys",
        Change::AddKey(_) => "add_key",
        Change::RemoveKey(_) => "remove_key",
        Change::SetDelegate(_) => "set_delegate",
        Change::RevokeDelegate(_) => "revoke_delegate",
        Change::Close => "close",
    };
    let (bureau, key) = match &act.by {
        By::Bureau { bureau, key } => (Some(*bureau), *key),
        By::Own(key) => (None, *key),
    };
    ActShown { record: index.0, number: act.sequence, time_ms: record.time.0, what, bureau, key }
}

impl AccountShown {
    /// As it is told.
    pub(super) fn of(account: &EnterpriseAccount, height: Option<Height>) -> Self {
        let now = clock::now();
        Self {
            uscc: account.uscc,
            opened_by: account.opened_by,
            type_code: account.type_code.to_string(),
            closed: account.closed,
            sequence: account.sequence,
            height: height.map(|height| height.0),
            keys: account.keys.iter().map(|key| KeyShown { id: key.id(), key: key.clone() }).collect(),
            delegates: account.delegates.iter().map(|known| delegate(known, now)).collect(),
            acts: Vec::new(),
        }
    }
}

/// An account for people.
pub(super) fn text(shown: &AccountShown) -> String {
    let args: &[(&str, &dyn std::fmt::Display)] =
        &[("uscc", &shown.uscc), ("bureau", &shown.opened_by), ("type", &shown.type_code)];
    let mut lines = vec![say("account.about", args)];
    if shown.closed {
        lines.push(say("account.is_closed", &[]));
    }
    lines.extend(shown.keys.iter().map(|key| say("account.key", &[("id", &key.id), ("key", &key.key)])));
    if !shown.delegates.is_empty() {
        lines.push(table(&shown.delegates));
    }
    for act in &shown.acts {
        let what = say(&format!("account.act.{}", act.what), &[]);
        let by = act.bureau.map_or_else(|| act.key.to_string(), |bureau| bureau.to_string());
        let time = moment(act.time_ms, clock::now().0);
        lines.push(say("account.act_line", &[("number", &act.number), ("what", &what), ("by", &by), ("time", &time)]));
    }
    if let Some(height) = shown.height {
        lines.push(say("account.as_of", &[("height", &height)]));
    }
    lines.join("\n")
}

fn table(delegates: &[DelegateShown]) -> String {
    let head = ["delegate", "items", "amount", "cases", "until", "stands"];
    let mut table = Table::new(&head.map(|column| say(&format!("account.column.{column}"), &[])));
    let none = || say("account.no_bound", &[]);
    for known in delegates {
        let stands = match known.stands {
            Stands::Acts => "account.acts",
            Stands::Expired => "account.expired",
            Stands::Revoked => "account.revoked",
        };
        table.row(&[
            known.id.to_string(),
            known.items.join(", "),
            known.amount_max.clone().unwrap_or_else(none),
            known.cases_max.map_or_else(none, |count| count.to_string()),
            moment(known.not_after_ms, clock::now().0),
            say(stands, &[]),
        ]);
    }
    table.to_string()
}

/// Shows an account, proved.
pub(super) fn show(uscc: &Uscc, with_history: bool, context: &Context) -> Result<ExitCode, Failure> {
    let mut follower = context.follower()?;
    let shown = if with_history {
        let none = || Failure::of(ExitCode::Refused, "account_none", &[("uscc", uscc)]);
        let told = history(&mut follower, uscc)?.ok_or_else(none)?;
        let acts = told.acts.iter().map(act).collect();
        AccountShown { acts, ..AccountShown::of(&told.account, Some(told.height)) }
    } else {
        let found = read(&mut follower, uscc)?;
        AccountShown::of(found.needed(uscc)?, Some(found.certified.header.height))
    };
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

/// Lists the delegates of an account, proved.
pub(super) fn delegates(uscc: &Uscc, context: &Context) -> Result<ExitCode, Failure> {
    let found = read(&mut context.follower()?, uscc)?;
    let now = clock::now();
    let all: Vec<DelegateShown> = found.needed(uscc)?.delegates.iter().map(|known| delegate(known, now)).collect();
    context.output.data(&all, || if all.is_empty() { say("account.no_delegates", &[]) } else { table(&all) })?;
    Ok(ExitCode::Ok)
}
