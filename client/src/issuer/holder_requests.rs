//! What holders ask of their issuer: answered, and what they pick up signed.
//!
//! A code is bound to a key in the same durable step that journals the licence for it. Whatever is lost after that, the
//! same key gets the same licence when it asks again, and no other key does.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::application::Application;
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::exchange::{Answer, DeliveredLicence, HolderRequest, Outcome, ProvedAsk, Refusal};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{LicenceNumber, Vct};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::KeyId;
use kanhe_proto::mail::{MAIL_VERSION, MailAnswer, MailRequest};
use kanhe_proto::pickup::{PickupCode, Redeemed};
use kanhe_proto::seal::{SealInfo, SealPurpose, SealingSecret, seal};
use kanhe_proto::text;
use schemars::JsonSchema;
use serde::Serialize;

use super::batch::Signing;
use super::journal::{Planned, anchor_each, anchor_open, plan};
use super::prepare::binding;
use super::records::Awaiting;
use super::{Definition, LicenceEntry, Office, Prepared, Register};
use crate::clock;
use crate::follow::Follower;
use crate::reads::ReadRound;
use crate::sheet::Row;
use crate::talk::{ExitCode, Failure};

/// Room that a licence's path takes in an answer, in bytes, more than that of any batch from here.
const PATH_BYTES: usize = 1_024;

/// Answers what holders ask.
#[derive(Debug)]
pub struct HolderRequests<'a> {
    /// Who answers.
    pub office: &'a Office,
    /// The chain's beginning, for the types.
    pub genesis: &'a Genesis,
    /// The bureau's name, as licences show it.
    pub issuer_name: &'a str,
    /// Its register.
    pub register: &'a Register,
    /// Most licences under one root, copies counted.
    pub batch_max: usize,
}

/// What was done with a portion of mail.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Round {
    /// Requests answered with licences.
    pub given: usize,
    /// Requests refused, the holder told why.
    pub refused: usize,
    /// Envelopes that no key of the bureau opens; they are taken out of the queue.
    pub unreadable: usize,
    /// Licences signed and anchored now.
    pub issued: usize,
    /// Reads of other bureaus, recorded and given.
    pub shared: usize,
    /// Reads refused, the reader told why.
    pub not_shared: usize,
}

impl Round {
    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
    /// Adds what another one did.
    pub const fn add(&mut self, other: &Self) {
        self.given += other.given;
        self.refused += other.refused;
        self.unreadable += other.unreadable;
        self.issued += other.issued;
        self.shared += other.shared;
        self.not_shared += other.not_shared;
    }
    /// Adds what was done with reads.
    pub const fn add_reads(&mut self, reads: &ReadRound) {
        self.shared += reads.given;
        self.not_shared += reads.refused;
    }
}

/// What a request comes to.
enum Decision {
    Give(LicenceNumber),
    Refuse(Refusal),
}

/// A code that is redeemed in this round.
struct Pickup {
    awaiting: Awaiting,
    prepared: Prepared,
}

/// A round at work.
#[derive(Default)]
struct Work {
    definitions: BTreeMap<Vct, Definition>,
    pickups: BTreeMap<LicenceNumber, Pickup>,
    /// Keys that are bound in this round.
    bound: BTreeSet<KeyId>,
    /// Licences too long for an answer.
    too_long: BTreeSet<LicenceNumber>,
}

