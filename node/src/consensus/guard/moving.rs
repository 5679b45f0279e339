//! A guard that goes to another machine with its key: what is taken along, the end here, the beginning there.
//!
//! The guard here ends before what was taken along is of use to anybody, and what was taken along is all that was
//! signed. So there the guard is whole: it is silent like every imported one, but what it sees under its key and does
//! not hold is a stranger's from the first moment on.

use std::fs;
use std::io;
use std::path::Path;

use super::super::journal::sync_parent;
use super::*;

/// Bytes before each entry of a packed guard.
const LENGTH_BYTES: usize = 4;

impl Guard {
    /// The tip at which key and guard were moved away.
    pub fn moved(&self) -> Option<Height> {
        self.state().moved
    }

    /// All that is known of what the key of this guard signed: for [`Self::install`].
    pub fn pack(&self, chain: &ChainContext, key: &PublicKey) -> Vec<u8> {
        let state = self.state();
        let mut records = Vec::new();
        if let Some(Height(unknown)) = state.unknown {
            records.push(Record::Rejoining(Height(unknown.saturating_sub(1))));
            if !state.rejoining {
                records.push(Record::Lifted(Height(unknown)));
            }
        }
        let signed = state.signed.iter().map(|(slot, (message, signature))| {
            Record::Signed(SignedEntry { slot: *slot, message: message.clone(), signature: signature.clone() })
        });
        let payloads = records.into_iter().chain(signed).map(|record| record.encode());
        let mut packed = Vec::new();
        for payload in std::iter::once(born(chain, key)).chain(payloads) {
            let length = u32::try_from(payload.len()).expect("entries are small");
            packed.extend_from_slice(&length.to_be_bytes());
            packed.extend_from_slice(&payload);
        }
        packed
    }

    /// Ends this guard: once this returns it never signs anything new again. The tip is for people.
    pub fn retire(&self, tip: Height) -> Result<(), JournalError> {
        let mut state = self.state();
        if state.moved.is_some() {
            return Ok(());
        }
        let entry = Record::Moved(tip);
        state.journal.append(&entry.encode())?;
        state.take(entry);
        Ok(())
    }

    /// A slot signed here of which a packed guard knows nothing, or something else: it is older than this one.
    pub fn ahead_of(&self, packed: &Packed) -> Option<SignSlot> {
        let state = self.state();
        let lowest = Height(packed.highest().map_or(0, |highest| highest.0.saturating_sub(HEIGHTS_KEPT)));
        let mut newer = state.signed.iter().filter(|(slot, (message, _))| {
            packed.signed.get(slot).map_or(slot.height >= lowest, |known| known != message)
        });
        newer.next().map(|(slot, _)| *slot)
    }

    /// Makes a packed guard the one at this path, silenced, and replaces what is there. All or nothing.
    pub fn install(path: &Path, chain: &ChainContext, key: &PublicKey, packed: &Packed) -> Result<Self, GuardError> {
        if packed.payloads.first() != Some(&born(chain, key)) {
            return Err(GuardError::Foreign);
        }
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let new = path.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error).into()),
            _ => {}
        }
        let mut journal = Journal::create(&new)?;
        journal.append_all(&packed.payloads)?;
        drop(journal);
        let guard = Self::open(&new, chain, key)?;
        guard.silence(UNTOLD)?;
        fs::rename(&new, path).and_then(|()| sync_parent(path)).map_err(failed)?;
        Ok(guard)
    }
}

/// A guard on its way, read.
#[derive(Debug)]
pub struct Packed {
    payloads: Vec<Vec<u8>>,
    signed: BTreeMap<SignSlot, Vec<u8>>,
}

impl Packed {
    /// Reads what [`Guard::pack`] wrote.
    pub fn read(mut bytes: &[u8]) -> Result<Self, GuardError> {
        let mut payloads = Vec::new();
        let torn = |index| GuardError::Entry { index, reason: "it ends early".to_owned() };
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| torn(payloads.len()))?;
            let length = u32::from_be_bytes(*length) as usize;
            let whole = rest.split_at_checked(length).filter(|_| length <= ENTRY_BYTES_MAX);
            let (payload, rest) = whole.ok_or_else(|| torn(payloads.len()))?;
            payloads.push(payload.to_vec());
            bytes = rest;
        }
        let mut signed = BTreeMap::new();
        for record in records(&payloads) {
            if let Record::Signed(entry) = record? {
                signed.insert(entry.slot, entry.message);
            }
        }
        Ok(Self { payloads, signed })
    }

    /// The highest height for which anything was signed.
    pub fn highest(&self) -> Option<Height> {
        self.signed.last_key_value().map(|(slot, _)| slot.height)
    }

    /// How many messages it holds.
    pub fn messages(&self) -> usize {
        self.signed.len()
    }
}

