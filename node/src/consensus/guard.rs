//! The signing guard: never two messages of one validator for one height, round and type.
//!
//! Each message is stored whole, durably, before its signature leaves. An identical request gets the same signature
//! again; another one for the same slot is refused, and the validator is silent in that slot. The file is append-only
//! and doubles as the record for audits: [`read`] and [`double_signs`].
//!
//! The guard is born with the key ([`Guard::create`]). Where a write-ahead log or a database was lost, it is *silenced*:
//! it signs nothing until a height above all that it and its peers know is decided. Where the guard itself may lack what
//! was signed, because it was restored from a backup or the key was imported, it *rejoins*: silenced, and up to the
//! height after the silence's it does not know what was signed under its key, so it neither signs there nor takes what
//! it sees for a stranger's. All that is in the file, so that a restart does not forget it.
//!
//! A guard that went to another machine with its key ([`Guard::retire`]) never signs again.

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

mod moving;
pub use moving::{Packed, is_in_use};

/// Heights below the highest signed one whose messages stay in memory; older requests are refused.
pub const HEIGHTS_KEPT: u64 = 1_000;
/// A silence whose height is not known yet.
pub const UNTOLD: Height = Height(u64::MAX);
/// Bytes of a signed message.
const MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Bytes before the value in the sign bytes of a proposal: tag, chain id, era.
const PREFIX_BYTES: usize = 16 + 32 + 4;

const KIND_BORN: u8 = 0;
const KIND_SIGNED: u8 = 1;
const KIND_SILENCED: u8 = 2;
const KIND_LIFTED: u8 = 3;
const KIND_REJOINING: u8 = 4;
const KIND_MOVED: u8 = 5;

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
    /// What was signed up to this height is not known for sure.
    #[error("what was signed up to height {0} is not known")]
    Unknown(Height),
    /// Others have decided this height: a vote helps nobody, and might contradict one that was lost.
    #[error("peers have decided height {0} already")]
    Passed(Height),
    /// The key signs on another machine.
    #[error("this validator's key was moved away at height {0}")]
    Moved(Height),
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
    /// Where it does not know all that was signed: far below, or before it was restored.
    Unknown,
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
    /// The silence is that of a guard which may lack what was signed.
    rejoining: bool,
    /// Up to this height messages may have been signed that are not here.
    unknown: Option<Height>,
    /// The tip at which key and guard were moved away.
    moved: Option<Height>,
    /// Decided by others; not in the file, since it is only news of the network.
    passed: Height,
}

impl Guard {
    /// The guard of a new key, to be made with it. A key that signed elsewhere before is `imported`: it stays silent
    /// until it knows better.
    pub fn create(path: &Path, chain: &ChainContext, key: &PublicKey, imported: bool) -> Result<Self, GuardError> {
        let mut journal = Journal::create(path)?;
        journal.append(&born(chain, key))?;
        let guard = Self::new(State::of(journal));
        if imported {
            guard.rejoin()?;
        }
        Ok(guard)
    }

    /// Opens the guard of a key on a chain.
    pub fn open(path: &Path, chain: &ChainContext, key: &PublicKey) -> Result<Self, GuardError> {
        let (journal, payloads) = Journal::open(path)?;
        if payloads.first() != Some(&born(chain, key)) {
            return Err(GuardError::Foreign);
        }
        let mut state = State::of(journal);
        for record in records(&payloads) {
            state.take(record?);
        }
        state.forget_old();
        Ok(Self::new(state))
    }

    const fn new(state: State) -> Self {
        Self(Mutex::new(state))
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
        if let Some(height) = state.moved {
            return Err(Refusal::Moved(height));
        }
        if let Some(above) = state.silenced {
            return Err(Refusal::Silent(above));
        }
        if slot.height < state.lowest_known() {
            return Err(Refusal::TooOld(slot));
        }
        if let Some(unknown) = state.unknown.filter(|unknown| slot.height <= *unknown) {
            return Err(Refusal::Unknown(unknown));
        }
        if slot.height <= state.passed {
            return Err(Refusal::Passed(state.passed));
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
            Some(_) => Seen::NotHeld,
            None if slot.height < state.lowest_known() => Seen::Unknown,
            _ if state.unknown.is_some_and(|unknown| slot.height <= unknown) => Seen::Unknown,
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
        let entry = if state.rejoining { Record::Rejoining(above) } else { Record::Silenced(above) };
        state.journal.append(&entry.encode())?;
        state.take(entry);
        Ok(())
    }

    /// Declares that this guard may lack what was signed: it is silent until told better by [`Self::silence`].
    pub fn rejoin(&self) -> Result<(), JournalError> {
        self.state().rejoining = true;
        self.silence(UNTOLD)
    }

    /// Others have decided this height: nothing new is signed up to it. Forgotten at a restart.
    pub fn pass(&self, height: Height) {
        let mut state = self.state();
        state.passed = state.passed.max(height);
    }

    /// A height was decided: ends the silence if it is high enough.
    pub fn decided(&self, height: Height) -> Result<bool, JournalError> {
        let mut state = self.state();
        if state.silenced.is_none_or(|above| height <= above) {
            return Ok(false);
        }
        let entry = Record::Lifted(height);
        state.journal.append(&entry.encode())?;
        state.take(entry);
        Ok(true)
    }
}

impl State {
    const fn of(journal: Journal) -> Self {
        Self {
            journal,
            signed: BTreeMap::new(),
            highest: None,
            silenced: None,
            rejoining: false,
            unknown: None,
            moved: None,
            passed: Height(0),
        }
    }

