//! The signing guard: never two messages of one validator for one height, round and type.
//!
//! Each message is stored whole, durably, before its signature leaves. An identical request gets the same signature
//! again; another one for the same slot is refused, and the validator is silent in that slot. The file is append-only
//! and doubles as the record for audits: [`read`] and [`double_signs`].
//!
//! The guard is born with the key ([`Guard::create`]). Where a write-ahead log or a database was lost, or a key was
//! imported, it is *silenced*: it signs nothing until a height above all that it and its peers know is decided. That
//! too is in the file, so that a restart does not forget it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kanhe_proto::bounded::Blob;
use kanhe_proto::codec::{self, CodecError};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round};
use kanhe_proto::key::{PublicKey, SignError, Signature, Signer};
use kanhe_proto::vote::{ChainContext, Proposal, Vote, VoteType};

use super::journal::{ENTRY_BYTES_MAX, Journal, JournalError};

/// Heights below the highest signed one whose messages stay in memory; older requests are refused.
pub const HEIGHTS_KEPT: u64 = 1_000;
/// Bytes of a signed message.
const MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Bytes before the value in the sign bytes of a proposal: tag, chain id, era.
const PREFIX_BYTES: usize = 16 + 32 + 4;

const KIND_BORN: u8 = 0;
const KIND_SIGNED: u8 = 1;
const KIND_SILENCED: u8 = 2;
const KIND_LIFTED: u8 = 3;

/// What may be signed once per height and round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotKind {
    /// A proposal.
    Proposal,
    /// A first vote.
    Prevote,
    /// A second vote.
    Precommit,
}

impl SlotKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Proposal => 1,
            Self::Prevote => 2,
            Self::Precommit => 3,
        }
    }
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Proposal),
            2 => Some(Self::Prevote),
            3 => Some(Self::Precommit),
            _ => None,
        }
    }
}

/// One thing that may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignSlot {
    /// Block number.
    pub height: Height,
    /// Attempt.
    pub round: Round,
    /// What.
    pub kind: SlotKind,
}

impl SignSlot {
    /// The slot of a vote.
    pub const fn of_vote(vote: &Vote) -> Self {
        let kind = match vote.vote_type {
            VoteType::Prevote => SlotKind::Prevote,
            VoteType::Precommit => SlotKind::Precommit,
        };
        Self { height: vote.height, round: vote.round, kind }
    }
    /// The slot of a proposal.
    pub const fn of_proposal(height: Height, round: Round) -> Self {
        Self { height, round, kind: SlotKind::Proposal }
    }
}

/// A message that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEntry {
    /// Its slot.
    pub slot: SignSlot,
    /// The whole signed bytes.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Another message was signed for this slot.
    #[error("another message was signed for {0:?}")]
    Different(SignSlot),
    /// So far below what was signed that the guard cannot tell.
    #[error("{0:?} is too far below what was signed")]
    TooOld(SignSlot),
    /// Signs nothing until a height above this one is decided.
    #[error("silent until a height above {0} is decided")]
    Silent(Height),
    /// The key refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The file failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why the guard cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An entry that this program did not write.
    #[error("entry {index} of the guard does not read: {reason}")]
    Entry {
        /// Which.
        index: usize,
        /// Why.
        reason: String,
    },
    /// The guard of another key or chain.
    #[error("the guard belongs to another key or chain")]
    Foreign,
}

/// What the guard knows of a message seen on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It signed exactly this.
    Held,
    /// It did not.
    NotHeld,
    /// Below what it still knows.
    TooOld,
}

/// Signs each slot at most once.
#[derive(Debug)]
pub struct Guard(Mutex<State>);

#[derive(Debug)]
struct State {
    journal: Journal,
    signed: BTreeMap<SignSlot, (Vec<u8>, Signature)>,
    highest: Option<Height>,
    silenced: Option<Height>,
}

