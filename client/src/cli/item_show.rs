//! `kanhe item show`: an item in plain words, beside what the wallet has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use kanhe_proto::item::{Ask, Item, Outcome, Party, TypeRef, Words};
use kanhe_proto::registry::{LicenceType, Names};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::show::clean;
use super::{Context, item, name, wallet};
use crate::clock;
use crate::follow::Follower;
use crate::item::{Fit, ItemSource, Owned, Paperwork, fit};
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, Lang, say, shape};

/// Options of `item show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Its code, or a file that is not registered yet
    item: String,
    /// As which party [default: the applicant]
    #[arg(long = "as", value_name = "PARTY")]
    party: Option<String>,
    /// Without looking into the wallet
    #[arg(long)]
    no_wallet: bool,
}

/// An item, as one party meets it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// Its code.
    code: String,
    /// Its version.
    version: u32,
    /// Whether cases can be opened; nothing for a file.
    in_force: Option<bool>,
    /// Its name.
    #[schemars(with = "shape::Names")]
    names: Names,
    /// What it is for.
    about: Said,
    /// Days after which a case that is not done expires.
    life_days: u32,
    /// As whom it is shown.
    party: String,
    /// All who take part.
    parties: Vec<PartyShown>,
    /// Licences that this party shows.
    asks: Vec<AskShown>,
    /// What it fills in.
    fields: Vec<Part>,
    /// What it hands in.
    attachments: Vec<Part>,
    /// What bureaus read of each other about it.
    reads: Vec<ReadShown>,
    /// Who decides what.
    steps: Vec<StepShown>,
    /// What it gets.
    yields: Vec<YieldShown>,
    /// Whether the wallet has all that must be shown; nothing without a wallet.
    ready: Option<bool>,
    /// Papers that all who must take part would hand in without wallets: each once for each bureau that sees it.
    papers: usize,
    /// Bureaus to which they would go, counted for each of them.
    visits: usize,
}

/// In both languages.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Said {
    zh: String,
    en: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PartyShown {
    code: String,
    #[schemars(with = "shape::Names")]
    names: Names,
    optional: bool,
    opens: bool,
}