    /// What an entry of the file means.
    fn take(&mut self, record: Record) {
        match record {
            Record::Born => {}
            Record::Signed(entry) => {
                self.highest = self.highest.max(Some(entry.slot.height));
                self.signed.entry(entry.slot).or_insert((entry.message, entry.signature));
            }
            Record::Silenced(above) => self.silenced = Some(above),
            Record::Rejoining(above) => {
                self.silenced = Some(above);
                self.unknown = Some(Height(above.0.saturating_add(1)));
                self.rejoining = true;
            }
            Record::Lifted(_) => {
                self.silenced = None;
                self.rejoining = false;
            }
            Record::Moved(height) => self.moved = Some(height),
        }
    }

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
    Rejoining(Height),
    Lifted(Height),
    Moved(Height),
}

impl Record {
    /// An entry after the first.
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Silenced(above) => record(KIND_SILENCED, above),
            Self::Rejoining(above) => record(KIND_REJOINING, above),
            Self::Lifted(height) => record(KIND_LIFTED, height),
            Self::Moved(height) => record(KIND_MOVED, height),
            Self::Signed(entry) => entry.encode(),
            Self::Born => unreachable!("only a new file begins"),
        }
    }
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
        KIND_LIFTED => codec::decode(fields, ENTRY_BYTES_MAX).map(Record::Lifted).map_err(failed),
        KIND_MOVED => codec::decode(fields, ENTRY_BYTES_MAX).map(Record::Moved).map_err(failed),
        KIND_REJOINING => codec::decode(fields, ENTRY_BYTES_MAX).map(Record::Rejoining).map_err(failed),
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

/// What the file of a guard that may be in use says of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The highest height for which anything was signed.
    pub highest: Option<Height>,
    /// Silent until a height above this one is decided; [`UNTOLD`] if that is not known yet.
    pub silenced: Option<Height>,
    /// Whether its key was exported: it signs no more.
    pub moved: bool,
}

/// Reads how a guard stands.
pub fn standing(path: &Path) -> Result<Standing, GuardError> {
    let payloads = Journal::read(path)?;
    let mut standing = Standing::default();
    for record in records(&payloads) {
        match record? {
            Record::Signed(entry) => standing.highest = standing.highest.max(Some(entry.slot.height)),
            Record::Silenced(above) | Record::Rejoining(above) => standing.silenced = Some(above),
            Record::Lifted(_) => standing.silenced = None,
            Record::Moved(_) => standing.moved = true,
            Record::Born => {}
        }
    }
    Ok(standing)
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

    pub(super) const CHAIN: ChainContext = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };

    pub(super) fn path(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("kanhe-guard-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir.join("guard")
    }
    pub(super) fn key() -> SecretKey {
        SecretKey::from_seed([1; 32])
    }
    pub(super) const fn slot(height: u64) -> SignSlot {
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
        assert_eq!(guard.seen(slot(1), b"a"), Seen::Unknown);
    }

    #[test]
    fn a_restored_guard_neither_signs_nor_judges_where_it_may_lack_something() {
        let path = path("restored");
        let guard = Guard::create(&path, &CHAIN, &key().public_key(), false).unwrap();
        guard.sign(slot(5), b"a", &key()).unwrap();
        guard.rejoin().unwrap();
        for _ in 0..2 {
            assert_eq!(guard.seen(slot(5), b"a"), Seen::Held);
            assert_eq!(guard.seen(slot(5), b"b"), Seen::NotHeld, "what it holds it knows");
            assert_eq!(guard.seen(slot(900), b"b"), Seen::Unknown);
            assert!(!guard.decided(Height(1_000)).unwrap());
        }
        guard.silence(Height(20)).unwrap();
        drop(guard);
        let guard = Guard::open(&path, &CHAIN, &key().public_key()).unwrap();
        assert_eq!((guard.seen(slot(21), b"b"), guard.seen(slot(22), b"b")), (Seen::Unknown, Seen::NotHeld));
        assert!(!guard.decided(Height(20)).unwrap());
        assert!(guard.decided(Height(21)).unwrap());
        drop(guard);
        let guard = Guard::open(&path, &CHAIN, &key().public_key()).unwrap();
        assert_eq!((guard.silenced(), guard.seen(slot(21), b"b")), (None, Seen::Unknown));
        assert!(matches!(guard.sign(slot(21), b"a", &key()), Err(Refusal::Unknown(Height(21)))));
        guard.sign(slot(22), b"a", &key()).unwrap();
        // A later silence for another reason does not take back what is known since.
        guard.silence(Height(30)).unwrap();
        assert_eq!(guard.seen(slot(25), b"b"), Seen::NotHeld);
    }

    #[test]
    fn nothing_is_signed_where_others_are_past() {
        let path = path("passed");
        let guard = Guard::create(&path, &CHAIN, &key().public_key(), false).unwrap();
        let signature = guard.sign(slot(3), b"a", &key()).unwrap();
        guard.pass(Height(7));
        assert_eq!(guard.sign(slot(3), b"a", &key()).unwrap(), signature);
        assert!(matches!(guard.sign(slot(7), b"a", &key()), Err(Refusal::Passed(Height(7)))));
        guard.sign(slot(8), b"a", &key()).unwrap();
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