impl HolderRequests<'_> {
    /// Answers a portion of mail. What is to be issued for it is on the chain and proved when this returns.
    pub fn answer(&self, mail: &[Vec<u8>], follower: &mut Follower) -> Result<(Vec<MailAnswer>, Round), Failure> {
        // Whoever asks for what is in a batch that is not there is told to ask again; all others are answered.
        anchor_open(self.office, self.register, follower)?;
        let (mut round, mut answers) = (Round::default(), Vec::new());
        let (mut work, mut decided) = (Work::default(), Vec::new());
        let now = clock::now();
        for bytes in mail {
            // What is no envelope of this chain was not taken in by a node of ours.
            let Ok(envelope) = MailRequest::decode(bytes, &self.office.chain.chain_id) else { continue };
            match self.open(&envelope) {
                Some(request) => {
                    let decision = self.decide(&request, &mut work, now, follower)?;
                    decided.push((request, decision));
                }
                None => {
                    round.unreadable += 1;
                    answers.push(dead_letter(&envelope)?);
                }
            }
        }
        round.issued = self.issue(&mut work, follower)?;
        for (request, decision) in &decided {
            let outcome = match decision {
                Decision::Give(number) if !work.too_long.contains(number) => self.outcome(number)?,
                Decision::Give(_) => Outcome::Refused(Refusal::ApplicationWrong),
                Decision::Refuse(refusal) => Outcome::Refused(*refusal),
            };
            match outcome {
                Outcome::Licences(_) => round.given += 1,
                Outcome::Refused(_) => round.refused += 1,
            }
            answers.push(sealed(request, outcome)?);
        }
        Ok((answers, round))
    }

    fn open(&self, envelope: &MailRequest) -> Option<HolderRequest> {
        let own = envelope.issuer == self.office.issuer;
        let secret = self.office.sealing_key(envelope.sealed.key).filter(|_| own)?;
        envelope.open(secret).ok()
    }

    fn decide(
        &self,
        request: &HolderRequest,
        work: &mut Work,
        now: TimeMs,
        follower: &mut Follower,
    ) -> Result<Decision, Failure> {
        match request.verify(&self.office.chain.chain_id, &self.office.issuer, now) {
            Err(error) => Ok(Decision::Refuse(error.refusal())),
            Ok(ProvedAsk::Collect { key }) => {
                let number = self.register.of_application(&key.id())?;
                Ok(number.map_or(Decision::Refuse(Refusal::KeyUnknown), Decision::Give))
            }
            Ok(ProvedAsk::Pickup { code, application }) => self.pickup(&code, &application, work, now, follower),
        }
    }

    fn pickup(
        &self,
        code: &PickupCode,
        application: &Application,
        work: &mut Work,
        now: TimeMs,
        follower: &mut Follower,
    ) -> Result<Decision, Failure> {
        let Some(kept) = self.register.of_code(code)? else { return Ok(Decision::Refuse(Refusal::CodeUnknown)) };
        // Somebody may have come with the same code in this very round.
        let kept = work.pickups.get(&kept.number).map_or(kept, |pickup| pickup.awaiting.clone());
        let damaged = |error| Failure::reported(ExitCode::Failure, "vault_damaged", error);
        let mut entry = kept.entry().map_err(damaged)?;
        match entry.redeem(code, application.key(), now) {
            Err(error) => return Ok(Decision::Refuse(error.into())),
            Ok(Redeemed::Again) => return Ok(Decision::Give(kept.number)),
            Ok(Redeemed::First) => {}
        }
        let ids: Vec<KeyId> = application.keys.iter().map(|key| key.id()).collect();
        let used = ids.iter().any(|id| work.bound.contains(id)) || self.register.of_application(&ids[0])?.is_some();
        if application.vct != kept.vct || used {
            return Ok(Decision::Refuse(Refusal::ApplicationWrong));
        }
        if !work.definitions.contains_key(&kept.vct) {
            // A batch that the chain refuses would stand in the way of all others.
            match self.office.check_right(follower, &kept.vct.code) {
                Err(failure) if failure.code == "not_accredited" => return Ok(Decision::Refuse(Refusal::NotYet)),
                other => other?,
            }
            let definition = Definition::fetch(&kept.vct, self.genesis, follower)?;
            work.definitions.insert(kept.vct.clone(), definition);
        }
        let definition = &work.definitions[&kept.vct];
        let row = Row { line: kept.line, claims: kept.claims.clone(), application: None };
        let Ok(binding) = binding(self.office, definition, &row, application) else {
            return Ok(Decision::Refuse(Refusal::ApplicationWrong));
        };
        let number = kept.number.clone();
        let keys = application.keys.to_vec();
        let prepared = Prepared { row, number: Some(number.clone()), replaces: None, keys, binding };
        work.bound.extend(ids);
        work.pickups.insert(number.clone(), Pickup { awaiting: kept.with_entry(&entry), prepared });
        Ok(Decision::Give(number))
    }

    /// Signs, journals and anchors what is picked up, type by type; says how many licences.
    fn issue(&self, work: &mut Work, follower: &mut Follower) -> Result<usize, Failure> {
        let mut by_type: BTreeMap<Vct, Vec<Pickup>> = BTreeMap::new();
        for pickup in std::mem::take(&mut work.pickups).into_values() {
            by_type.entry(pickup.awaiting.vct.clone()).or_default().push(pickup);
        }
        let (run, mut place, mut issued) = (text::hex(&clock::random::<8>()?), 0, 0);
        for (vct, mut left) in by_type {
            while !left.is_empty() {
                let rest = left.split_off(self.portion(&left));
                issued += self.batch(&work.definitions[&vct], &run, place, left, &mut work.too_long, follower)?;
                (left, place) = (rest, place + 1);
            }
        }
        Ok(issued)
    }

    fn portion(&self, pickups: &[Pickup]) -> usize {
        let mut copies = 0;
        let fits = pickups.iter().take_while(|pickup| {
            copies += pickup.prepared.keys.len();
            copies <= self.batch_max
        });
        fits.count().max(1)
    }

    fn batch(
        &self,
        definition: &Definition,
        run: &str,
        place: u32,
        pickups: Vec<Pickup>,
        too_long: &mut BTreeSet<LicenceNumber>,
        follower: &mut Follower,
    ) -> Result<usize, Failure> {
        let (mut redeemed, prepared): (Vec<Awaiting>, Vec<Prepared>) =
            pickups.into_iter().map(|pickup| (pickup.awaiting, pickup.prepared)).unzip();
        let (office, issuer_name, now) = (self.office, self.issuer_name, clock::now());
        let signing = Signing { office, definition, register: self.register, issuer_name, run, place, now };
        let mut licences = signing.sign(&prepared)?;
        // What cannot be handed over is not issued, and its code stays free.
        too_long.extend(licences.iter().filter(|licence| !fits(licence)).map(|licence| licence.number.clone()));
        licences.retain(|licence| !too_long.contains(&licence.number));
        redeemed.retain(|awaiting| !too_long.contains(&awaiting.number));
        if licences.is_empty() {
            return Ok(0);
        }
        let issued = licences.len();
        let lines = redeemed.iter().map(|awaiting| awaiting.line).collect();
        let planned = Planned { run, place, lines, licences, redeemed, names: Vec::new() };
        let batch = plan(office, definition, self.register, follower, planned)?;
        let left = anchor_each(office, self.register, follower, vec![batch])?;
        Ok(if left.is_empty() { issued } else { 0 })
    }

    /// The licence as its holder gets it, in its newest version for the same application.
    fn outcome(&self, number: &LicenceNumber) -> Result<Outcome, Failure> {
        let Some(mut licence) = self.register.licence(number)? else { return Ok(Outcome::Refused(Refusal::NotYet)) };
        while licence.replaced {
            let next =
                licence.number.next_version().map(|number| self.register.licence(&number)).transpose()?.flatten();
            match next {
                Some(next) if next.application == licence.application => licence = next,
                _ => break,
            }
        }
        let mut copies = Vec::new();
        for copy in &licence.copies {
            let Some(path) = self.register.path(&copy.digest)? else { return Ok(Outcome::Refused(Refusal::NotYet)) };
            copies.push(delivered(&copy.sd_jwt, path.into_vec())?);
        }
        let copies =
            List::new(copies).map_err(|error| Failure::reported(ExitCode::Failure, "delivery_wrong", error))?;
        let answer = Answer::new(Outcome::Licences(copies));
        Ok(if answer.fits() { answer.outcome } else { Outcome::Refused(Refusal::ApplicationWrong) })
    }
}

