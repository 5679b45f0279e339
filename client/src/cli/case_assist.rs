//! At a counter: `kanhe case open`, `confirm` and `correct` for somebody who has an identity card and no wallet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use kanhe_proto::bounded::{Text, TooMany};
use kanhe_proto::case::is_clerk;
use kanhe_proto::identifiers::{PersonId, Uscc};
use kanhe_proto::item::Ask;
use kanhe_proto::registry::HolderKind;

use super::Context;
use super::case::Desk;
use super::case_open::{Giving, Named, check_names, named, names_of, sentence};
use super::show::clean;
use crate::case::{Assisted, KnownItem, OwnCase, PickupShown, Seen, Source, source_of};
use crate::follow::Follower;
use crate::home;
use crate::issuer::{Office, PERSON_ID_TYPE, subject};
use crate::talk::{ExitCode, Failure, say};

/// Longest number that is read from stdin, in bytes.
const NUMBER_BYTES_MAX: usize = 128;

/// Options of a clerk who acts for somebody.
#[derive(Debug, Clone, Default, Args)]
pub struct Assisting {
    /// Acts as a clerk for somebody without a wallet: the number of the identity card that was seen; `-` reads it from stdin
    #[arg(long, value_name = "NUMBER", requires_all = ["clerk", "key"], conflicts_with_all = ["licence", "acts_for"])]
    pub(super) assist: Option<String>,
    /// The bureau's own number of the clerk, letters, digits and hyphens; it stands on the chain
    #[arg(long, value_name = "N", requires = "key")]
    clerk: Option<String>,
    /// The purpose on whose ground bureaus read what the person would have shown; the item's own if none is named
    #[arg(long, value_name = "PURPOSE", requires = "key")]
    ground: Option<String>,
    /// File of the issuing key of the clerk's bureau
    #[arg(long, value_name = "KEYFILE")]
    key: Option<PathBuf>,
    /// The clerk's bureau, if its key was registered after genesis
    #[arg(long = "as", value_name = "USCC", requires = "key")]
    bureau: Option<Uscc>,
    /// Who issued the licence that is asked for. Needed where not exactly one of the case's bureaus and the clerk's own may issue
    /// it, or might once; what is optional is read only if it is named
    #[arg(long, value_name = "ASK=USCC", value_parser = named, requires = "key")]
    issued_by: Vec<Named>,
}

impl Assisting {
    /// Who is helped in a case that begins, and the counter's bureau; nothing where nobody is.
    pub(super) fn begin(
        &self,
        known: &KnownItem,
        own: &mut OwnCase,
        desk: &mut Desk,
        context: &Context,
    ) -> Result<Option<Office>, Failure> {
        let Some(number) = &self.assist else {
            return if self.key.is_some() { Err(usage("case_not_assisted")) } else { Ok(None) };
        };
        let party = known.item.party.iter().find(|party| party.code == own.party);
        if party.is_none_or(|party| party.kind != HolderKind::Person) {
            return Err(Failure::of(ExitCode::Usage, "case_assist_person", &[("party", &own.party)]));
        }
        let number = match number.as_str() {
            "-" => home::read_text("-".as_ref(), NUMBER_BYTES_MAX)?,
            number => number.to_owned(),
        };
        let wrong = |error: &dyn std::fmt::Display| Failure::reported(ExitCode::Usage, "case_assist_number", error);
        let number: PersonId = number.trim().parse().map_err(|error| wrong(&error))?;
        let person = subject(PERSON_ID_TYPE, number.as_str());
        own.assisted = Some(Assisted {
            person: person.ok_or_else(|| usage("case_assist_number"))?,
            clerk: Text::default(),
            ground: known.item.purpose.clone(),
            sources: BTreeMap::new(),
            pickups: BTreeMap::new(),
        });
        self.act(known, own, desk, context)
    }

    /// What the clerk changes of it when something is said anew; who is helped stays.
    pub(super) fn again(
        &self,
        known: &KnownItem,
        own: &mut OwnCase,
        desk: &mut Desk,
        context: &Context,
    ) -> Result<Option<Office>, Failure> {
        if self.assist.is_some() { Err(usage("case_assist_stays")) } else { self.act(known, own, desk, context) }
    }

