//! `kanhe account`: the account of an enterprise on the ledger, its keys and its delegates.

use clap::{Args, Subcommand};
use kanhe_proto::account::{Change, Grant, Opening};
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::identifiers::{Day, Uscc, Vct};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::TypeRef;
use kanhe_proto::key::{KeyId, PublicKey};
use schemars::JsonSchema;
use serde::Serialize;

use super::account_show::{self, AccountShown};
use super::licence::Acting;
use super::{Context, wallet};
use crate::account::{self, explain};
use crate::clock;
use crate::issuer::Office;
use crate::rules::cents;
use crate::talk::{ExitCode, Failure, say};

/// Accounts of enterprises. They are public facts; what is changed is signed by a key of this wallet, and proved.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Shows an enterprise's account, proved: its keys and delegates
    Show {
        /// Its unified social credit code
        uscc: Uscc,
        /// Every act on it as well, from its opening on, none left out
        #[arg(long)]
        history: bool,
    },
    /// Keys of an account
    #[command(subcommand)]
    Keys(Keys),
    /// Who acts for the enterprise, within limits
    #[command(subcommand)]
    Delegate(Delegate),
    /// Closes an account: nobody acts for the enterprise any more, until the bureau puts other keys in place
    Close {
        /// Its unified social credit code
        uscc: Uscc,
    },
    /// For the bureau: opens the account of an enterprise that has none, with keys of it
    Open(Open),
    /// For the bureau: puts other keys in place of lost ones; delegates go, and a closed account is open again
    Replace(Replace),
}

/// Keys of an account.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Makes a key in this wallet, to be handed to whoever adds it to an account or names it a delegate
    New,
    /// Adds a key to an account
    Add {
        /// The enterprise
        uscc: Uscc,
        /// The key, as `account keys new` says it
        key: PublicKey,
    },
    /// Takes a key away from an account; the last one stays
    Remove {
        /// The enterprise
        uscc: Uscc,
        /// The key's id, as `account show` says it
        #[arg(value_name = "KEYID", allow_hyphen_values = true)]
        key: KeyId,
    },
}

/// Delegates of an account.
#[derive(Debug, Subcommand)]
pub enum Delegate {
    /// Names a delegate, or sets other limits of one: what was counted is counted anew
    Add(Add),
    /// Lists the delegates of an enterprise, proved, also those who act no more
    List {
        /// The enterprise
        uscc: Uscc,
    },
    /// Revokes a delegate, from the next block on
    Revoke {
        /// The enterprise
        uscc: Uscc,
        /// The delegate's key id, as `account delegate list` says it
        #[arg(value_name = "KEYID", allow_hyphen_values = true)]
        key: KeyId,
    },
}

/// Options of `account delegate add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The enterprise
    uscc: Uscc,
    /// The delegate's key, as `account keys new` in its own wallet says it
    key: PublicKey,
    /// An item in whose cases it may act; again for each
    #[arg(long, value_name = "ITEM", required = true)]
    item: Vec<String>,
    /// The greatest amount that it may fill in, as 1234.50 [default: no bound]
    #[arg(long, value_name = "AMOUNT")]
    amount: Option<String>,
    /// In how many cases each bureau lets it act [default: no bound]
    #[arg(long, value_name = "COUNT")]
    cases: Option<u32>,
    /// Last day on which it may act, as 2027-06-30; at most three years ahead
    #[arg(long, value_name = "DAY")]
    until: Day,
}

/// Options of `account open`.
#[derive(Debug, Args)]
pub struct Open {
    /// The enterprise
    uscc: Uscc,
    /// A key of it, as `account keys new` in its wallet says it; again for each, at most 8
    #[arg(required = true)]
    keys: Vec<PublicKey>,
    /// The licence type of enterprises for which the bureau is accredited, as CODE:VERSION
    #[arg(long = "type", value_name = "TYPE")]
    type_ref: TypeRef,
    #[command(flatten)]
    acting: Acting,
}

/// Options of `account replace`.
#[derive(Debug, Args)]
pub struct Replace {
    /// The enterprise
    uscc: Uscc,
    /// A new key of it; again for each, at most 8
    #[arg(required = true)]
    keys: Vec<PublicKey>,
    #[command(flatten)]
    acting: Acting,
}

/// A key that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct KeyMade {
    /// Names it.
    #[schemars(with = "String")]
    id: KeyId,
    /// The public half, to be handed on.
    #[schemars(with = "String")]
    key: PublicKey,
}

/// What was done to an account.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AccountChanged {
    /// `opened`, `keys_replaced`, `key_added`, `key_removed`, `delegate_set`, `delegate_revoked` or `closed`.
    what: &'static str,
    /// Place of its record in the log.
    record: u64,
    /// The account after it.
    account: AccountShown,
}