impl Guard {
    /// The guard of a new key, to be made with it. A key that signed elsewhere before is `imported`: it stays silent
    /// until it knows better.
    pub fn create(path: &Path, chain: &ChainContext, key: &PublicKey, imported: bool) -> Result<Self, GuardError> {
        let mut journal = Journal::create(path)?;
        journal.append(&born(chain, key))?;
        let guard = Self::with(journal, BTreeMap::new(), None, None);
        if imported {
            guard.silence(Height(u64::MAX))?;
        }
        Ok(guard)
    }

    /// Opens the guard of a key on a chain.
    pub fn open(path: &Path, chain: &ChainContext, key: &PublicKey) -> Result<Self, GuardError> {
        let (journal, payloads) = Journal::open(path)?;
        if payloads.first() != Some(&born(chain, key)) {
            return Err(GuardError::Foreign);
        }
        let (mut signed, mut highest, mut silenced) = (BTreeMap::new(), None, None);
        for record in records(&payloads) {
            match record? {
                Record::Born => {}
                Record::Signed(entry) => {
                    highest = highest.max(Some(entry.slot.height));
                    signed.entry(entry.slot).or_insert((entry.message, entry.signature));
                }
                Record::Silenced(above) => silenced = Some(above),
                Record::Lifted => silenced = None,
            }
        }
        let guard = Self::with(journal, signed, highest, silenced);
        guard.state().forget_old();
        Ok(guard)
    }