    /// Clerk, ground and sources as they are said now, and the counter's bureau; nothing where nobody is helped.
    fn act(
        &self,
        known: &KnownItem,
        own: &mut OwnCase,
        desk: &mut Desk,
        context: &Context,
    ) -> Result<Option<Office>, Failure> {
        let Some(mut assisted) = own.assisted.clone() else {
            return if self.key.is_some() { Err(usage("case_not_assisted")) } else { Ok(None) };
        };
        let long = |error: TooMany| Failure::reported(ExitCode::Usage, "case_clerk", error);
        let key = self.key.as_ref().ok_or_else(|| usage("case_clerk_key"))?;
        if let Some(clerk) = &self.clerk {
            assisted.clerk = Text::new(&**clerk).map_err(long)?;
        }
        if !is_clerk(&assisted.clerk) {
            return Err(usage("case_clerk"));
        }
        if let Some(ground) = &self.ground {
            assisted.ground = Text::new(&**ground).map_err(long)?;
        }
        let (genesis, passphrase) = (context.home.genesis()?, context.passphrase.existing()?);
        let office = Office::open(&genesis, &mut desk.follower, key, self.bureau, &passphrase)?;
        self.sources(known, own, &mut assisted, office.issuer, &mut desk.follower)?;
        own.assisted = Some(assisted);
        Ok(Some(office))
    }

    /// Where each ask of the party is read.
    fn sources(
        &self,
        known: &KnownItem,
        own: &OwnCase,
        assisted: &mut Assisted,
        counter: Uscc,
        follower: &mut Follower,
    ) -> Result<(), Failure> {
        let asks: Vec<&Ask> = known.item.ask.iter().filter(|ask| ask.of == own.party).collect();
        check_names(&self.issued_by, asks.iter().map(|ask| ask.code.as_str()))?;
        let mut bureaus = own.chosen.to_vec();
        bureaus.push(counter);
        bureaus.sort_unstable();
        bureaus.dedup();
        for ask in asks {
            let named = self.issued_by.iter().rev().find(|named| named.name == ask.code.as_str());
            let source = match named.and_then(|named| named.value.as_deref()) {
                Some(uscc) => {
                    let wrong = |error| Failure::reported(ExitCode::Usage, "uscc_wrong", error);
                    source_of(ask, &[uscc.parse().map_err(wrong)?], follower)?
                }
                None if ask.optional || assisted.sources.contains_key(&ask.code) => continue,
                None => source_of(ask, &bureaus, follower)?,
            };
            assisted.sources.insert(ask.code.clone(), source);
        }
        Ok(())
    }
}

impl Giving {
    /// Refuses a clerk where many cases are opened from a sheet: each person stands at the counter.
    pub(super) fn check_alone(&self) -> Result<(), Failure> {
        if self.assisting.key.is_some() { Err(usage("case_assist_sheet")) } else { Ok(()) }
    }
}

fn usage(code: &str) -> Failure {
    Failure::of(ExitCode::Usage, code, &[])
}

/// What is said at the counter before anything leaves: who acts, and on which ground.
pub(super) fn clerk_line(own: &OwnCase) -> Option<String> {
    let assisted = own.assisted.as_ref()?;
    let args: &[(&str, &dyn std::fmt::Display)] =
        &[("clerk", &assisted.clerk), ("person", &assisted.person.id_number), ("ground", &assisted.ground)];
    Some(say("case.assists", args))
}

/// What one bureau reads of others.
pub(super) fn read_lines(own: &OwnCase, seen: &Seen<'_>, follower: &mut Follower) -> Vec<String> {
    let Some(assisted) = &own.assisted else { return Vec::new() };
    let line = |ask: &Ask, source: &Source, follower: &mut Follower| {
        let claims: Vec<&str> = ask.claims.iter().map(|claim| claim.as_str()).collect();
        let (claims, from) = (clean(&claims.join(", ")), names_of(follower, source.issuer));
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("type", &source.type_code), ("from", &from), ("claims", &claims), ("why", &sentence(&ask.why))];
        say("case.will_read", args)
    };
    let asks = seen.parcel.asks.iter().filter_map(|ask| Some((ask, assisted.sources.get(&ask.code)?)));
    asks.map(|(ask, source)| line(ask, source, follower)).collect()
}

/// What the clerk hands over.
pub(super) fn pickup_lines(pickups: &[PickupShown]) -> Vec<String> {
    let line = |pickup: &PickupShown| {
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("type", &pickup.licence_type), ("code", &pickup.code), ("issuer", &pickup.issuer)];
        say("case.pickup", args)
    };
    pickups.iter().map(line).collect()
}