/// Runs a command of the group.
pub fn run(command: AccountCommand, context: &Context) -> Result<ExitCode, Failure> {
    let done = match command {
        AccountCommand::Show { uscc, history } => account_show::show(&uscc, history, context),
        AccountCommand::Keys(Keys::New) => make_key(context),
        AccountCommand::Keys(Keys::Add { uscc, key }) => own(&uscc, "key_added", Change::AddKey(key), context),
        AccountCommand::Keys(Keys::Remove { uscc, key }) => own(&uscc, "key_removed", Change::RemoveKey(key), context),
        AccountCommand::Delegate(Delegate::Add(options)) => add(options, context),
        AccountCommand::Delegate(Delegate::List { uscc }) => account_show::delegates(&uscc, context),
        AccountCommand::Delegate(Delegate::Revoke { uscc, key }) => {
            own(&uscc, "delegate_revoked", Change::RevokeDelegate(key), context)
        }
        AccountCommand::Close { uscc } => {
            context.confirm(&say("account.confirm_close", &[("uscc", &uscc)]))?;
            own(&uscc, "closed", Change::Close, context)
        }
        AccountCommand::Open(options) => open(options, context),
        AccountCommand::Replace(options) => replace(options, context),
    };
    done.map_err(explain)
}

fn make_key(context: &Context) -> Result<ExitCode, Failure> {
    let key = wallet::open(context)?.make_account_key(clock::now())?;
    let made = KeyMade { id: key.id(), key };
    context.output.data(&made, || say("account.key_made", &[("id", &made.id), ("key", &made.key)]))?;
    Ok(ExitCode::Ok)
}

fn add(options: Add, context: &Context) -> Result<ExitCode, Failure> {
    let wrong = |value: &str| Failure::of(ExitCode::Usage, "account_amount", &[("value", &value)]);
    let amount = options.amount.as_deref().map(|text| {
        let amount = cents(text).ok().and_then(|amount| u64::try_from(amount).ok());
        amount.ok_or_else(|| wrong(text))
    });
    let mut items = options.item;
    items.sort();
    items.dedup();
    let many = |error: kanhe_proto::bounded::TooMany| Failure::reported(ExitCode::Usage, "account_items", error);
    let items = items.into_iter().map(|item| Text::new(item).map_err(many)).collect::<Result<Vec<_>, _>>()?;
    let grant = Grant {
        key: options.key,
        items: List::new(items).map_err(many)?,
        amount_max: amount.transpose()?,
        cases_max: options.cases,
        not_after: TimeMs(options.until.end().0.saturating_sub(1)),
    };
    own(&options.uscc, "delegate_set", Change::SetDelegate(grant), context)
}

/// Changes an account with a key of this wallet.
fn own(uscc: &Uscc, what: &'static str, change: Change, context: &Context) -> Result<ExitCode, Failure> {
    let (wallet, mut follower) = (wallet::open(context)?, context.follower()?);
    let sent = account::change(&mut follower, &wallet, uscc, change)?;
    told(what, &sent, context)
}

fn list(keys: Vec<PublicKey>) -> Result<List<PublicKey, 8>, Failure> {
    List::new(keys).map_err(|error| Failure::reported(ExitCode::Usage, "account_keys", error))
}

fn open(options: Open, context: &Context) -> Result<ExitCode, Failure> {
    let vct: &Vct = &options.type_ref.0;
    let keys = list(options.keys)?;
    let opening = Opening { type_code: vct.code.clone(), type_version: vct.version, keys };
    by_bureau(&options.uscc, &options.acting, "opened", Change::Open(opening), context)
}

fn replace(options: Replace, context: &Context) -> Result<ExitCode, Failure> {
    let keys = list(options.keys)?;
    context.confirm(&say("account.confirm_replace", &[("uscc", &options.uscc)]))?;
    by_bureau(&options.uscc, &options.acting, "keys_replaced", Change::ReplaceKeys(keys), context)
}

fn by_bureau(
    uscc: &Uscc,
    acting: &Acting,
    what: &'static str,
    change: Change,
    context: &Context,
) -> Result<ExitCode, Failure> {
    let (genesis, passphrase) = (context.home.genesis()?, context.passphrase.existing()?);
    let mut follower = context.follower()?;
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, &passphrase)?;
    let sequence = account::read(&mut follower, uscc)?.account.map_or(0, |account| account.sequence);
    let signed = account::signed_by_bureau(&office, *uscc, sequence, change)?;
    told(what, &account::send(&mut follower, &signed)?, context)
}

fn told(what: &'static str, sent: &account::Sent, context: &Context) -> Result<ExitCode, Failure> {
    let changed = AccountChanged { what, record: sent.index.0, account: AccountShown::of(&sent.account, None) };
    context.output.data(&changed, || {
        let word = say(&format!("account.done.{what}"), &[("uscc", &sent.account.uscc)]);
        format!("{word}\n{}", account_show::text(&changed.account))
    })?;
    Ok(ExitCode::Ok)
}
