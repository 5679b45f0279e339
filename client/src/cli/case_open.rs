//! `kanhe case open`, `confirm`, `correct`: what is given to whom, shown in plain words before it leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use kanhe_proto::bounded::List;
use kanhe_proto::case::SlotKey;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::item::{Ask, Basis, Field, Item, PartName, SharedRead, Words};
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::ITEM_ROLES_MAX;
use kanhe_proto::registry::{Bureau, Names};

use super::case::{Desk, check_idle, desk, told};
use super::case_assist::{Assisting, clerk_line, read_lines};
use super::{Context, case_batch, item, name, qr, show};
use crate::case::{
    self, InvitationCode, InvitationShown, Invited, Kind, KnownItem, Maker, OwnCase, Paper, PickupShown, Seen,
    field_value, item_reads, paper_name,
};
use crate::clock;
use crate::follow::Follower;
use crate::home;
use crate::issuer::Office;
use crate::item::{Fit, Owned, fit};
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, Lang, answer, say};
use crate::wallet::{LicenceRecord, Seed, Wallet};

/// Longest code that is read from stdin.
const CODE_BYTES_MAX: usize = 1 << 10;

/// `NAME=VALUE`, or the name alone.
#[derive(Debug, Clone)]
pub struct Named {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

pub(super) fn named(text: &str) -> Result<Named, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Named { name: name.to_owned(), value: Some(value.to_owned()) }),
        Some(_) => Err("NAME=VALUE".to_owned()),
        None => Ok(Named { name: text.to_owned(), value: None }),
    }
}

/// What is given.
#[derive(Debug, Clone, Default, Args)]
pub struct Giving {
    /// Fills a field in; `kanhe item show` has their codes. What is needed and not named is asked for
    #[arg(long, value_name = "CODE=VALUE", value_parser = named)]
    pub(super) field: Vec<Named>,
    /// Hands a file in
    #[arg(long, value_name = "CODE=FILE", value_parser = named)]
    pub(super) attach: Vec<Named>,
    /// Shows this licence, by its name in `kanhe wallet list`. Needed only where several fit; an optional one is shown only if
    /// it is named, ASK alone meaning the one that fits
    #[arg(long, value_name = "ASK[=LICENCE]", value_parser = named)]
    pub(super) licence: Vec<Named>,
    /// Acts for this enterprise, by its account on the chain: with a key of the account, or as a delegate within its limits
    #[arg(long = "for", value_name = "USCC")]
    pub(super) acts_for: Option<Uscc>,
    /// Who acts for somebody without a wallet
    #[command(flatten)]
    pub(super) assisting: Assisting,
    /// Gives no consent for this read of the item; an officer decides then, unless the case may go without it
    #[arg(long, value_name = "READ")]
    pub(super) decline: Vec<String>,
    /// Nothing is asked for
    #[arg(skip)]
    pub(super) quiet: bool,
}

/// Options of `case open`.
#[derive(Debug, Args)]
pub struct Open {
    /// The item's code
    pub(super) item: String,
    /// Who plays a role that several bureaus may play
    #[arg(long, value_name = "ROLE=USCC", value_parser = named)]
    choose: Vec<Named>,
    /// Invites somebody who may take part, such as a co-owner; those who must are invited anyway
    #[arg(long, value_name = "PARTY")]
    invite: Vec<String>,
    /// What is given
    #[command(flatten)]
    pub(super) giving: Giving,
    /// Opens a case for each row of a sheet (.xlsx or .csv): headings are codes of fields, and of attachments with the paths of
    /// files. The same sheet again goes on where it stopped
    #[arg(long, value_name = "SHEET", requires = "out", conflicts_with = "qr")]
    from: Option<PathBuf>,
    /// With --from: writes cases and invitation codes, a row each (.xlsx or .csv)
    #[arg(long, value_name = "SHEET", requires = "from")]
    pub(super) out: Option<PathBuf>,
    /// Draws each invitation as a QR code in a folder
    #[arg(long, value_name = "DIR")]
    qr: Option<PathBuf>,
}

/// Options of `case confirm`.
#[derive(Debug, Args)]
pub struct Confirm {
    /// The code that you were given; `-` reads it from stdin
    code: String,
    /// What is given
    #[command(flatten)]
    giving: Giving,
}

