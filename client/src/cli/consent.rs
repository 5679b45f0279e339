//! `kanhe consent`: what may be read by whom, taking it back, and who has read.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kanhe_proto::bounded::Text;
use kanhe_proto::consent::Consent;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::limits::{CONSENT_LIFE_MAX_MS, CONSENT_READS_MAX};
use kanhe_proto::registry::{Bureau, Names};
use schemars::JsonSchema;
use serde::Serialize;

use super::show::clean;
use super::types::TypeSpec;
use super::{Context, consent_log, name, wallet};
use crate::clock;
use crate::consent::{self, Granting, OwnConsent, Shelf, State, Wished, carry, explain, licence_for, standing};
use crate::follow::Follower;
use crate::home;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, Table, moment, say, shape};
use crate::wallet::Wallet;

const DAY_MS: u64 = 86_400_000;

/// Consent to reading, and who has read.
#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// Lets a bureau read claims of yours at another one: so often, so long, for one purpose
    Grant(Grant),
    /// Lists your consents
    List,
    /// Shows a consent, how it stands on the chain, and what to hand over
    Show {
        /// Its name in the list
        consent: String,
    },
    /// Takes a consent back: nothing more is read under it. What was read stays read
    Withdraw {
        /// Its name in the list
        consent: String,
    },
    /// Who has read about you, when, why and what: all reads of the sources of your licences are looked through here
    Log,
}

/// Options of `consent grant`.
#[derive(Debug, Args)]
pub struct Grant {
    /// Who may read: its unified social credit code
    #[arg(long = "to", value_name = "USCC")]
    grantee: Uscc,
    /// What for: code of a registered purpose of public benefit
    #[arg(long, value_name = "CODE")]
    purpose: String,
    /// The bureau that has the data
    #[arg(long, value_name = "USCC")]
    source: Uscc,
    /// Type of licence that carries it; all its versions
    #[arg(long = "type", value_name = "TYPE")]
    licence_type: TypeSpec,
    /// Claims; no others can be read
    #[arg(long, value_name = "CLAIM", value_delimiter = ',', required = true)]
    claims: Vec<String>,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(CONSENT_READS_MAX)))]
    reads: u32,
    /// How long
    #[arg(long, value_name = "D", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=CONSENT_LIFE_MAX_MS / DAY_MS))]
    days: u64,
    /// The licence by which the source sees that it is you [default: one of the source's own, or any that has your number]
    #[arg(long, value_name = "LICENCE")]
    licence: Option<String>,
    /// Writes what is to be handed to the reader to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A consent of one's own.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// Its id, in hexadecimal.
    id: String,
    /// How far it is here.
    state: State,
    /// Who may read.
    grantee: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    grantee_names: Names,
    /// What for.
    purpose: String,
    /// Who has the data.
    source: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    source_names: Names,
    /// Which claims, by type.
    scope: Vec<ScopeShown>,
    /// How often it may be read in all.
    reads: u32,
    /// How often from now on, as the chain has it; nothing where it was not asked, or the chain has none.
    left: Option<u32>,
    /// Until when, in milliseconds since 1970.
    not_after_ms: u64,
    /// When it was taken back, as the chain has it.
    withdrawn_ms: Option<u64>,
    /// Whether a withdrawal is on its way.
    withdrawing: bool,
    /// Code by which the chain refused it.
    refused: Option<String>,
    /// The case that it is for.
    case: Option<String>,
    /// What is handed to the reader.
    ticket: Option<String>,
    /// The file that it was written to.
    file: Option<String>,
}

/// Claims of a type.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScopeShown {
    /// Code of the type.
    #[serde(rename = "type")]
    pub(super) type_code: String,
    /// Its claims.
    pub(super) claims: Vec<String>,
}

/// Types and claims, for people and programs.
pub(super) fn scope_shown(scope: &kanhe_proto::consent::Scope) -> Vec<ScopeShown> {
    let shown = |of_type: &kanhe_proto::consent::TypeClaims| ScopeShown {
        type_code: of_type.type_code.to_string(),
        claims: of_type.claims.iter().map(|claim| clean(claim)).collect(),
    };
    scope.iter().map(shown).collect()
}

