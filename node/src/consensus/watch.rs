//! What passes by on the engine's network, seen where messages are decoded: before the engine acts on them, and also
//! while it is not started.
//!
//! - A vote under this validator's own key that its guard does not hold stops the process.
//! - Heights that others work on or have end the wait of an idle chain ([`super::pacing`]).
//! - Who voted when, for people who ask why a chain stands still.
//! - Certificates of synced blocks, to tell a liar from a fork when a block does not execute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round};
use kanhe_proto::key::{PublicKey, Signature};
use kanhe_proto::validators::{Address, ValidatorSet};
use kanhe_proto::vote::{ChainContext, Vote};
use tokio::sync::watch;

use super::fatal::{Fatal, FatalSender};
use super::guard::{Guard, Seen, SignSlot};
use super::peers::Wanted;
use super::streaming::StreamInit;
use super::tips::{StatusFields, Tips};

/// Certificates of synced blocks kept at a time.
const CERTIFICATES_KEPT: usize = 64;
/// A validator's votes are noted at most so often: each costs a check of its signature.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// The last vote of a validator that was noted.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// Its height.
    pub height: Height,
    /// Its round.
    pub round: Round,
    /// When it came.
    pub at: Instant,
}

/// This validator.
#[derive(Debug)]
pub struct Own {
    /// Its address.
    pub address: Address,
    /// Its key.
    pub key: PublicKey,
    /// What it signed.
    pub guard: Arc<Guard>,
}

#[derive(Debug)]
struct Seeing {
    working: Height,
    set: Option<Arc<ValidatorSet>>,
    tips: Tips,
    /// Of members of the set alone.
    heard: BTreeMap<Address, Heard>,
    certificates: BTreeMap<(Height, HeaderHash), SyncedCertificate>,
}

/// Round and signatures under a synced block, not verified.
#[derive(Debug, Clone)]
pub struct SyncedCertificate {
    /// Round of the certificate.
    pub round: kanhe_proto::ids::Round,
    /// Who signed.
    pub signatures: Vec<(Address, Signature)>,
}

/// Sees every decoded message.
#[derive(Debug)]
pub struct Watch {
    chain: ChainContext,
    own: Option<Own>,
    fatal: FatalSender,
    seeing: Mutex<Seeing>,
    active: watch::Sender<Height>,
    tip: watch::Sender<Height>,
}

impl Watch {
    /// Watches a chain and the tips of the peers that addresses name, and for a validator its own key.
    pub fn new(chain: ChainContext, peers: &Wanted, own: Option<Own>, fatal: FatalSender) -> Self {
        let (active, tip) = (watch::Sender::new(Height(0)), watch::Sender::new(Height(0)));
        let tips = Tips::new(chain, peers);
        let (heard, certificates) = (BTreeMap::new(), BTreeMap::new());
        let seeing = Seeing { working: Height(0), set: None, tips, heard, certificates };
        Self { chain, own, fatal, seeing: Mutex::new(seeing), active, tip }
    }

    fn seeing(&self) -> std::sync::MutexGuard<'_, Seeing> {
        self.seeing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine talks to these peers from now on.
    pub fn hear(&self, peers: &Wanted) {
        self.seeing().tips.hear(peers);
    }

    /// The engine works on this height, under this set.
    pub fn working_on(&self, height: Height, set: Arc<ValidatorSet>) {
        let mut seeing = self.seeing();
        seeing.working = height;
        seeing.tips.expect(set.members().len());
        seeing.heard.retain(|address, _| set.get(address).is_some());
        seeing.set = Some(set);
    }

    /// The highest height beyond ours for which a validator signed something.
    pub fn active(&self) -> watch::Receiver<Height> {
        self.active.subscribe()
    }
    /// The tip that peers have, as far as they are believed ([`Tips::believed`]).
    pub fn tip(&self) -> watch::Receiver<Height> {
        self.tip.subscribe()
    }

    /// A vote was decoded.
    pub fn vote(&self, vote: &Vote, signature: &Signature) {
        if self.own.as_ref().is_some_and(|own| own.address == vote.address) {
            self.own_vote(vote, signature);
            return;
        }
        self.note(vote, signature);
        self.early(vote.height, &vote.address, |key| key.verify(&vote.sign_bytes(&self.chain), signature).is_ok());
    }

