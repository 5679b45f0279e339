//! All records of a range: accepted as they are, and refused with any left out, added, altered, moved or cut.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use std::collections::BTreeMap;

use kanhe_proto::hash::Hash;
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::log_range::{LogRange, LogRangeError};
use kanhe_proto::log_record::LogRecord;
use kanhe_proto::merkle::log::{Frontier, NodeReader, Span, leaf_hash, root};
use kanhe_proto::record::{BatchRecord, Record};
use world::{START, World, bureau, issuing_key, vct};

#[derive(Default)]
struct Nodes(BTreeMap<(u8, u64), Hash>);

impl NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.0.get(&(level, index)).copied()
    }
}

/// The time of a block.
fn time(height: u64) -> TimeMs {
    TimeMs(START.0 + height * 1_000)
}

/// Records of a chain whose block h holds h mod 3 of them; every fifth is of a kind to come.
struct Story {
    header: Header,
    records: Vec<Vec<u8>>,
    /// Records up to each block.
    sizes: Vec<u64>,
}

impl Story {
    fn of(blocks: u64) -> Self {
        let mut story = Self { header: World::new().header(), records: Vec::new(), sizes: vec![0] };
        for height in 1..=blocks {
            for _ in 0..height % 3 {
                let record = story.record(height);
                story.records.push(record);
            }
            story.sizes.push(story.records.len() as u64);
        }
        story
    }
    fn record(&self, height: u64) -> Vec<u8> {
        let count = self.records.len() as u32;
        if count % 5 == 4 {
            return vec![6, 1, count as u8];
        }
        let vct = vct("demo-id");
        let signing_key = kanhe_proto::key::Signer::public_key(&issuing_key(0)).id();
        let (root, height, time) = (Hash([count as u8; 32]), Height(height), time(height));
        let (type_code, type_version) = (vct.code, vct.version);
        BatchRecord { issuer: bureau(0), signing_key, type_code, type_version, root, count, height, time }.to_record()
    }
    fn header(&self, height: u64) -> Header {
        let log_size = self.sizes[height as usize];
        let leaves: Vec<Hash> = self.records[..log_size as usize].iter().map(|record| leaf_hash(record)).collect();
        let (height, time) = (Height(height), time(height));
        Header { height, time, log_size, log_root: root(&leaves), ..self.header.clone() }
    }
    fn frontier(&self, size: u64) -> Frontier {
        let (mut frontier, mut nodes) = (Frontier::default(), Nodes::default());
        for record in &self.records {
            frontier.append(leaf_hash(record), &mut |node| _ = nodes.0.insert((node.level, node.index), node.hash));
        }
        Frontier::read(size, &nodes).unwrap()
    }
    /// The range of blocks `from` to `to` with these records.
    fn range<'a>(
        &self,
        (from, to): (u64, u64),
        records: impl IntoIterator<Item = &'a Vec<u8>>,
    ) -> Result<LogRange, LogRangeError> {
        let before = (from > 1).then(|| self.header(from - 1));
        let size = before.as_ref().map_or(0, |header| header.log_size);
        let mut range = LogRange::begin(before.as_ref(), self.frontier(size))?;
        for record in records {
            range.push(record)?;
        }
        range.finish(&self.header(to))?;
        Ok(range)
    }
    fn of_range(&self, (from, to): (u64, u64)) -> &[Vec<u8>] {
        &self.records[self.sizes[from as usize - 1] as usize..self.sizes[to as usize] as usize]
    }
}

#[test]
fn every_range_of_a_chain_is_accepted_as_it_is() {
    let story = Story::of(20);
    for from in 1..=20 {
        for to in from..=20 {
            let records = story.of_range((from, to));
            let range = story.range((from, to), records).unwrap();
            assert_eq!(range.next().0 - range.first().0, records.len() as u64);
        }
    }
}

