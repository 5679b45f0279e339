//! `kanhe case list`, `case show`: cases in words, all of it proved.

use std::collections::BTreeMap;

use clap::Args;
use kanhe_proto::case::{Case, StepState};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::item::PartName;
use kanhe_proto::registry::Names;
use schemars::JsonSchema;
use serde::Serialize;

use super::case::{Desk, desk};
use super::case_assist::pickup_lines;
use super::case_open::{bureau_names, code, invited};
use super::{Context, name, show};
use crate::case::{
    self, ClerkShown, EventShown, NextShown, OwnCase, Sentence, Sources, Timeline, events, parcels, read_letters, tidy,
};
use crate::clock;
use crate::talk::{ExitCode, Failure, Lang, Table, moment, say, shape};

/// Options of `case show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The case, as `kanhe case list` names it, or the whole id of any case
    #[arg(required_unless_present = "code")]
    case: Option<String>,
    /// Shows what an invitation asks of you, before you join; `-` reads the code from stdin
    #[arg(long, value_name = "CODE", conflicts_with = "case")]
    code: Option<String>,
}

/// A case in the list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Line {
    /// Its id, in hexadecimal.
    id: String,
    /// The item and its version.
    item: String,
    /// Its name; null if it is not on the chain.
    #[schemars(with = "Option<shape::Names>")]
    names: Option<Names>,
    /// As which party.
    party: String,
    /// `open`, `closed`, `rejected`, `withdrawn` or `expired`; `unsent`; `refused`; `gone`: not on the chain any more.
    status: &'static str,
    /// Code by which the chain refused what was tried last.
    refused: Option<String>,
    /// When it was begun here, in milliseconds since 1970.
    begun_ms: u64,
    /// Steps that are approved.
    approved: usize,
    /// All steps.
    steps: usize,
    /// What is next.
    next: Vec<NextShown>,
}

/// What an invitation asks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Invitation {
    /// The case.
    case: String,
    /// The item and its version.
    item: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    names: Names,
    /// As which party one joins.
    party: String,
    /// What each bureau would see.
    bureaus: Vec<WouldSee>,
}

/// What a bureau would see of who joins.
#[derive(Debug, Serialize, JsonSchema)]
struct WouldSee {
    /// The bureau.
    bureau: String,
    /// Its name.
    name: String,
    /// Licences that are asked for.
    asks: Vec<WouldShow>,
    /// Fields.
    fields: Vec<String>,
    /// Attachments.
    attachments: Vec<String>,
}

/// A licence that is asked for.
#[derive(Debug, Serialize, JsonSchema)]
struct WouldShow {
    /// The item's ask.
    ask: String,
    /// Any of these types.
    types: Vec<String>,
    /// Claims; no others are shown.
    claims: Vec<String>,
    /// Why.
    why: Sentence,
    /// Whether the case may go without it.
    optional: bool,
}

/// Lists the cases of the wallet.
pub fn list(context: &Context) -> Result<ExitCode, Failure> {
    let mut desk = desk(context)?;
    let mut lines = Vec::new();
    for own in desk.shelf().all()? {
        lines.push(line(&mut desk, own)?);
    }
    context.output.data(&lines, || {
        if lines.is_empty() {
            return say("case.none", &[]);
        }
        let columns = [
            say("case.column_id", &[]),
            say("case.column_item", &[]),
            say("case.column_party", &[]),
            say("case.column_status", &[]),
            say("case.column_next", &[]),
        ];
        let mut table = Table::new(&columns);
        for line in &lines {
            let item = line.names.as_ref().map_or_else(|| line.item.clone(), |names| show::clean(name(names)));
            let progress = format!("{} {}/{}", status(line.status), line.approved, line.steps);
            let yours = line.next.iter().find(|next| next.yours);
            let next = yours.or_else(|| line.next.iter().find(|next| next.overdue)).or(line.next.first());
            let next = next.map_or_else(String::new, |next| in_words(next, &BTreeMap::new(), clock::now().0));
            table.row(&[line.id[..8].to_owned(), item, line.party.clone(), progress, next]);
        }
        table.to_string()
    })?;
    Ok(ExitCode::Ok)
}

