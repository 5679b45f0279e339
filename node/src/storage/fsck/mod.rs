//! `fsck`: reads all that is stored and checks it against the headers.
//!
//! The chain of headers leads from genesis, whose hash is the chain id, to the tip. Everything else hangs on it: bodies
//! by their transactions root and by the signatures in them, records by the log's root at *every* height, leaves by the
//! tip's roots, nodes and indexes by being computed again. An entry that nothing calls for is a problem as well. A read
//! that fails is reported and the rest is still checked.

mod blocks;
mod consents;
mod headers;
mod indexes;
mod logs;
mod maps;
mod report;

pub use report::{Problem, Progress, Report};

use std::collections::BTreeMap;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::{ChainId, HeaderHash, ValidatorsHash};
use kanhe_proto::ids::Height;
use kanhe_proto::validators::ValidatorSet;
use kanhe_proto::vote::ChainContext;

use super::column::{Column, layout};
use super::home::SCHEMA_VERSION;
use super::reader::Reader;
use super::store::Storage;

/// Entries between two reports of progress.
const PROGRESS_EVERY: u64 = 10_000;

/// One check in progress.
struct Fsck<'a> {
    reader: &'a Reader<'a>,
    progress: &'a mut dyn FnMut(Progress),
    report: Report,
    /// What the chain is founded on, once it is known to be right.
    chain: ChainContext,
    tip: Height,
    /// The database began with the snapshot after this block; 0 if it has all blocks.
    base: Height,
    sets: BTreeMap<ValidatorsHash, ValidatorSet>,
}

/// Checks all of it.
pub fn fsck(storage: &Storage, chain_id: &ChainId, progress: &mut dyn FnMut(Progress)) -> Report {
    let reader = storage.read();
    let chain = ChainContext { chain_id: *chain_id, era: kanhe_proto::ids::Era(0) };
    let mut fsck = Fsck {
        reader: &reader,
        progress,
        report: Report::default(),
        chain,
        tip: Height(0),
        base: Height(0),
        sets: BTreeMap::new(),
    };
    let Some((genesis, tip)) = fsck.meta() else { return fsck.report };
    (fsck.tip, fsck.report.height) = (tip.0, tip.0.0);
    if let Some(base) = fsck.read_base() {
        (fsck.base, fsck.report.base) = (base, base.0);
    }
    fsck.validator_sets(&genesis);
    let Some(last) = fsck.headers(&genesis, &tip.1) else { return fsck.report };
    fsck.heights();
    fsck.certificates();
    fsck.bodies();
    fsck.transactions();
    fsck.log();
    fsck.history();
    let schemas = fsck.registry(&last);
    fsck.state(&last);
    fsck.expiries();
    fsck.cases();
    fsck.consents();
    fsck.reads();
    fsck.schemas(&genesis, &schemas);
    fsck.issuer_batches();
    fsck.acts();
    fsck.hand_overs();
    fsck.report
}

impl Fsck<'_> {
    /// Visits each entry of a column.
    fn each(&mut self, column: Column, mut visit: impl FnMut(&mut Self, &[u8], &[u8])) {
        let mut iter = self.reader.pass(column);
        let mut entries = 0;
        iter.seek_to_first();
        while let Some((key, value)) = iter.item() {
            visit(self, key, value);
            entries += 1;
            if entries % PROGRESS_EVERY == 0 {
                (self.progress)(Progress { column, entries });
            }
            iter.next();
        }
        if let Err(error) = iter.status() {
            self.report.add(column, &[], format!("cannot be read: {error}"));
        }
        self.report.entries += entries;
        (self.progress)(Progress { column, entries });
    }

    fn problem(&mut self, column: Column, key: &[u8], what: impl Into<String>) {
        self.report.add(column, key, what);
    }

    /// A value that must be there.
    fn get(&mut self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        match self.reader.get(column, key) {
            Ok(Some(value)) => Some(value),
            Ok(None) => {
                self.problem(column, key, "missing");
                None
            }
            Err(error) => {
                self.problem(column, key, format!("cannot be read: {error}"));
                None
            }
        }
    }

    /// Compares a value with the one that it must be.
    fn expect(&mut self, column: Column, key: &[u8], expected: &[u8]) {
        if let Some(found) = self.get(column, key)
            && found != expected
        {
            self.problem(column, key, "is not what it must be");
        }
    }

    /// Compares the number of entries with the one that there must be, each of which was looked at.
    fn expect_count(&mut self, column: Column, found: u64, expected: u64) {
        if found != expected {
            self.problem(column, &[], format!("{found} entries where {expected} belong"));
        }
    }

    /// Counts the entries of a column.
    fn count(&mut self, column: Column) -> u64 {
        let mut count = 0;
        self.each(column, |_, _, _| count += 1);
        count
    }

    /// The block with whose snapshot the database began, if it did.
    fn read_base(&mut self) -> Option<Height> {
        let base = match self.reader.base() {
            Ok(base) => base?,
            Err(error) => {
                self.problem(Column::Meta, layout::BASE, error.to_string());
                return None;
            }
        };
        let (height, hash) = base;
        if height.0 == 0 || height > self.tip || self.header(height).is_none_or(|header| header.hash() != hash) {
            self.problem(Column::Meta, layout::BASE, "names no header of the chain");
            return None;
        }
        Some(height)
    }

    /// The height after this one of which there is a header.
    fn next_height(&self, height: Height) -> Height {
        if height < self.base { self.base } else { height.next() }
    }

    fn meta(&mut self) -> Option<(Genesis, (Height, HeaderHash))> {
        const COLUMN: Column = Column::Meta;
        let known: [&[u8]; 5] = [layout::SCHEMA, layout::CHAIN, layout::GENESIS, layout::TIP, layout::BASE];
        self.each(COLUMN, |fsck, key, _| {
            if !known.contains(&key) {
                fsck.problem(COLUMN, key, "does not belong here");
            }
        });
        let chain_id = self.chain.chain_id;
        self.expect(COLUMN, layout::SCHEMA, &SCHEMA_VERSION.to_be_bytes());
        self.expect(COLUMN, layout::CHAIN, chain_id.bytes());
        let genesis = self.get(COLUMN, layout::GENESIS).map(|bytes| Genesis::from_bytes(&bytes));
        let genesis = match genesis? {
            Ok(genesis) if genesis.chain_id() == chain_id => Some(genesis),
            Ok(_) => {
                self.problem(COLUMN, layout::GENESIS, "is of another chain");
                None
            }
            Err(error) => {
                self.problem(COLUMN, layout::GENESIS, error.to_string());
                None
            }
        };
        let tip = self.get(COLUMN, layout::TIP)?;
        let tip = layout::read_block(&tip);
        if tip.is_none() {
            self.problem(COLUMN, layout::TIP, "is not readable");
        }
        Some((genesis?, tip?))
    }
}