    /// Remembers that a validator voted, if it really did.
    fn note(&self, vote: &Vote, signature: &Signature) {
        let key = {
            let seeing = self.seeing();
            let noted = seeing.heard.get(&vote.address).is_some_and(|heard| heard.at.elapsed() < NOTE_EVERY);
            if noted || vote.height < seeing.working {
                return;
            }
            seeing.set.as_ref().and_then(|set| Some(set.get(&vote.address)?.1.key.clone()))
        };
        if key.is_some_and(|key| key.verify(&vote.sign_bytes(&self.chain), signature).is_ok()) {
            let heard = Heard { height: vote.height, round: vote.round, at: Instant::now() };
            self.seeing().heard.insert(vote.address, heard);
        }
    }

    /// The last votes of the others that were noted, about one a second each.
    pub fn heard(&self) -> BTreeMap<Address, Heard> {
        self.seeing().heard.clone()
    }
    /// Tips that peers told, by the bytes of their peer ids.
    pub fn tips(&self) -> BTreeMap<Vec<u8>, Height> {
        self.seeing().tips.told().clone()
    }

    /// The head of a stream was decoded.
    pub fn stream(&self, init: &StreamInit) {
        self.early(init.height, &init.streamer, |key| init.verify(key, &self.chain).is_ok());
    }

    /// Something for the height after ours wakes an idle validator, if it is really a validator's.
    fn early(&self, height: Height, address: &Address, verify: impl FnOnce(&PublicKey) -> bool) {
        let set = {
            let seeing = self.seeing();
            if height != seeing.working.next() || *self.active.borrow() >= height {
                return;
            }
            seeing.set.clone()
        };
        let genuine = set.is_some_and(|set| set.get(address).is_some_and(|(_, member)| verify(&member.key)));
        if genuine {
            self.active.send_if_modified(|active| {
                let raised = height > *active;
                *active = height.max(*active);
                raised
            });
        }
    }

    /// A vote under our own key, wherever it stood: alone or in a certificate.
    pub fn own_vote(&self, vote: &Vote, signature: &Signature) {
        let Some(own) = self.own.as_ref().filter(|own| own.address == vote.address) else { return };
        let message = vote.sign_bytes(&self.chain);
        if own.guard.seen(SignSlot::of_vote(vote), &message) == Seen::NotHeld
            && own.key.verify(&message, signature).is_ok()
        {
            self.fatal.report(Fatal::DoubleVote { height: vote.height });
        }
    }

    /// Whether votes in certificates need a look.
    pub fn is_own(&self, address: &Address) -> bool {
        self.own.as_ref().is_some_and(|own| own.address == *address)
    }

    /// A peer told its tip.
    pub fn status(&self, fields: &StatusFields, signature: &Signature) {
        let believed = {
            let mut seeing = self.seeing();
            match seeing.tips.take(fields, signature) {
                Ok(true) => seeing.tips.believed(),
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!("a status that is not its peer's own: {error}");
                    return;
                }
            }
        };
        let Some(height) = believed else { return };
        if let Some(own) = &self.own {
            own.guard.pass(height);
        }
        self.tip.send_if_modified(|tip| std::mem::replace(tip, height) != height);
    }

    /// Number of peers that told their tip.
    pub fn peers_heard(&self) -> usize {
        self.seeing().tips.heard()
    }

    /// The peers' tip, once enough of them were heard to end a silence by it.
    pub fn settled_tip(&self) -> Option<Height> {
        let seeing = self.seeing();
        if seeing.tips.is_enough() { seeing.tips.believed().or(Some(Height(0))) } else { None }
    }

    /// A certificate came with a synced block.
    pub fn synced(&self, height: Height, value: HeaderHash, certificate: SyncedCertificate) {
        let mut seeing = self.seeing();
        while seeing.certificates.len() >= CERTIFICATES_KEPT {
            seeing.certificates.pop_first();
        }
        seeing.certificates.insert((height, value), certificate);
    }

    /// A quorum's certificate for this header, if one came with a synced block and verifies.
    pub fn certified(&self, height: Height, value: HeaderHash, set: &ValidatorSet) -> Option<Certificate> {
        let SyncedCertificate { round, signatures } = self.seeing().certificates.get(&(height, value))?.clone();
        let certificate = Certificate::new(set, height, round, value, signatures).ok()?;
        certificate.verify(set, &self.chain).ok().map(|()| certificate)
    }
}