fn line(desk: &mut Desk, mut own: OwnCase) -> Result<Line, Failure> {
    let mut line = Line {
        id: own.id.to_string(),
        item: format!("{}:{}", own.item, own.version),
        names: None,
        party: own.party.to_string(),
        status: "unsent",
        refused: own.refused.clone(),
        begun_ms: own.made_ms,
        approved: 0,
        steps: 0,
        next: Vec::new(),
    };
    let proved = case::read(&mut desk.follower, &mut desk.items, &own.id)?;
    let Some(proved) = proved else {
        line.status = match (&own.pending, own.disclosed.is_empty()) {
            (Some(_), _) if own.refused.is_none() => "unsent",
            (Some(_), _) | (None, true) => "refused",
            (None, false) => "gone",
        };
        return Ok(line);
    };
    end(desk, &mut own, &proved.case)?;
    let stands = &proved.case;
    line.approved = stands.steps.iter().filter(|step| step.state == StepState::Approved).count();
    line.steps = stands.steps.len();
    line.names = Some(proved.item.item.names.clone());
    line.status = case::status(stands.status);
    let names = BTreeMap::new();
    let uncollected = uncollected(desk, &own)?;
    let sources = Sources { known: &proved.item, own: Some(&own), bureaus: &names, uncollected };
    line.next = sources.next(stands, proved.time);
    Ok(line)
}

/// A case that is over needs no copies of files any more.
fn end(desk: &Desk, own: &mut OwnCase, case: &Case) -> Result<(), Failure> {
    match case.forget {
        Some(_) => tidy(&desk.wallet, own),
        None => Ok(()),
    }
}

fn uncollected(desk: &Desk, own: &OwnCase) -> Result<bool, Failure> {
    let open = desk.wallet.uncollected(false)?;
    Ok(open.iter().any(|record| own.applications.values().any(|id| *id == record.id)))
}

/// Shows a case, or what an invitation asks.
pub fn show(options: &Show, context: &Context) -> Result<ExitCode, Failure> {
    if let Some(text) = &options.code {
        return invitation(text, context);
    }
    let given = options.case.as_deref().unwrap_or_default();
    let mut desk = desk(context)?;
    let (id, mut own) = match (desk.shelf().find(given), given.parse::<CaseId>()) {
        (Ok(own), _) => (own.id, Some(own)),
        (Err(_), Ok(id)) => (id, None),
        (Err(failure), Err(_)) => return Err(failure),
    };
    let found = events(&mut desk.follower, &id)?;
    let Some(found) = found else { return Err(absent(own.as_ref())) };
    let known = desk.items.get(&mut desk.follower, &found.case.item, found.case.version)?;
    let bureaus = names(&mut desk, &found.case);
    let mut open = false;
    if let Some(own) = &mut own {
        end(&desk, own, &found.case)?;
        read_letters(&desk.wallet, &desk.follower, &known, &found, own)?;
        open = uncollected(&desk, own)?;
    }
    let sources = Sources { known: &known, own: own.as_ref(), bureaus: &bureaus, uncollected: open };
    let timeline = sources.timeline(&found);
    context.output.data(&timeline, || text(&timeline, &bureaus))?;
    Ok(ExitCode::Ok)
}

/// Why the chain has no such case.
fn absent(own: Option<&OwnCase>) -> Failure {
    match own {
        Some(own) if own.pending.is_some() && own.refused.is_none() => {
            Failure::of(ExitCode::Undecided, "case_unfinished", &[("id", &own.short())])
        }
        Some(OwnCase { refused: Some(code), .. }) => Failure::reported(ExitCode::Refused, code, ""),
        _ => Failure::of(ExitCode::Refused, "case_gone", &[]),
    }
}

fn names(desk: &mut Desk, case: &Case) -> BTreeMap<Uscc, Names> {
    let mut found = BTreeMap::new();
    for uscc in &case.chosen {
        if let Some(names) = bureau_names(&mut desk.follower, *uscc) {
            found.insert(*uscc, names);
        }
    }
    found
}

fn status(status: &str) -> String {
    match status {
        "open" => say("case.open", &[]),
        "closed" => say("case.closed", &[]),
        "rejected" => say("case.rejected", &[]),
        "withdrawn" => say("case.withdrawn", &[]),
        "expired" => say("case.expired", &[]),
        "refused" => say("case.not_taken", &[]),
        "gone" => say("case.gone", &[]),
        _ => say("case.unsent", &[]),
    }
}

fn sentence(said: &Sentence) -> String {
    show::clean(if Lang::current() == Lang::Zh { &said.zh } else { &said.en })
}

/// A bureau by its name, if it is known.
fn bureau(uscc: Option<&String>, bureaus: &BTreeMap<Uscc, Names>) -> String {
    let Some(uscc) = uscc else { return String::new() };
    let known = uscc.parse::<Uscc>().ok().and_then(|uscc| bureaus.get(&uscc));
    known.map_or_else(|| uscc.clone(), |names| show::clean(name(names)))
}