/// A licence that is asked for.
#[derive(Debug, Serialize, JsonSchema)]
struct AskShown {
    code: String,
    /// Any of these types, with their names.
    types: BTreeMap<String, String>,
    /// Claims with their titles; nothing else is shown.
    claims: BTreeMap<String, String>,
    why: Said,
    /// Bureaus that see it.
    to: Vec<String>,
    optional: bool,
    /// `with`, `not_good`, `lacks`, `none`, or nothing without a wallet.
    wallet: Option<&'static str>,
    /// The licences that this is about.
    licences: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Part {
    code: String,
    #[schemars(with = "shape::Names")]
    names: Names,
    optional: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ReadShown {
    code: String,
    /// Who reads.
    by: String,
    /// Of whom.
    from: String,
    /// Its type's name.
    licence_type: String,
    claims: BTreeMap<String, String>,
    /// Whether this party is asked for consent; else it is read by statute.
    consent: bool,
    why: Said,
}

#[derive(Debug, Serialize, JsonSchema)]
struct StepShown {
    code: String,
    #[schemars(with = "shape::Names")]
    names: Names,
    by: String,
    needs: Vec<String>,
    /// Decided by rules, with no officer.
    auto: bool,
    limit_days: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct YieldShown {
    licence_type: String,
    after: String,
}

/// Shows an item.
pub fn run(options: &Show, context: &Context) -> Result<ExitCode, Failure> {
    let path = PathBuf::from(&options.item);
    let mut follower = None;
    let (item, in_force) = if path.is_file() {
        (from_file(&path)?, None)
    } else {
        let follower = follower.insert(context.follower()?);
        let (_, item, in_force) = item::newest(follower, &options.item)?;
        (item, Some(in_force))
    };
    // A file is shown without a chain too: then types and claims have their codes alone.
    let mut titles = Titles::new(follower.or_else(|| context.follower().ok().filter(|_| !context.named().is_empty())));
    let party = party(&item, options.party.as_deref())?;
    let owned = match options.no_wallet || !context.home.wallet().exists() {
        true => None,
        false => Some(Owned::all(&wallet::open(context)?, clock::now())?),
    };
    let shown = shown(&item, in_force, party, owned.as_deref(), &mut titles);
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

fn from_file(path: &Path) -> Result<Item, Failure> {
    let wrong = |cause: String| {
        Failure::of(ExitCode::Usage, "item_file_wrong", &[("path", &path.display()), ("cause", &cause)])
    };
    let source = ItemSource::read(path)?.map_err(|mistake| wrong(mistake.message))?;
    match source.mistakes().first() {
        Some(mistake) => Err(wrong(mistake.message.clone())),
        None => Ok(source.item),
    }
}

fn party<'a>(item: &'a Item, named: Option<&str>) -> Result<&'a Party, Failure> {
    let known: Vec<&str> = item.party.iter().map(|party| party.code.as_str()).collect();
    let mut parties = item.party.iter();
    match named {
        None => parties.find(|party| party.applicant),
        Some(named) => parties.find(|party| party.code.as_str() == named),
    }
    .ok_or_else(|| {
        let named = named.unwrap_or_default();
        Failure::of(ExitCode::Usage, "item_party", &[("party", &named), ("known", &known.join(", "))])
    })
}

fn shown(item: &Item, in_force: Option<bool>, party: &Party, owned: Option<&[Owned]>, titles: &mut Titles) -> Shown {
    let bureau = |code: &str| {
        let known = item.bureau.iter().find(|bureau| bureau.code.as_str() == code);
        known.map_or_else(|| code.to_owned(), |bureau| name(&bureau.names).to_owned())
    };
    let asks = item.ask.iter().filter(|ask| ask.of == party.code);
    let asks: Vec<AskShown> = asks.map(|ask| ask_shown(ask, &bureau, owned, titles)).collect();
    let reads = item.read.iter().filter(|read| read.of == party.code).map(|read| ReadShown {
        code: read.code.to_string(),
        by: bureau(&read.by),
        from: bureau(&read.from),
        licence_type: titles.of_type(&read.type_ref),
        claims: titles.of_claims(std::slice::from_ref(&read.type_ref), read.claims.iter().map(|claim| claim.as_str())),
        consent: read.basis == kanhe_proto::item::Basis::Consent,
        why: said(&read.why),
    });
    let reads = reads.collect();
    let step_name = |code: &str| {
        let known = item.step.iter().find(|step| step.code.as_str() == code);
        known.map_or_else(|| code.to_owned(), |step| name(&step.names).to_owned())
    };
    let steps = item.step.iter().map(|step| StepShown {
        code: step.code.to_string(),
        names: step.names.clone(),
        by: bureau(&step.by),
        needs: step.needs.iter().map(|need| step_name(need)).collect(),
        auto: step.auto,
        limit_days: step.limit_days,
    });
    let part = |code: &str, names: &Names, optional| Part { code: code.to_owned(), names: names.clone(), optional };
    let yields = item.yields.iter().filter(|given| given.to == party.code);
    let Paperwork { papers, visits } = Paperwork::of(item);
    Shown {
        papers,
        visits,
        code: item.code.to_string(),
        version: item.version.0,
        in_force,
        names: item.names.clone(),
        about: said(&item.about),
        life_days: item.life_days,
        party: party.code.to_string(),
        parties: item.party.iter().map(party_shown).collect(),
        ready: owned.map(|_| asks.iter().all(|ask| ask.optional || ask.wallet == Some("with"))),
        asks,
        fields: item
            .field
            .iter()
            .filter(|field| field.of == party.code)
            .map(|field| part(&field.code, &field.names, field.optional))
            .collect(),
        attachments: item
            .attachment
            .iter()
            .filter(|file| file.of == party.code)
            .map(|file| part(&file.code, &file.names, file.optional))
            .collect(),
        reads,
        steps: steps.collect(),
        yields: yields
            .map(|given| YieldShown { licence_type: titles.of_type(&given.type_ref), after: step_name(&given.step) })
            .collect(),
    }
}

fn party_shown(party: &Party) -> PartyShown {
    PartyShown {
        code: party.code.to_string(),
        names: party.names.clone(),
        optional: party.optional,
        opens: party.opens,
    }
}

fn ask_shown(ask: &Ask, bureau: &dyn Fn(&str) -> String, owned: Option<&[Owned]>, titles: &mut Titles) -> AskShown {
    let (wallet, licences) = match owned.map(|owned| fit(ask, owned)) {
        None => (None, Vec::new()),
        Some(Fit::With(licences)) => (Some("with"), licences),
        Some(Fit::NotGood(licences)) => (Some("not_good"), licences),
        Some(Fit::Lacks(licences)) => (Some("lacks"), licences),
        Some(Fit::None) => (Some("none"), Vec::new()),
    };
    AskShown {
        code: ask.code.to_string(),
        types: ask.types.iter().map(|wanted| (wanted.to_string(), titles.of_type(wanted))).collect(),
        claims: titles.of_claims(&ask.types, ask.claims.iter().map(|claim| claim.as_str())),
        why: said(&ask.why),
        to: ask.to.iter().map(|role| bureau(role)).collect(),
        optional: ask.optional,
        wallet,
        licences,
    }
}

fn said(words: &Words) -> Said {
    Said { zh: words.zh.to_string(), en: words.en.to_string() }
}

/// Names of types and titles of claims, as the chain has them.
struct Titles {
    follower: Option<Follower>,
    known: BTreeMap<TypeRef, Option<(Names, Value)>>,
}

impl Titles {
    const fn new(follower: Option<Follower>) -> Self {
        Self { follower, known: BTreeMap::new() }
    }

    /// The type's names and schema; what no node answers stays with its code.
    fn look_up(&mut self, wanted: &TypeRef) -> Option<&(Names, Value)> {
        if !self.known.contains_key(wanted) {
            let found = self.follower.as_mut().and_then(|follower| fetch(follower, wanted));
            self.known.insert(wanted.clone(), found);
        }
        self.known.get(wanted)?.as_ref()
    }

    fn of_type(&mut self, wanted: &TypeRef) -> String {
        let named = self.look_up(wanted).map(|(names, _)| name(names).to_owned());
        named.unwrap_or_else(|| wanted.to_string())
    }

    fn of_claims<'a>(&mut self, types: &[TypeRef], claims: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
        let member = if Lang::current() == Lang::Zh { "title" } else { "x-kanhe-title-en" };
        claims
            .map(|claim| {
                let top = claim.split(['.', '[']).next().unwrap_or(claim);
                let title = types.iter().find_map(|wanted| {
                    let (_, schema) = self.look_up(wanted)?;
                    schema["properties"][top][member].as_str().map(str::to_owned)
                });
                (claim.to_owned(), title.unwrap_or_else(|| claim.to_owned()))
            })
            .collect()
    }
}

fn fetch(follower: &mut Follower, wanted: &TypeRef) -> Option<(Names, Value)> {
    let (code, version) = (wanted.code().clone(), wanted.version());
    let leaf = |node: &NodeClient| node.licence_type(&code, version);
    let record = follower.registry::<LicenceType>(&(code.clone(), version), leaf).ok()?.value?;
    let text = follower.ask(|_, node| Ok(node.schema(&record.schema)?)).ok();
    let schema = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Some((record.names, schema))
}

/// An outcome in words.
pub fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Approved => say("item.approved", &[]),
        Outcome::Rejected => say("item.rejected", &[]),
        Outcome::Returned => say("item.returned", &[]),
        Outcome::Officer => say("item.officer", &[]),
    }
}