/// Options of `case correct`.
#[derive(Debug, Args)]
pub struct Correct {
    /// The case, as `kanhe case list` names it
    case: String,
    /// What changes; a licence is named anew to show another
    #[command(flatten)]
    giving: Giving,
}

/// Opens a case.
pub fn open(options: &Open, context: &Context) -> Result<ExitCode, Failure> {
    if let Some(sheet) = &options.from {
        return case_batch::open(options, sheet, context);
    }
    let mut desk = desk(context)?;
    let known = newest_in_force(&options.item, &mut desk)?;
    let mut own = begin(&known, options, &mut desk, context)?;
    let office = options.giving.assisting.begin(&known, &mut own, &mut desk, context)?;
    give(&known, &mut own, &options.giving, &desk.wallet, context)?;
    let making = Making { known: &known, kind: Kind::Open, giving: &options.giving, office: office.as_ref() };
    make(&mut desk, &making, &mut own, context)?;
    let pictures = pictures(&own, options.qr.as_deref())?;
    let (disclosed, pickups) = (own.disclosed.clone(), pickups(&known, &own));
    told(&own, "opened", disclosed, (pictures, pickups), context)
}

/// The newest version of an item, of which cases can be opened.
pub(super) fn newest_in_force(code: &str, desk: &mut Desk) -> Result<KnownItem, Failure> {
    let (public, item, in_force) = item::newest(&mut desk.follower, code)?;
    match in_force {
        true => Ok(KnownItem { public, item }),
        false => Err(Failure::reported(ExitCode::Refused, "item_not_in_force", "")),
    }
}

/// A case that is begun: who plays each role, and who is invited. Nothing is given yet.
pub(super) fn begin(known: &KnownItem, options: &Open, desk: &mut Desk, context: &Context) -> Result<OwnCase, Failure> {
    let chain = desk.follower.trust().chain.chain_id;
    let (code, version) = (known.item.code.clone(), known.item.version);
    let mut own = OwnCase::begin(&chain, code, version, clock::now())?;
    let opener = known.item.party.iter().find(|party| party.opens);
    own.party = opener.map(|party| party.code.clone()).ok_or_else(|| unknown_part("", ""))?;
    own.chosen = chosen(known, &options.choose, &mut desk.follower, context)?;
    own.invitations = invitations(&known.item, &options.invite)?;
    Ok(own)
}

/// The invitation in a code, `-` for stdin.
pub(super) fn code(text: &str) -> Result<InvitationCode, Failure> {
    match text {
        "-" => InvitationCode::parse(&home::read_text("-".as_ref(), CODE_BYTES_MAX)?),
        text => InvitationCode::parse(text),
    }
}

/// The case of an invitation that can still be followed, with the party that it invites.
pub(super) fn invited(code: &InvitationCode, desk: &mut Desk) -> Result<(case::ProvedCase, PartName), Failure> {
    let proved = case::read(&mut desk.follower, &mut desk.items, &code.case)?;
    let proved = proved.ok_or_else(|| Failure::of(ExitCode::Refused, "case_gone", &[]))?;
    let slot = proved.case.slots.get(usize::from(code.slot));
    match slot.map(|slot| &slot.key) {
        Some(SlotKey::Invited(key)) if *key == kanhe_proto::key::Signer::public_key(&code.secret.key()) => {}
        Some(SlotKey::Known(_)) => return Err(Failure::of(ExitCode::Refused, "case_code_used", &[])),
        _ => return Err(Failure::of(ExitCode::Usage, "case_code_wrong", &[])),
    }
    let party = slot.and_then(|slot| proved.item.item.party.get(usize::from(slot.party)));
    let party = party.map(|party| party.code.clone()).ok_or_else(|| unknown_part("", ""))?;
    Ok((proved, party))
}