    fn with(
        journal: Journal,
        signed: BTreeMap<SignSlot, (Vec<u8>, Signature)>,
        highest: Option<Height>,
        silenced: Option<Height>,
    ) -> Self {
        Self(Mutex::new(State { journal, signed, highest, silenced }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding it can only come before a change is visible: the file decides.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs a message for its slot, or gives the signature that it gave before.
    pub fn sign(&self, slot: SignSlot, message: &[u8], signer: &dyn Signer) -> Result<Signature, Refusal> {
        let mut state = self.state();
        if let Some((held, signature)) = state.signed.get(&slot) {
            if held == message {
                return Ok(signature.clone());
            }
            return Err(Refusal::Different(slot));
        }
        if let Some(above) = state.silenced {
            return Err(Refusal::Silent(above));
        }
        if slot.height < state.lowest_known() {
            return Err(Refusal::TooOld(slot));
        }
        let signature = signer.sign(message)?;
        let entry = SignedEntry { slot, message: message.to_vec(), signature: signature.clone() };
        state.journal.append(&entry.encode())?;
        state.highest = state.highest.max(Some(slot.height));
        state.signed.insert(slot, (entry.message, entry.signature));
        state.forget_old();
        Ok(signature)
    }

    /// What was proposed in a slot.
    pub fn proposed(&self, height: Height, round: Round) -> Option<HeaderHash> {
        let state = self.state();
        let (message, _) = state.signed.get(&SignSlot::of_proposal(height, round))?;
        codec::decode::<Proposal>(message.get(PREFIX_BYTES..)?, MESSAGE_BYTES_MAX).ok().map(|proposal| proposal.value)
    }

    /// Whether the guard signed a message seen on the network.
    pub fn seen(&self, slot: SignSlot, message: &[u8]) -> Seen {
        let state = self.state();
        match state.signed.get(&slot) {
            Some((held, _)) if held == message => Seen::Held,
            None if slot.height < state.lowest_known() => Seen::TooOld,
            _ => Seen::NotHeld,
        }
    }

    /// The highest height for which anything was signed.
    pub fn highest(&self) -> Option<Height> {
        self.state().highest
    }

    /// The height above which one must be decided before anything is signed.
    pub fn silenced(&self) -> Option<Height> {
        self.state().silenced
    }

    /// Signs nothing until a height above this one is decided.
    pub fn silence(&self, above: Height) -> Result<(), JournalError> {
        let mut state = self.state();
        state.journal.append(&record(KIND_SILENCED, &above))?;
        state.silenced = Some(above);
        Ok(())
    }

    /// A height was decided: ends the silence if it is high enough.
    pub fn decided(&self, height: Height) -> Result<bool, JournalError> {
        let mut state = self.state();
        if state.silenced.is_none_or(|above| height <= above) {
            return Ok(false);
        }
        state.journal.append(&record(KIND_LIFTED, &height))?;
        state.silenced = None;
        Ok(true)
    }
}

impl State {
    fn lowest_known(&self) -> Height {
        Height(self.highest.map_or(0, |highest| highest.0.saturating_sub(HEIGHTS_KEPT)))
    }

    fn forget_old(&mut self) {
        let first = SignSlot { height: self.lowest_known(), round: Round(0), kind: SlotKind::Proposal };
        if self.signed.first_key_value().is_some_and(|(slot, _)| *slot < first) {
            self.signed = self.signed.split_off(&first);
        }
    }
}

type SignedFields = (u8, Height, Round, Blob<MESSAGE_BYTES_MAX>, Signature);

impl SignedEntry {
    fn encode(&self) -> Vec<u8> {
        let message = Blob::new(self.message.clone()).expect("sign bytes of votes and proposals are short");
        let fields: SignedFields =
            (self.slot.kind.byte(), self.slot.height, self.slot.round, message, self.signature.clone());
        record(KIND_SIGNED, &fields)
    }
}

enum Record {
    Born,
    Signed(SignedEntry),
    Silenced(Height),
    Lifted,
}

fn record<T: codec::Encode>(kind: u8, fields: &T) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend(codec::encode(fields));
    payload
}

fn born(chain: &ChainContext, key: &PublicKey) -> Vec<u8> {
    record(KIND_BORN, &(*chain, key.clone()))
}

fn records(payloads: &[Vec<u8>]) -> impl Iterator<Item = Result<Record, GuardError>> + '_ {
    payloads
        .iter()
        .enumerate()
        .map(|(index, payload)| read_record(payload).map_err(|reason| GuardError::Entry { index, reason }))
}

fn read_record(payload: &[u8]) -> Result<Record, String> {
    let failed = |error: CodecError| error.to_string();
    let (kind, fields) = payload.split_first().ok_or("empty")?;
    match *kind {
        KIND_BORN => Ok(Record::Born),
        KIND_SIGNED => {
            let (kind, height, round, message, signature): SignedFields =
                codec::decode(fields, ENTRY_BYTES_MAX).map_err(failed)?;
            let kind = SlotKind::from_byte(kind).ok_or("unknown type of message")?;
            let slot = SignSlot { height, round, kind };
            Ok(Record::Signed(SignedEntry { slot, message: message.into_vec(), signature }))
        }
        KIND_SILENCED => codec::decode(fields, ENTRY_BYTES_MAX).map(Record::Silenced).map_err(failed),
        KIND_LIFTED => codec::decode::<Height>(fields, ENTRY_BYTES_MAX).map(|_| Record::Lifted).map_err(failed),
        other => Err(format!("unknown kind {other}")),
    }
}

/// Everything that a guard's file says was signed, in order.
pub fn read(path: &Path) -> Result<Vec<SignedEntry>, GuardError> {
    let payloads = Journal::read(path)?;
    let mut entries = Vec::new();
    for record in records(&payloads) {
        if let Record::Signed(entry) = record? {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Pairs of different messages signed for one slot: of a guard that works, none.
pub fn double_signs(entries: &[SignedEntry]) -> Vec<(SignedEntry, SignedEntry)> {
    let mut first = BTreeMap::new();
    let mut pairs = Vec::new();
    for entry in entries {
        let before = first.entry(entry.slot).or_insert(entry);
        if before.message != entry.message {
            pairs.push(((*before).clone(), entry.clone()));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use kanhe_proto::hash::ChainId;
    use kanhe_proto::ids::Era;
    use kanhe_proto::key::SecretKey;

    use super::*;

    const CHAIN: ChainContext = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };

    fn path(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("kanhe-guard-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir.join("guard")
    }
    fn key() -> SecretKey {
        SecretKey::from_seed([1; 32])
    }
    const fn slot(height: u64) -> SignSlot {
        SignSlot { height: Height(height), round: Round(0), kind: SlotKind::Prevote }
    }

    #[test]
    fn the_same_again_and_never_another_also_after_a_restart() {
        let path = path("restart");
        let guard = Guard::create(&path, &CHAIN, &key().public_key(), false).unwrap();
        let signature = guard.sign(slot(1), b"a", &key()).unwrap();
        for _ in 0..2 {
            assert_eq!(guard.sign(slot(1), b"a", &key()).unwrap(), signature);
            assert!(matches!(guard.sign(slot(1), b"b", &key()), Err(Refusal::Different(_))));
        }
        drop(guard);
        let guard = Guard::open(&path, &CHAIN, &key().public_key()).unwrap();
        assert_eq!(guard.sign(slot(1), b"a", &key()).unwrap(), signature);
        assert!(matches!(guard.sign(slot(1), b"b", &key()), Err(Refusal::Different(_))));
        assert_eq!(guard.seen(slot(1), b"a"), Seen::Held);
        assert_eq!(guard.seen(slot(1), b"b"), Seen::NotHeld);
        assert_eq!(guard.seen(slot(2), b"a"), Seen::NotHeld);
        assert_eq!(read(&path).unwrap().len(), 1);
        assert!(double_signs(&read(&path).unwrap()).is_empty());
    }

    #[test]
    fn the_audit_finds_a_double_sign() {
        let entry = |message: &[u8]| SignedEntry {
            slot: slot(1),
            message: message.to_vec(),
            signature: key().sign(message).unwrap(),
        };
        assert_eq!(double_signs(&[entry(b"a"), entry(b"a"), entry(b"b")]).len(), 1);
    }

    #[test]
    fn silence_lasts_over_restarts_until_a_height_above_is_decided() {
        let path = path("silence");
        let guard = Guard::create(&path, &CHAIN, &key().public_key(), true).unwrap();
        assert!(matches!(guard.sign(slot(1), b"a", &key()), Err(Refusal::Silent(_))));
        guard.silence(Height(9)).unwrap();
        drop(guard);
        let guard = Guard::open(&path, &CHAIN, &key().public_key()).unwrap();
        assert!(!guard.decided(Height(9)).unwrap());
        assert!(matches!(guard.sign(slot(10), b"a", &key()), Err(Refusal::Silent(Height(9)))));
        assert!(guard.decided(Height(10)).unwrap());
        guard.sign(slot(11), b"a", &key()).unwrap();
        drop(guard);
        let guard = Guard::open(&path, &CHAIN, &key().public_key()).unwrap();
        assert_eq!(guard.silenced(), None);
    }

    #[test]
    fn forgets_old_heights_and_refuses_them() {
        let path = path("old");
        let guard = Guard::create(&path, &CHAIN, &key().public_key(), false).unwrap();
        guard.sign(slot(1), b"a", &key()).unwrap();
        guard.sign(slot(HEIGHTS_KEPT + 5), b"a", &key()).unwrap();
        assert!(matches!(guard.sign(slot(1), b"b", &key()), Err(Refusal::TooOld(_))));
        assert_eq!(guard.seen(slot(1), b"a"), Seen::TooOld);
    }

    #[test]
    fn is_bound_to_key_and_chain() {
        let path = path("bound");
        drop(Guard::create(&path, &CHAIN, &key().public_key(), false).unwrap());
        let other = SecretKey::from_seed([2; 32]).public_key();
        assert!(matches!(Guard::open(&path, &CHAIN, &other), Err(GuardError::Foreign)));
        let other = ChainContext { era: Era(1), ..CHAIN };
        assert!(matches!(Guard::open(&path, &other, &key().public_key()), Err(GuardError::Foreign)));
    }

    #[test]
    fn knows_what_it_proposed() {
        let path = path("proposed");
        let guard = Guard::create(&path, &CHAIN, &key().public_key(), false).unwrap();
        let proposal = Proposal {
            height: Height(3),
            round: Round(1),
            value: HeaderHash([9; 32]),
            valid_round: None,
            address: kanhe_proto::validators::Address::of(&key().public_key()),
        };
        let slot = SignSlot::of_proposal(Height(3), Round(1));
        guard.sign(slot, &proposal.sign_bytes(&CHAIN), &key()).unwrap();
        assert_eq!(guard.proposed(Height(3), Round(1)), Some(HeaderHash([9; 32])));
        assert_eq!(guard.proposed(Height(3), Round(2)), None);
    }
}