fn words(said: &Said) -> String {
    clean(if Lang::current() == Lang::Zh { &said.zh } else { &said.en })
}

fn optional(is: bool) -> String {
    if is { say("item.optional", &[]) } else { String::new() }
}

fn text(shown: &Shown) -> String {
    let mut lines = vec![format!("{} ({}:{})", clean(name(&shown.names)), shown.code, shown.version)];
    lines.push(words(&shown.about));
    if shown.in_force == Some(false) {
        lines.push(say("item.not_in_force", &[]));
    }
    let parties: Vec<String> = shown
        .parties
        .iter()
        .map(|party| format!("{} [{}]{}", clean(name(&party.names)), party.code, optional(party.optional)))
        .collect();
    lines.push(say("item.parties", &[("parties", &parties.join(", "))]));
    lines.push(say("item.as_party", &[("party", &shown.party)]));
    asked(shown, &mut lines);
    let parts = |parts: &[Part]| -> Vec<String> {
        parts.iter().map(|part| format!("{}{}", clean(name(&part.names)), optional(part.optional))).collect()
    };
    if !shown.fields.is_empty() {
        lines.push(say("item.fields", &[("fields", &parts(&shown.fields).join(", "))]));
    }
    if !shown.attachments.is_empty() {
        lines.push(say("item.attachments", &[("files", &parts(&shown.attachments).join(", "))]));
    }
    for read in &shown.reads {
        let claims: Vec<&str> = read.claims.values().map(String::as_str).collect();
        let (claims, licence) = (clean(&claims.join(", ")), clean(&read.licence_type));
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("by", &read.by),
            ("from", &read.from),
            ("type", &licence),
            ("claims", &claims),
            ("why", &words(&read.why)),
        ];
        lines.push(if read.consent { say("item.read_consent", args) } else { say("item.read_statute", args) });
    }
    lines.push(say("item.steps", &[]));
    for (place, step) in shown.steps.iter().enumerate() {
        let how = if step.auto { say("item.by_rules", &[]) } else { say("item.by_officer", &[]) };
        let after = match step.needs.is_empty() {
            true => String::new(),
            false => say("item.after", &[("steps", &step.needs.join(", "))]),
        };
        let (step_name, by, days) = (clean(name(&step.names)), clean(&step.by), step.limit_days);
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("step", &step_name), ("by", &by), ("how", &how), ("days", &days), ("after", &after)];
        lines.push(format!("  {}. {}", place + 1, say("item.step", args)));
    }
    for given in &shown.yields {
        lines.push(say("item.yields", &[("type", &clean(&given.licence_type)), ("step", &clean(&given.after))]));
    }
    lines.push(say("item.on_paper", &[("papers", &shown.papers), ("visits", &shown.visits)]));
    match shown.ready {
        Some(true) => lines.push(say("item.ready", &[])),
        Some(false) => lines.push(say("item.not_ready", &[])),
        None => {}
    }
    lines.join("\n")
}

fn asked(shown: &Shown, lines: &mut Vec<String>) {
    for ask in &shown.asks {
        let types: Vec<&str> = ask.types.values().map(String::as_str).collect();
        let claims: Vec<&str> = ask.claims.values().map(String::as_str).collect();
        let (types, claims) = (clean(&types.join(" / ")), clean(&claims.join(", ")));
        let (to, why, optional) = (clean(&ask.to.join(", ")), words(&ask.why), optional(ask.optional));
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("types", &types), ("claims", &claims), ("to", &to), ("why", &why), ("optional", &optional)];
        lines.push(say("item.ask", args));
        let licences = ask.licences.join(", ");
        match ask.wallet {
            Some("with") => lines.push(format!("    ✓ {}", say("item.have", &[("licences", &licences)]))),
            Some("not_good") => lines.push(format!("    ✗ {}", say("item.have_bad", &[("licences", &licences)]))),
            Some("lacks") => lines.push(format!("    ✗ {}", say("item.have_less", &[("licences", &licences)]))),
            Some(_) => lines.push(format!("    ✗ {}", say("item.missing", &[("types", &types)]))),
            None => {}
        }
    }
}