/// Joins a case.
pub fn confirm(options: &Confirm, context: &Context) -> Result<ExitCode, Failure> {
    let code = code(&options.code)?;
    let mut desk = desk(context)?;
    if let Some(own) = desk.shelf().get(&code.case)? {
        return Err(Failure::of(ExitCode::Usage, "case_here_already", &[("id", &own.short())]));
    }
    let (proved, party) = invited(&code, &mut desk)?;
    let known = proved.item;
    let chain = desk.follower.trust().chain.chain_id;
    let begun = OwnCase::begin(&chain, proved.case.item.clone(), proved.case.version, clock::now())?;
    let mut own = OwnCase {
        id: code.case,
        slot: code.slot,
        party,
        chosen: proved.case.chosen.clone(),
        joined_by: Some(code.secret.clone()),
        ..begun
    };
    let office = options.giving.assisting.begin(&known, &mut own, &mut desk, context)?;
    give(&known, &mut own, &options.giving, &desk.wallet, context)?;
    let round = proved.case.slots.get(usize::from(code.slot)).map_or(0, |slot| slot.round);
    let kind = Kind::Present { round, join: true };
    make(
        &mut desk,
        &Making { known: &known, kind, giving: &options.giving, office: office.as_ref() },
        &mut own,
        context,
    )?;
    let (disclosed, pickups) = (own.disclosed.clone(), pickups(&known, &own));
    told(&own, "presented", disclosed, (Vec::new(), pickups), context)
}

/// Presents anew.
pub fn correct(options: &Correct, context: &Context) -> Result<ExitCode, Failure> {
    let mut desk = desk(context)?;
    let mut own = desk.shelf().find(&options.case)?;
    check_idle(&own)?;
    let proved = case::read(&mut desk.follower, &mut desk.items, &own.id)?;
    let proved = proved.ok_or_else(|| Failure::of(ExitCode::Refused, "case_gone", &[]))?;
    let slot = proved.case.slots.get(usize::from(own.slot)).cloned();
    let slot = slot.ok_or_else(|| Failure::reported(ExitCode::Refused, "case_not_named", ""))?;
    if !proved.case.runs_at(proved.time) {
        return Err(Failure::reported(ExitCode::Refused, "case_over", ""));
    }
    if slot.presented.is_some() {
        return Err(Failure::reported(ExitCode::Refused, "case_presented", ""));
    }
    let known = proved.item;
    let office = options.giving.assisting.again(&known, &mut own, &mut desk, context)?;
    give(&known, &mut own, &options.giving, &desk.wallet, context)?;
    let before = own.disclosed.len();
    let kind = Kind::Present { round: slot.round, join: matches!(slot.key, SlotKey::Invited(_)) };
    make(
        &mut desk,
        &Making { known: &known, kind, giving: &options.giving, office: office.as_ref() },
        &mut own,
        context,
    )?;
    let disclosed = own.disclosed.get(before..).unwrap_or_default().to_vec();
    told(&own, "presented", disclosed, (Vec::new(), pickups(&known, &own)), context)
}

/// The codes with which somebody without a wallet gets what comes of the case.
fn pickups(known: &KnownItem, own: &OwnCase) -> Vec<PickupShown> {
    own.assisted.as_ref().map_or_else(Vec::new, |assisted| assisted.pickups(&known.item, &own.chosen))
}

/// An act that is to be made.
struct Making<'a> {
    known: &'a KnownItem,
    kind: Kind,
    giving: &'a Giving,
    /// The counter's bureau, where a clerk acts for somebody.
    office: Option<&'a Office>,
}

/// Shows what will be disclosed, asks, keeps it, and brings it to its end.
fn make(desk: &mut Desk, making: &Making<'_>, own: &mut OwnCase, context: &Context) -> Result<(), Failure> {
    let Making { known, kind, giving, office } = *making;
    check_names(&declined(&giving.decline), known.item.read.iter().map(|read| read.code.as_str()))?;
    let maker = Maker::new(&desk.wallet, known, own, &mut desk.follower)?;
    let seen = maker.seen(own)?;
    context.output.talk(announcement(known, own, &maker, &seen, &mut desk.follower)?);
    context.confirm(&say("case.confirm", &[]))?;
    drop(seen);
    consent(desk, known, own, &giving.decline, context)?;
    let maker = Maker::new(&desk.wallet, known, own, &mut desk.follower)?.at(office);
    maker.make(own, kind, clock::now())?;
    desk.carry(own, context)
}

fn declined(decline: &[String]) -> Vec<Named> {
    decline.iter().map(|read| Named { name: read.clone(), value: None }).collect()
}