/// Whether a key has signed with the guard at a path, whosever it is, and may still: it is in use.
pub fn is_in_use(path: &Path) -> Result<bool, GuardError> {
    let payloads = Journal::read(path)?;
    let mut signed = false;
    for record in records(&payloads) {
        match record? {
            Record::Moved(_) => return Ok(false),
            Record::Born => {}
            _ => signed = true,
        }
    }
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CHAIN, key, path, slot};
    use super::*;

    fn packed(guard: &Guard) -> Packed {
        Packed::read(&guard.pack(&CHAIN, &key().public_key())).unwrap()
    }
    fn install(path: &Path, packed: &Packed) -> Guard {
        Guard::install(path, &CHAIN, &key().public_key(), packed).unwrap()
    }

    #[test]
    fn goes_whole_and_never_signs_here_again() {
        let (here, there) = (path("leaves"), path("arrives"));
        let guard = Guard::create(&here, &CHAIN, &key().public_key(), false).unwrap();
        let signature = guard.sign(slot(5), b"a", &key()).unwrap();
        assert!(is_in_use(&here).unwrap());
        guard.retire(Height(4)).unwrap();
        guard.retire(Height(9)).unwrap();
        let packed = packed(&guard);
        assert_eq!((packed.highest(), packed.messages()), (Some(Height(5)), 1));
        drop(guard);
        let guard = Guard::open(&here, &CHAIN, &key().public_key()).unwrap();
        assert_eq!((guard.moved(), is_in_use(&here).unwrap()), (Some(Height(4)), false));
        assert!(matches!(guard.sign(slot(6), b"a", &key()), Err(Refusal::Moved(Height(4)))));
        assert_eq!(guard.sign(slot(5), b"a", &key()).unwrap(), signature);

        drop(install(&there, &packed));
        let arrived = Guard::open(&there, &CHAIN, &key().public_key()).unwrap();
        assert_eq!((arrived.moved(), arrived.silenced(), arrived.highest()), (None, Some(UNTOLD), Some(Height(5))));
        assert_eq!(arrived.sign(slot(5), b"a", &key()).unwrap(), signature);
        assert!(matches!(arrived.sign(slot(5), b"b", &key()), Err(Refusal::Different(_))));
        assert_eq!(arrived.seen(slot(6), b"b"), Seen::NotHeld, "a stranger's, also while it is silent");
        arrived.silence(Height(8)).unwrap();
        assert!(arrived.decided(Height(9)).unwrap());
        arrived.sign(slot(10), b"a", &key()).unwrap();
    }

    #[test]
    fn an_older_one_is_told_from_a_newer_one() {
        let (here, there) = (path("home"), path("back"));
        let guard = Guard::create(&here, &CHAIN, &key().public_key(), false).unwrap();
        guard.sign(slot(5), b"a", &key()).unwrap();
        let first = packed(&guard);
        assert_eq!(guard.ahead_of(&first), None);
        guard.sign(slot(6), b"a", &key()).unwrap();
        assert_eq!(guard.ahead_of(&first), Some(slot(6)));
        // Away, it went on; back home again it is the newer one.
        guard.retire(Height(6)).unwrap();
        let away = install(&there, &packed(&guard));
        away.silence(Height(7)).unwrap();
        away.decided(Height(8)).unwrap();
        away.sign(slot(9), b"a", &key()).unwrap();
        let back = packed(&away);
        assert_eq!(guard.ahead_of(&back), None);
        drop(install(&here, &back));
        assert_eq!(Guard::open(&here, &CHAIN, &key().public_key()).unwrap().moved(), None);
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        let (here, there) = (path("doubtful"), path("doubtful-there"));
        let guard = Guard::create(&here, &CHAIN, &key().public_key(), true).unwrap();
        guard.silence(Height(20)).unwrap();
        let arrived = install(&there, &packed(&guard));
        assert_eq!((arrived.silenced(), arrived.seen(slot(900), b"a")), (Some(UNTOLD), Seen::Unknown));
        drop(arrived);
        guard.decided(Height(21)).unwrap();
        let arrived = install(&there, &packed(&guard));
        assert_eq!((arrived.seen(slot(21), b"a"), arrived.seen(slot(22), b"a")), (Seen::Unknown, Seen::NotHeld));
    }

    #[test]
    fn damage_and_foreign_keys_are_refused() {
        let here = path("cut");
        let guard = Guard::create(&here, &CHAIN, &key().public_key(), false).unwrap();
        guard.sign(slot(5), b"a", &key()).unwrap();
        let bytes = guard.pack(&CHAIN, &key().public_key());
        for cut in [1, 3, bytes.len() - 1] {
            assert!(matches!(Packed::read(&bytes[..cut]), Err(GuardError::Entry { .. })), "{cut}");
        }
        let other = ChainContext { era: kanhe_proto::ids::Era(1), ..CHAIN };
        let packed = packed(&guard);
        let refused = Guard::install(&path("foreign"), &other, &key().public_key(), &packed);
        assert!(matches!(refused, Err(GuardError::Foreign)));
    }
}