fn in_words(next: &NextShown, bureaus: &BTreeMap<Uscc, Names>, now: u64) -> String {
    let by = next.by_ms.map_or_else(|| "-".to_owned(), |by| moment(by, now));
    let empty = String::new();
    let party = next.party.as_ref().unwrap_or(&empty);
    let step = next.step.as_ref().unwrap_or(&empty);
    let bureau = bureau(next.bureau.as_ref(), bureaus);
    let args: &[(&str, &dyn std::fmt::Display)] = &[("party", party), ("step", step), ("bureau", &bureau), ("by", &by)];
    let text = match (next.what, next.yours) {
        ("present", true) => say("case.next_yours", &args[3..]),
        ("present", false) => say("case.next_present", &[args[0], args[3]]),
        ("join", _) => say("case.next_join", &[args[0], args[3]]),
        ("decide", _) => say("case.next_decide", &args[1..]),
        ("issue", _) => say("case.next_issue", &args[1..3]),
        ("collect", _) => say("case.next_collect", &[]),
        _ => say("case.next_rate", &args[3..]),
    };
    if next.overdue { text + &say("case.overdue", &[]) } else { text }
}

fn happened(event: &EventShown, shown: &Timeline, bureaus: &BTreeMap<Uscc, Names>) -> String {
    let party = event.party.as_ref().map_or_else(String::new, |code| {
        let known = shown.parties.iter().find(|party| party.party == *code);
        known.map_or_else(|| code.clone(), |party| show::clean(name(&party.names)))
    });
    let step = event.step.as_ref().map_or_else(String::new, |code| {
        let known = shown.steps.iter().find(|step| step.step == *code);
        known.map_or_else(|| code.clone(), |step| show::clean(name(&step.names)))
    });
    let how = match event.by_rules {
        Some(true) => say("case.by_rules", &[]),
        Some(false) => say("case.by_officer", &[]),
        None => String::new(),
    };
    let bureau = bureau(event.bureau.as_ref(), bureaus);
    let args: &[(&str, &dyn std::fmt::Display)] =
        &[("party", &party), ("bureau", &bureau), ("step", &step), ("how", &how)];
    let text = match event.what {
        "opened" => say("case.event_opened", &args[..1]),
        "presented" => say("case.event_presented", &args[..1]),
        "approved" => say("case.event_approved", &args[1..]),
        "rejected" => say("case.event_rejected", &args[1..]),
        "returned" => say("case.event_returned", &args[1..]),
        "issued" => say("case.event_issued", &args[1..3]),
        "withdrawn" => say("case.event_withdrawn", &args[..1]),
        "rated" => say("case.event_rated", &args[..1]),
        _ => say("case.event_expired", &[]),
    };
    let text = text + &event.clerk.as_ref().map(by_clerk).unwrap_or_default();
    match (&event.say, &event.reason) {
        (Some(said), _) => format!("{text}: {}", sentence(said)),
        (None, Some(reason)) => format!("{text}: {}", show::clean(reason)),
        (None, None) => text,
    }
}

/// Who acts for somebody.
pub(super) fn by_clerk(clerk: &ClerkShown) -> String {
    let (number, ground) = (show::clean(&clerk.number), show::clean(&clerk.ground));
    say("case.by_clerk", &[("clerk", &number), ("bureau", &clerk.bureau), ("ground", &ground)])
}

/// The bureau's own words below what it did.
fn letter(event: &EventShown) -> Vec<String> {
    match (&event.words, event.letter_awaited) {
        (Some(words), _) => words.lines().map(|line| format!("      │ {}", show::clean(line))).collect(),
        (None, true) => vec![format!("      │ {}", say("case.letter_awaited", &[]))],
        (None, false) => Vec::new(),
    }
}

fn text(shown: &Timeline, bureaus: &BTreeMap<Uscc, Names>) -> String {
    let now = clock::now().0;
    let title = show::clean(name(&shown.names));
    let mut lines = vec![format!("{title} ({}) {}", shown.item, &shown.id[..8])];
    let as_of = moment(shown.as_of_ms, now);
    lines.push(say("case.stands", &[("status", &status(shown.status)), ("height", &shown.height), ("as_of", &as_of)]));
    if shown.status == "open" {
        lines.push(say("case.ends", &[("ends", &moment(shown.ends_ms, now))]));
    }
    lines.push(say("case.heading_events", &[]));
    for event in &shown.events {
        lines.push(format!("  {}  {}", moment(event.time_ms, now), happened(event, shown, bureaus)));
        lines.extend(letter(event));
    }
    lines.push(say("case.heading_steps", &[]));
    for step in &shown.steps {
        lines.push(step_line(step, now));
    }
    if !shown.next.is_empty() {
        lines.push(say("case.heading_next", &[]));
        lines.extend(shown.next.iter().map(|next| format!("  → {}", in_words(next, bureaus, now))));
    }
    if !shown.disclosed.is_empty() {
        lines.push(say("case.heading_disclosed", &[]));
    }
    for told in &shown.disclosed {
        let (to, at) = (show::clean(name(&told.names)), moment(told.time_ms, now));
        lines.push(say("case.disclosed", &[("bureau", &to), ("time", &at), ("round", &told.round)]));
        for licence in &told.licences {
            let claims = show::clean(&licence.claims.join(", "));
            lines.push(format!("    {} {}: {claims}", licence.vct, &licence.licence[..8]));
        }
        let others: Vec<&str> = told.fields.iter().chain(&told.attachments).map(String::as_str).collect();
        if !others.is_empty() {
            lines.push(format!("    {}", others.join(", ")));
        }
    }
    lines.extend(pickup_lines(&shown.pickups));
    for open in &shown.invitations {
        lines.push(say("case.invitation", &[("party", &open.party), ("code", &open.code)]));
    }
    if let Some(stars) = shown.stars {
        lines.push(say("case.stars", &[("stars", &"★".repeat(usize::from(stars)))]));
    }
    lines.join("\n")
}