#[test]
fn whatever_is_done_to_the_records_of_a_range_is_noticed() {
    let story = Story::of(20);
    for span in [(1, 20), (4, 17), (7, 8), (5, 5)] {
        let records = story.of_range(span);
        let refused = |records: &[Vec<u8>], what: &str| {
            assert!(story.range(span, records).is_err(), "{span:?}: {what}");
        };
        for at in 0..records.len() {
            let mut spoilt = records.to_vec();
            spoilt.remove(at);
            refused(&spoilt, "left out");
            refused(&records[..at], "cut");
            let mut spoilt = records.to_vec();
            spoilt.insert(at, records[at].clone());
            refused(&spoilt, "twice");
            for byte in 0..records[at].len() {
                let mut spoilt = records.to_vec();
                spoilt[at][byte] ^= 1;
                refused(&spoilt, "altered");
            }
            for other in 0..at {
                let mut spoilt = records.to_vec();
                spoilt.swap(at, other);
                refused(&spoilt, "swapped");
            }
        }
    }
}

#[test]
fn a_range_is_bound_at_both_ends() {
    let story = Story::of(20);
    let records = story.of_range((5, 12));
    // Of the neighbouring ranges they are not all, or too many.
    for (from, to) in [(4, 12), (7, 12), (5, 11), (5, 13)] {
        let error = story.range((from, to), records).unwrap_err();
        assert!(matches!(error, LogRangeError::Size { .. } | LogRangeError::Place(_)), "{from}..{to}: {error}");
    }
    // Another beginning of the same length.
    let mut other = Story::of(20);
    other.records[0] = vec![9, 9, 9];
    let before = story.header(4);
    let error = LogRange::begin(Some(&before), other.frontier(before.log_size)).unwrap_err();
    assert!(matches!(error, LogRangeError::Frontier(_)));
    let error = LogRange::begin(Some(&before), story.frontier(before.log_size - 1)).unwrap_err();
    assert!(matches!(error, LogRangeError::Frontier(_)));
    let error = LogRange::begin(None, story.frontier(3)).unwrap_err();
    assert!(matches!(error, LogRangeError::Frontier(_)));
    // A last header that is not after the first.
    let range = story.range((5, 12), records).unwrap();
    for height in [1, 4] {
        assert_eq!(range.finish(&story.header(height)), Err(LogRangeError::Order), "{height}");
    }
}

#[test]
fn what_is_known_by_hash_alone_takes_its_place() {
    let story = Story::of(20);
    let records = story.of_range((3, 20));
    for hidden in 0..records.len() {
        let before = story.header(2);
        let mut range = LogRange::begin(Some(&before), story.frontier(before.log_size)).unwrap();
        for (at, record) in records.iter().enumerate() {
            if at == hidden {
                range.push_hash(leaf_hash(record));
            } else {
                let read = range.push(record).unwrap();
                assert_eq!(read == LogRecord::Other, record[0] == 6);
            }
        }
        range.finish(&story.header(20)).unwrap();
    }
}

#[test]
fn a_record_that_tells_a_false_block_is_noticed_even_if_the_log_has_it() {
    for (at, height) in [(6, 1), (6, 30), (3, 9)] {
        let mut story = Story::of(20);
        let honest = story.records[at].clone();
        let mut record = BatchRecord::from_record(&honest).unwrap();
        (record.height, record.time) = (Height(height), time(height));
        story.records[at] = record.to_record();
        let records = story.of_range((2, 20)).to_vec();
        let error = story.range((2, 20), &records).unwrap_err();
        assert!(matches!(error, LogRangeError::Place(LogIndex(_))), "{at} {height}: {error}");
    }
}

#[test]
fn spans_between_two_indexes_cover_them_once_and_in_order() {
    for from in 0..40u64 {
        for to in from..70 {
            let mut next = from;
            for span in Span::between(from, to, 4) {
                assert!(span.level <= 4);
                assert_eq!(span.first(), Some(next));
                next += span.count().unwrap();
            }
            assert_eq!(next, to, "{from}..{to}");
        }
    }
    assert!(Span::all(37, 3).eq(Span::between(0, 37, 3)));
}