/// Asks for each consent that the item's reads about this party need, by itself; what is given is kept and leaves with the
/// presentation. Who says no goes on without it.
fn consent(
    desk: &mut Desk,
    known: &KnownItem,
    own: &mut OwnCase,
    decline: &[String],
    context: &Context,
) -> Result<(), Failure> {
    own.consents.clear();
    // Who has no wallet shows no source who consents: an officer decides without what would be read.
    if own.assisted.is_some() {
        return Ok(());
    }
    let party = own.party.clone();
    for one in item_reads(known, &party, &own.chosen.clone()) {
        let declined = decline.iter().any(|read| one.read.code.as_str() == read);
        if !one.needs_consent() || declined {
            continue;
        }
        let claims: Vec<String> = one.claims().collect();
        let (by, from) = (names_of(&mut desk.follower, one.by), names_of(&mut desk.follower, one.from));
        let (claims, why, kind) = (show::clean(&claims.join(", ")), sentence(&one.read.why), &one.read.type_ref);
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("by", &by), ("from", &from), ("type", kind), ("claims", &claims), ("why", &why)];
        match context.confirm(&say("case.confirm_read", args)) {
            Ok(()) => {}
            Err(failure) if failure.code == "declined" => {
                context.output.talk(say("case.read_declined", &[("read", &one.read.code)]));
                continue;
            }
            Err(failure) => return Err(failure),
        }
        match one.consent(&desk.wallet, known, own, &mut desk.follower, clock::now()) {
            Ok(given) => drop(own.consents.insert(one.read.code.clone(), given.id)),
            // Nothing in this wallet shows the source who consents: it cannot be read then.
            Err(failure) if failure.code == "consent_no_licence" => {
                context.output.talk(failure.message);
                context.output.talk(say("case.read_declined", &[("read", &one.read.code)]));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

pub(super) fn sentence(words: &Words) -> String {
    show::clean(if Lang::current() == Lang::Zh { &words.zh } else { &words.en })
}

/// Which bureau will see what, and why; nothing else leaves.
pub(super) fn announcement(
    known: &KnownItem,
    own: &OwnCase,
    maker: &Maker<'_>,
    seen: &[Seen<'_>],
    follower: &mut Follower,
) -> Result<String, Failure> {
    let item = &known.item;
    let title = show::clean(name(&item.names));
    let mut lines = vec![say("case.about", &[("item", &title), ("about", &sentence(&item.about))])];
    if let Some(acting) = &maker.acting {
        let word = if acting.is_owner() { "case.acts_as_owner" } else { "case.acts_as_delegate" };
        lines.push(say(word, &[("uscc", &acting.uscc())]));
    }
    lines.extend(clerk_line(own));
    for one in seen {
        let to = maker.recipients.get(&one.parcel.bureau).map_or("", |recipient| name(&recipient.names));
        lines.push(say("case.will_see", &[("bureau", &show::clean(to)), ("uscc", &one.parcel.bureau)]));
        for choice in &one.choices {
            let ask = one.parcel.asks.iter().find(|ask| ask.code.as_str() == choice.query);
            let why = ask.map(|ask| sentence(&ask.why)).unwrap_or_default();
            let vct = &choice.holding.fixed().vct;
            let args: &[(&str, &dyn std::fmt::Display)] =
                &[("type", &vct.code), ("id", &choice.record.short()), ("why", &why)];
            lines.push(say("case.will_see_licence", args));
            for shown in choice.shown()? {
                lines.push(format!("      {}: {}", show::clean(&shown.path), show::clean(&shown.value)));
            }
        }
        lines.extend(read_lines(own, one, follower));
        for field in &one.parcel.fields {
            if let Some(value) = own.given.fields.get(&field.code) {
                lines.push(format!("    {}: {}", show::clean(name(&field.names)), show::clean(value)));
            }
        }
        for paper in &one.parcel.papers {
            if let Some(kept) = own.given.papers.get(&paper.code) {
                let named = show::clean(name(&paper.names));
                lines.push(say("case.will_see_paper", &[("paper", &named), ("bytes", &kept.bytes)]));
            }
        }
        let word = if own.assisted.is_some() { "case.will_promise" } else { "case.will_apply" };
        for given in &one.parcel.yields {
            lines.push(say(word, &[("type", &given.type_ref)]));
        }
    }
    let role = |code: &PartName| {
        let known = item.bureau.iter().find(|role| role.code == *code);
        known.map_or_else(|| code.to_string(), |role| show::clean(name(&role.names)))
    };
    // Who has no wallet gives no consent: what needs one is not read.
    let is_read = |read: &&SharedRead| read.of == own.party && (own.assisted.is_none() || read.basis == Basis::Statute);
    for read in item.read.iter().filter(is_read) {
        let claims: Vec<&str> = read.claims.iter().map(|claim| claim.as_str()).collect();
        let (claims, why) = (show::clean(&claims.join(", ")), sentence(&read.why));
        let (by, from, kind) = (role(&read.by), role(&read.from), &read.type_ref);
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("by", &by), ("from", &from), ("type", kind), ("claims", &claims), ("why", &why)];
        lines.push(match read.basis {
            Basis::Consent => say("item.read_consent", args),
            Basis::Statute => say("item.read_statute", args),
        });
    }
    lines.push(say("case.nothing_else", &[]));
    Ok(lines.join("\n"))
}

/// Who plays each role: the one who may, the one that is named, or the one that is asked for.
fn chosen(
    known: &KnownItem,
    wanted: &[Named],
    follower: &mut Follower,
    context: &Context,
) -> Result<List<Uscc, ITEM_ROLES_MAX>, Failure> {
    let roles = &known.public.bureaus;
    let list = |codes: Vec<&str>| codes.join(", ");
    for named in wanted {
        if !roles.iter().any(|role| role.code.as_str() == named.name) {
            let known = list(roles.iter().map(|role| role.code.as_str()).collect());
            return Err(unknown_part(&named.name, &known));
        }
    }
    let mut all = Vec::new();
    for role in roles {
        let named = wanted.iter().rev().find(|named| named.name == role.code.as_str());
        let named = named.and_then(|named| named.value.as_deref()).map(str::to_owned);
        let bound: Vec<Uscc> = role.bound.to_vec();
        let answered = match (&named, bound.as_slice()) {
            (Some(_), _) => named,
            (None, [only]) => Some(only.to_string()),
            (None, _) => {
                let mut options = Vec::new();
                for uscc in &bound {
                    options.push((uscc.to_string(), names_of(follower, *uscc)));
                }
                pick(context, &say("case.which_bureau", &[("role", &role.code)]), &options)
            }
        };
        let uscc = bound.iter().find(|uscc| Some(uscc.to_string()) == answered);
        all.push(*uscc.ok_or_else(|| {
            let known: Vec<String> = bound.iter().map(ToString::to_string).collect();
            let args: &[(&str, &dyn std::fmt::Display)] = &[("role", &role.code), ("known", &known.join(", "))];
            Failure::of(ExitCode::Usage, "case_choose", args)
        })?);
    }
    List::new(all).map_err(|error| Failure::reported(ExitCode::Usage, "case_shape", error))
}

/// A bureau's name for people; its code where no node tells.
pub(super) fn names_of(follower: &mut Follower, uscc: Uscc) -> String {
    bureau_names(follower, uscc).map_or_else(|| uscc.to_string(), |names| show::clean(name(&names)))
}

/// A bureau's name, proved.
pub(super) fn bureau_names(follower: &mut Follower, uscc: Uscc) -> Option<Names> {
    let fetch = |node: &NodeClient| node.bureau(&uscc);
    Some(follower.registry::<Bureau>(&uscc, fetch).ok()?.value?.names)
}

/// What a person picks from a list, by its number; none where nobody can answer.
fn pick(context: &Context, question: &str, options: &[(String, String)]) -> Option<String> {
    let lines = options.iter().enumerate().map(|(at, (value, words))| format!("  {}. {words} ({value})", at + 1));
    let question = format!("{question}\n{}\n>", lines.collect::<Vec<_>>().join("\n"));
    let number: usize = answer(&context.output, &question)?.parse().ok()?;
    options.get(number.checked_sub(1)?).map(|(value, _)| value.clone())
}

fn unknown_part(named: &str, known: &str) -> Failure {
    Failure::of(ExitCode::Usage, "case_part_unknown", &[("name", &named), ("known", &known)])
}

/// One place for each party that must take part, and for each that is named.
fn invitations(item: &Item, named: &[String]) -> Result<Vec<Invited>, Failure> {
    let others: Vec<_> = item.party.iter().filter(|party| !party.opens).collect();
    if let Some(unknown) = named.iter().find(|named| !others.iter().any(|party| party.code.as_str() == **named)) {
        let known: Vec<&str> = others.iter().map(|party| party.code.as_str()).collect();
        return Err(unknown_part(unknown, &known.join(", ")));
    }
    let mut all = Vec::new();
    for party in others {
        let count = named.iter().filter(|named| *named == party.code.as_str()).count();
        // The applicant is one; whoever else must take part may be several.
        let count = if party.applicant { 1 } else { count.max(usize::from(!party.optional)) };
        for _ in 0..count {
            let slot =
                u8::try_from(all.len() + 1).map_err(|error| Failure::reported(ExitCode::Usage, "case_shape", error))?;
            all.push(Invited { party: party.code.clone(), slot, secret: Seed::random()? });
        }
    }
    Ok(all)
}

fn pictures(own: &OwnCase, folder: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let mut written = Vec::new();
    for invited in &own.invitations {
        let path = folder.join(format!("{}-{}-{}.png", own.short(), invited.slot, invited.party));
        let picture = qr::png(InvitationShown::of(own, invited).code.as_bytes())?;
        home::write_new_private(&path, &picture)?;
        written.push(path);
    }
    Ok(written)
}

/// Puts together what is given: what was given before, what is named now, and what is asked for.
pub(super) fn give(
    known: &KnownItem,
    own: &mut OwnCase,
    giving: &Giving,
    wallet: &Wallet,
    context: &Context,
) -> Result<(), Failure> {
    let item = &known.item;
    own.acts_for = giving.acts_for.or(own.acts_for);
    let party = own.party.clone();
    let fields: Vec<&Field> = item.field.iter().filter(|field| field.of == party).collect();
    let papers: Vec<_> = item.attachment.iter().filter(|paper| paper.of == party).collect();
    let asks: Vec<&Ask> = item.ask.iter().filter(|ask| ask.of == party).collect();
    check_names(&giving.field, fields.iter().map(|field| field.code.as_str()))?;
    check_names(&giving.attach, papers.iter().map(|paper| paper.code.as_str()))?;
    check_names(&giving.licence, asks.iter().map(|ask| ask.code.as_str()))?;
    let last = |given: &[Named], code: &str| given.iter().rev().find(|named| named.name == code).cloned();
    let owned = Owned::all(wallet, clock::now())?;
    for ask in asks.into_iter().filter(|_| own.assisted.is_none()) {
        let named = last(&giving.licence, &ask.code);
        if named.is_none() && own.given.licences.contains_key(&ask.code) {
            continue;
        }
        match licence(ask, named.as_ref(), &owned, wallet, context)? {
            Some(application) => own.given.licences.insert(ask.code.clone(), application),
            None => own.given.licences.remove(&ask.code),
        };
    }
    for field in fields {
        let named = last(&giving.field, &field.code).and_then(|named| named.value);
        let kept = own.given.fields.contains_key(&field.code);
        let value = match named {
            None if kept || field.optional => None,
            None if giving.quiet => None,
            None => ask_field(field, context),
            named => named,
        };
        match value {
            Some(value) => drop(own.given.fields.insert(field.code.clone(), field_value(field, &value)?)),
            None if kept || field.optional => {}
            None => return Err(Failure::of(ExitCode::Usage, "case_field_missing", &[("field", &field.code)])),
        }
    }
    for paper in papers {
        match last(&giving.attach, &paper.code).and_then(|named| named.value) {
            Some(file) => {
                let path = PathBuf::from(file);
                // Said before it is read: whoever names a film is not to wait for it.
                if std::fs::metadata(&path).is_ok_and(|file| file.len() > u64::from(paper.bytes_max)) {
                    let args: &[(&str, &dyn std::fmt::Display)] = &[("paper", &paper.code), ("most", &paper.bytes_max)];
                    return Err(Failure::of(ExitCode::Usage, "case_paper_too_long", args));
                }
                let content = home::read_given(&path, paper.bytes_max as usize)?;
                let kept = Paper { name: paper_name(&paper.code, &path), bytes: content.len() };
                own.named.insert(paper.code.clone(), content);
                own.given.papers.insert(paper.code.clone(), kept);
            }
            None if paper.optional || own.given.papers.contains_key(&paper.code) => {}
            None => return Err(Failure::of(ExitCode::Usage, "case_paper_missing", &[("paper", &paper.code)])),
        }
    }
    Ok(())
}

pub(super) fn check_names<'a>(given: &[Named], known: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let known: Vec<&str> = known.collect();
    match given.iter().find(|named| !known.contains(&named.name.as_str())) {
        Some(unknown) => Err(unknown_part(&unknown.name, &known.join(", "))),
        None => Ok(()),
    }
}

fn ask_field(field: &Field, context: &Context) -> Option<String> {
    let choices: Vec<&str> = field.choices.iter().map(|choice| choice.as_str()).collect();
    let choices = if choices.is_empty() { String::new() } else { format!(" [{}]", choices.join(" | ")) };
    answer(&context.output, &format!("{}{choices}:", show::clean(name(&field.names))))
}

/// The application whose licence meets an ask: the only one, the one that is named, or the one that is picked.
fn licence(
    ask: &Ask,
    named: Option<&Named>,
    owned: &[Owned],
    wallet: &Wallet,
    context: &Context,
) -> Result<Option<KeyId>, Failure> {
    if let Some(id) = named.and_then(|named| named.value.as_deref()) {
        let record = wallet.licence(id)?;
        let fits = matches!(fit(ask, owned), Fit::With(ids) if ids.contains(&record.short()));
        if !fits {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("id", &record.short()), ("ask", &ask.code)];
            return Err(Failure::of(ExitCode::Usage, "case_licence_unfit", args));
        }
        return application(wallet, &record).map(Some);
    }
    if ask.optional && named.is_none() {
        return Ok(None);
    }
    let Fit::With(ids) = fit(ask, owned) else {
        return Err(Failure::of(ExitCode::Failure, "case_licence_missing", &[("ask", &ask.code)]));
    };
    // Copies of one licence are one.
    let mut groups: BTreeMap<KeyId, LicenceRecord> = BTreeMap::new();
    for id in &ids {
        let record = wallet.licence(id)?;
        groups.entry(application(wallet, &record)?).or_insert(record);
    }
    if groups.len() == 1 {
        return Ok(groups.into_keys().next());
    }
    let options: Vec<(String, String)> = groups
        .values()
        .map(|record| {
            let type_name = record.holding().map(|holding| holding.fixed().vct.to_string()).unwrap_or_default();
            (record.short(), type_name)
        })
        .collect();
    let question = say("case.which_licence", &[("ask", &ask.code), ("why", &sentence(&ask.why))]);
    let picked = pick(context, &question, &options);
    let found = groups.iter().find(|(_, record)| Some(record.short()) == picked);
    let known: Vec<&str> = options.iter().map(|(id, _)| id.as_str()).collect();
    let args: &[(&str, &dyn std::fmt::Display)] = &[("ask", &ask.code), ("known", &known.join(", "))];
    found.map(|(id, _)| Some(*id)).ok_or_else(|| Failure::of(ExitCode::Usage, "case_licence_choose", args))
}

fn application(wallet: &Wallet, record: &LicenceRecord) -> Result<KeyId, Failure> {
    let key = wallet.key(&record.holding()?.fixed().holder)?;
    key.map(|key| key.application).ok_or_else(|| Failure::of(ExitCode::Failure, "not_our_key", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemSource;

    #[test]
    fn names_and_values_are_read() {
        let read = |text: &str| named(text).map(|named| (named.name, named.value));
        assert_eq!(read("unit=1=2"), Ok(("unit".to_owned(), Some("1=2".to_owned()))));
        assert_eq!(read("spouse"), Ok(("spouse".to_owned(), None)));
        assert!(read("=x").is_err());
    }

    #[test]
    fn who_must_take_part_is_invited_and_who_may_is_if_named() {
        let text = include_str!("../../../deploy/items/flat-registration.toml").to_owned();
        let item = ItemSource::of(text).unwrap().item;
        let told = |named: &[&str]| -> Vec<(u8, String)> {
            let named: Vec<String> = named.iter().map(ToString::to_string).collect();
            let all = invitations(&item, &named).unwrap();
            all.iter().map(|invited| (invited.slot, invited.party.to_string())).collect()
        };
        let buyer = (1, "buyer".to_owned());
        assert_eq!(told(&[]), std::slice::from_ref(&buyer));
        assert_eq!(told(&["spouse"]), [buyer.clone(), (2, "spouse".to_owned())]);
        assert_eq!(told(&["buyer"]), [buyer]);
        for wrong in ["developer", "nobody"] {
            assert_eq!(invitations(&item, &[wrong.to_owned()]).unwrap_err().code, "case_part_unknown");
        }
    }
}
