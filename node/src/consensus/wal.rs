//! The engine's write-ahead log, looked at before the engine opens it.
//!
//! The engine hangs on an entry that does not read. A torn *last* entry is the trace of a crash: it is cut off, and the
//! guard covers what it may have said. Any other damage loses votes that may have left, so the log is put aside and
//! the validator starts silent.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use malachite_app::wal::Log;
use malachite_engine::wal::decode_entry;

use super::codec::EngineCodec;
use super::context::KanheContext;

/// Bytes of the log's header: version and sequence.
const HEADER_BYTES: u64 = 12;
/// Bytes before an entry's data: compression flag, length, CRC.
const ENTRY_HEADER_BYTES: usize = 13;

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalState {
    /// No log.
    Missing,
    /// Every entry reads; a torn last one was cut off.
    Intact,
    /// Damaged, and put aside under this name.
    Damaged(PathBuf),
}

/// Looks at the log, cuts off a torn last entry, and puts a damaged log aside.
pub fn inspect(path: &Path) -> io::Result<WalState> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WalState::Missing),
        Err(error) => return Err(error),
        // The engine writes and syncs the header when it creates the log.
        Ok(metadata) if metadata.len() == 0 => return Ok(WalState::Missing),
        Ok(metadata) if metadata.len() < HEADER_BYTES => return put_aside(path),
        Ok(_) => {}
    }
    if damaged_at(path, &std::fs::read(path)?) {
        return put_aside(path);
    }
    // Opening cuts off an entry of which not all bytes are there.
    let mut log = match Log::open(path) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return put_aside(path),
        Err(error) => return Err(error),
    };
    match first_bad(&mut log)? {
        None => Ok(WalState::Intact),
        Some(bad) => {
            tracing::warn!(path = %path.display(), entry = bad, "cutting off a torn last entry of the log");
            log.truncate(bad)?;
            Ok(WalState::Intact)
        }
    }
}

/// Whether anything but the last entry fails its checksum or does not decode.
fn damaged_at(path: &Path, bytes: &[u8]) -> bool {
    let mut at = usize::try_from(HEADER_BYTES).expect("12");
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.iter().all(|byte| *byte == 0) || rest.len() < ENTRY_HEADER_BYTES {
            return false;
        }
        let length = u64::from_be_bytes(rest[1..9].try_into().expect("8 bytes"));
        let Some(end) = usize::try_from(length).ok().and_then(|length| length.checked_add(ENTRY_HEADER_BYTES)) else {
            return true;
        };
        if end > rest.len() {
            return false;
        }
        let crc = u32::from_be_bytes(rest[9..13].try_into().expect("4 bytes"));
        let data = &rest[ENTRY_HEADER_BYTES..end];
        let reads = rest[0] == 0 && crc32(data) == crc && decodes(data);
        if !reads && end < rest.len() && rest[end..].iter().any(|byte| *byte != 0) {
            tracing::error!(path = %path.display(), at, "the log is damaged");
            return true;
        }
        at += end;
    }
    false
}

fn decodes(data: &[u8]) -> bool {
    decode_entry::<KanheContext, _, _>(&EngineCodec::plain(), Cursor::new(data)).is_ok()
}

fn first_bad(log: &mut Log) -> io::Result<Option<u64>> {
    if log.is_empty() {
        return Ok(None);
    }
    for (index, entry) in (0u64..).zip(log.iter()?) {
        if !entry.is_ok_and(|data| decodes(&data)) {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn put_aside(path: &Path) -> io::Result<WalState> {
    for attempt in 0..u32::MAX {
        let aside = path.with_extension(format!("damaged-{attempt}"));
        if !aside.exists() {
            std::fs::rename(path, &aside)?;
            return Ok(WalState::Damaged(aside));
        }
    }
    Err(io::Error::other("no free name for a damaged log"))
}

/// CRC-32 (IEEE 802.3), as the engine's log has it.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use malachite_core::Input;
    use malachite_engine::wal::encode_entry;
    use malachite_types::{Round, Timeout, TimeoutKind};

    use super::*;

    fn written(name: &str, entries: u32) -> (PathBuf, Vec<u8>) {
        let dir = std::env::temp_dir().join(format!("kanhe-wal-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("consensus.wal");
        let mut log = Log::open(&path).unwrap();
        log.reset(7).unwrap();
        for round in 0..entries {
            let mut data = Vec::new();
            let timeout = Timeout::new(Round::new(round), TimeoutKind::Propose);
            encode_entry::<KanheContext, _, _>(Input::TimeoutElapsed(timeout), &EngineCodec::plain(), &mut data)
                .unwrap();
            log.append(&data).unwrap();
        }
        log.flush().unwrap();
        drop(log);
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    }

    #[test]
    fn crc_is_the_engines() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn an_intact_log_stays() {
        let (path, bytes) = written("intact", 3);
        assert_eq!(inspect(&path).unwrap(), WalState::Intact);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(inspect(&path.with_extension("none")).unwrap(), WalState::Missing);
    }

    #[test]
    fn a_torn_last_entry_is_cut_off() {
        let (path, bytes) = written("torn", 3);
        let entry = (bytes.len() - 12) / 3;
        for cut in 12 + 2 * entry..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(inspect(&path).unwrap(), WalState::Intact, "cut at {cut}");
            assert_eq!(Log::open(&path).unwrap().len(), 2);
        }
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        assert_eq!(inspect(&path).unwrap(), WalState::Intact);
        assert_eq!(Log::open(&path).unwrap().len(), 2);
        std::fs::write(&path, [&bytes[..], &[0; 100]].concat()).unwrap();
        assert_eq!(inspect(&path).unwrap(), WalState::Intact);
        assert_eq!(Log::open(&path).unwrap().len(), 3);
    }

    #[test]
    fn other_damage_puts_it_aside() {
        for (name, at) in [("first", 12 + ENTRY_HEADER_BYTES), ("version", 3)] {
            let (path, mut bytes) = written(name, 3);
            bytes[at] ^= 0x40;
            std::fs::write(&path, &bytes).unwrap();
            assert!(matches!(inspect(&path).unwrap(), WalState::Damaged(_)), "{name}");
            assert!(!path.exists());
        }
    }
}