fn delivered(sd_jwt: &str, path: Vec<u8>) -> Result<DeliveredLicence, Failure> {
    let wrong = |error| Failure::reported(ExitCode::Failure, "delivery_wrong", error);
    Ok(DeliveredLicence { sd_jwt: Text::new(sd_jwt).map_err(wrong)?, path: Blob::new(path).map_err(wrong)? })
}

/// Whether a licence with all its copies can be handed over in one answer.
fn fits(licence: &LicenceEntry) -> bool {
    let copies: Result<Vec<_>, _> =
        licence.copies.iter().map(|copy| delivered(&copy.sd_jwt, vec![0; PATH_BYTES])).collect();
    let copies = copies.ok().and_then(|copies| List::new(copies).ok());
    copies.is_some_and(|copies| Answer::new(Outcome::Licences(copies)).fits())
}

fn sealed(request: &HolderRequest, outcome: Outcome) -> Result<MailAnswer, Failure> {
    let answer = MailAnswer::seal(request, &Answer::new(outcome), clock::random()?);
    answer.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))
}

/// What takes an envelope that cannot be opened out of the node's queue: nobody can open this either.
fn dead_letter(envelope: &MailRequest) -> Result<MailAnswer, Failure> {
    let nobody = SealingSecret::from_seed(clock::random()?).public_key();
    let info = SealInfo { chain: envelope.chain, purpose: SealPurpose::Answer, subject: Blob::new([]).expect("empty") };
    let sealed = seal(&nobody, &info, &[], clock::random()?);
    let sealed = sealed.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
    let (chain, issuer, id) = (envelope.chain, envelope.issuer, envelope.id);
    Ok(MailAnswer { version: MAIL_VERSION, chain, issuer, id, sealed })
}