fn step_line(step: &case::StepShown, now: u64) -> String {
    let mark = match step.state {
        "approved" => "✓",
        "rejected" => "✗",
        "ready" => "…",
        _ => "·",
    };
    let (named, by) = (show::clean(name(&step.names)), show::clean(name(&step.bureau_names)));
    let since = moment(step.since_ms, now);
    let args: &[(&str, &dyn std::fmt::Display)] = &[("step", &named), ("bureau", &by), ("since", &since)];
    let text = match (step.state, step.issued) {
        ("approved", Some(false)) => say("case.step_to_issue", args),
        ("approved", _) => say("case.step_approved", args),
        ("rejected", _) => say("case.step_rejected", args),
        ("ready", _) => say("case.step_ready", args),
        _ => say("case.step_waiting", args),
    };
    let late = if step.overdue { say("case.overdue", &[]) } else { String::new() };
    format!("  {mark} {text}{late}")
}

fn invitation(given: &str, context: &Context) -> Result<ExitCode, Failure> {
    let code = code(given)?;
    let mut desk = desk(context)?;
    let (proved, party) = invited(&code, &mut desk)?;
    let known = std::sync::Arc::clone(&proved.item);
    let bureaus = names(&mut desk, &proved.case);
    let asked = Invitation {
        case: code.case.to_string(),
        item: format!("{}:{}", proved.case.item, proved.case.version),
        names: known.item.names.clone(),
        party: party.to_string(),
        bureaus: would_see(&known, &party, &proved.case, &bureaus)?,
    };
    context.output.data(&asked, || {
        let title = show::clean(name(&asked.names));
        let mut lines = vec![say("case.invited", &[("item", &title), ("party", &asked.party)])];
        for one in &asked.bureaus {
            lines.push(say("case.will_see", &[("bureau", &one.name), ("uscc", &one.bureau)]));
            for ask in &one.asks {
                let optional = if ask.optional { say("item.optional", &[]) } else { String::new() };
                lines.push(format!(
                    "    {}: {} — {}{optional}",
                    ask.types.join(" / "),
                    show::clean(&ask.claims.join(", ")),
                    sentence(&ask.why)
                ));
            }
            let others: Vec<&str> = one.fields.iter().chain(&one.attachments).map(String::as_str).collect();
            if !others.is_empty() {
                lines.push(format!("    {}", show::clean(&others.join(", "))));
            }
        }
        lines.push(say("case.how_to_join", &[]));
        lines.join("\n")
    })?;
    Ok(ExitCode::Ok)
}

fn would_see(
    known: &case::KnownItem,
    party: &PartName,
    case: &Case,
    bureaus: &BTreeMap<Uscc, Names>,
) -> Result<Vec<WouldSee>, Failure> {
    let parcels = parcels(known, party, &case.chosen)?;
    let seen = parcels.into_iter().map(|parcel| WouldSee {
        bureau: parcel.bureau.to_string(),
        name: bureau(Some(&parcel.bureau.to_string()), bureaus),
        asks: parcel
            .asks
            .iter()
            .map(|ask| WouldShow {
                ask: ask.code.to_string(),
                types: ask.types.iter().map(ToString::to_string).collect(),
                claims: ask.claims.iter().map(ToString::to_string).collect(),
                why: Sentence { zh: ask.why.zh.to_string(), en: ask.why.en.to_string() },
                optional: ask.optional,
            })
            .collect(),
        fields: parcel.fields.iter().map(|field| name(&field.names).to_owned()).collect(),
        attachments: parcel.papers.iter().map(|paper| name(&paper.names).to_owned()).collect(),
    });
    Ok(seen.collect())
}