/// The same on one line.
pub(super) fn scope_text(scope: &[ScopeShown]) -> String {
    let text = |of_type: &ScopeShown| format!("{} ({})", of_type.type_code, of_type.claims.join(", "));
    scope.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// Runs a command of the group.
pub fn run(command: ConsentCommand, context: &Context) -> Result<ExitCode, Failure> {
    let done = match command {
        ConsentCommand::Grant(options) => grant(&options, context),
        ConsentCommand::List => list(context),
        ConsentCommand::Show { consent } => show(&consent, context),
        ConsentCommand::Withdraw { consent } => withdraw(&consent, context),
        ConsentCommand::Log => consent_log::run(context),
    };
    done.map_err(explain)
}

/// Wallet and light client, once what is unfinished was finished as far as possible.
pub(super) fn open(context: &Context) -> Result<(Wallet, Follower), Failure> {
    let (wallet, mut follower) = (wallet::open(context)?, context.follower()?);
    for mut own in Shelf::of(&wallet).all()? {
        if own.pending.is_some()
            && let Err(failure) = carry(&wallet, &mut follower, &mut own)
        {
            context.output.talk(say("consent.not_finished", &[("id", &own.short()), ("cause", &failure.message)]));
        }
    }
    Ok((wallet, follower))
}

/// A bureau's name, proved.
pub(super) fn named(follower: &mut Follower, bureau: Uscc) -> Result<Names, Failure> {
    let found = follower.registry::<Bureau>(&bureau, |node: &NodeClient| node.bureau(&bureau))?.value;
    found.map(|found| found.names).ok_or_else(|| Failure::of(ExitCode::Usage, "bureau_unknown", &[("issuer", &bureau)]))
}

fn grant(options: &Grant, context: &Context) -> Result<ExitCode, Failure> {
    let (wallet, mut follower) = open(context)?;
    let now = clock::now();
    let long = |error| Failure::reported(ExitCode::Usage, "consent_scope", error);
    let wished = Wished {
        grantee: (options.grantee, named(&mut follower, options.grantee)?),
        purpose: Text::new(&*options.purpose).map_err(long)?,
        source: (options.source, named(&mut follower, options.source)?),
        scope: consent::scope_of(options.licence_type.code.clone(), options.claims.iter().cloned())?,
        reads: options.reads,
        not_after: now.after(SpanMs(options.days * DAY_MS)),
        case: None,
    };
    let licence = match &options.licence {
        Some(id) => wallet.licence(id)?,
        None => licence_for(&wallet, &options.source, now)?,
    };
    context.output.talk(announcement(&wished, &licence.short(), now.0));
    context.confirm(&say("consent.confirm_grant", &[]))?;
    let chain = follower.trust().chain;
    let granting = Granting { wallet: &wallet, chain, name: follower.trust().chain_ref() };
    let mut own = granting.make(&wished, &licence, now)?;
    if let Some(path) = &options.out {
        home::write_new_private(path, format!("{}\n", own.ticket.as_str()).as_bytes())?;
    }
    carry(&wallet, &mut follower, &mut own)?;
    let file = options.out.as_ref().map(|path| path.display().to_string());
    tell(Shown { file, ..shown(&own, None, true) }, context)
}

fn announcement(wished: &Wished, licence: &str, now_ms: u64) -> String {
    let (grantee, source) = (clean(name(&wished.grantee.1)), clean(name(&wished.source.1)));
    let scope = scope_text(&scope_shown(&wished.scope));
    let until = moment(wished.not_after.0, now_ms);
    let args: &[(&str, &dyn std::fmt::Display)] = &[
        ("grantee", &grantee),
        ("source", &source),
        ("scope", &scope),
        ("purpose", &wished.purpose),
        ("reads", &wished.reads),
        ("until", &until),
    ];
    format!("{}\n{}", say("consent.will_read", args), say("consent.will_show", &[("id", &licence)]))
}

fn list(context: &Context) -> Result<ExitCode, Failure> {
    let (wallet, _) = open(context)?;
    let lines: Vec<Shown> = Shelf::of(&wallet).all()?.iter().map(|own| shown(own, None, false)).collect();
    let now = clock::now().0;
    context.output.data(&lines, || {
        if lines.is_empty() {
            return say("consent.none", &[]);
        }
        let mut table = Table::new(&[
            say("consent.column_id", &[]),
            say("consent.column_grantee", &[]),
            say("consent.column_source", &[]),
            say("consent.column_scope", &[]),
            say("consent.column_until", &[]),
            say("consent.column_state", &[]),
        ]);
        for line in &lines {
            table.row(&[
                line.id[..8].to_owned(),
                clean(name(&line.grantee_names)),
                clean(name(&line.source_names)),
                scope_text(&line.scope),
                moment(line.not_after_ms, now),
                state(line.state),
            ]);
        }
        table.to_string()
    })?;
    Ok(ExitCode::Ok)
}

fn show(id: &str, context: &Context) -> Result<ExitCode, Failure> {
    let (wallet, mut follower) = open(context)?;
    let own = Shelf::of(&wallet).find(id)?;
    let found = standing(&mut follower, &own.id)?;
    let one = Shown { withdrawing: found.withdrawing, ..shown(&own, found.consent.as_ref(), true) };
    tell(one, context)
}

fn withdraw(id: &str, context: &Context) -> Result<ExitCode, Failure> {
    let (wallet, mut follower) = open(context)?;
    let mut own = Shelf::of(&wallet).find(id)?;
    if own.pending.is_some() {
        return Err(Failure::of(ExitCode::Undecided, "consent_unsettled", &[]));
    }
    let grantee = clean(name(&own.grantee_names));
    context.output.talk(say("consent.stays_read", &[("grantee", &grantee)]));
    context.confirm(&say("consent.confirm_withdraw", &[("id", &own.short())]))?;
    if own.state != State::Withdrawn {
        let chain = follower.trust().chain;
        consent::withdraw(&wallet, &chain, &mut own)?;
        carry(&wallet, &mut follower, &mut own)?;
    }
    let found = standing(&mut follower, &own.id)?;
    tell(shown(&own, found.consent.as_ref(), false), context)
}

fn shown(own: &OwnConsent, proved: Option<&Consent>, with_ticket: bool) -> Shown {
    Shown {
        id: own.id.to_string(),
        state: own.state,
        grantee: own.grantee.to_string(),
        grantee_names: own.grantee_names.clone(),
        purpose: own.purpose.to_string(),
        source: own.source.to_string(),
        source_names: own.source_names.clone(),
        scope: scope_shown(&own.scope),
        reads: own.reads,
        left: proved.map(|consent| consent.left),
        not_after_ms: own.not_after.0,
        withdrawn_ms: proved.and_then(|consent| consent.withdrawn).map(|time| time.0),
        withdrawing: false,
        refused: own.refused.clone(),
        case: own.case.as_ref().map(|(case, _)| case.to_string()),
        // What nothing can be read under is handed to nobody.
        ticket: (with_ticket && matches!(own.state, State::Begun | State::Given)).then(|| own.ticket.to_string()),
        file: None,
    }
}

fn state(state: State) -> String {
    match state {
        State::Begun => say("consent.begun", &[]),
        State::Given => say("consent.given", &[]),
        State::Refused => say("consent.state_refused", &[]),
        State::Withdrawn => say("consent.withdrawn", &[]),
    }
}

fn tell(shown: Shown, context: &Context) -> Result<ExitCode, Failure> {
    let now = clock::now().0;
    context.output.data(&shown, || {
        let (grantee, source) = (clean(name(&shown.grantee_names)), clean(name(&shown.source_names)));
        let (scope, until) = (scope_text(&shown.scope), moment(shown.not_after_ms, now));
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("grantee", &grantee),
            ("source", &source),
            ("scope", &scope),
            ("purpose", &shown.purpose),
            ("reads", &shown.reads),
            ("until", &until),
        ];
        let mut lines = vec![format!("{}  {}", &shown.id[..8], state(shown.state)), say("consent.may_read", args)];
        let is_over = shown.state == State::Withdrawn;
        lines.extend(shown.left.filter(|_| !is_over).map(|left| say("consent.left", &[("left", &left)])));
        if shown.withdrawing {
            lines.push(say("consent.withdrawing", &[]));
        }
        if is_over {
            lines.push(say("consent.stays_read", &[("grantee", &grantee)]));
        }
        match (&shown.file, &shown.ticket) {
            (Some(file), _) => lines.push(say("consent.written", &[("path", file), ("grantee", &grantee)])),
            (None, Some(ticket)) => lines.push(say("consent.hand_over", &[("ticket", ticket), ("grantee", &grantee)])),
            (None, None) => {}
        }
        lines.join("\n")
    })?;
    Ok(ExitCode::Ok)
}
