//! The past of the chain in memory: headers of every height, and the log as it was at any size. It can be told to lie.

use kanhe_proto::api::LogAnswer;
use kanhe_proto::log_record::LogRecord;
use kanhe_proto::merkle::log::{Frontier, NodeReader, Span, prove_consistency, prove_span};
use kanhe_proto::snapshot::{Content, Records};

use super::*;

/// What is done to records that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLie {
    /// Nothing.
    #[default]
    None,
    /// The last record of each span is missing.
    LeftOut,
    /// One byte of the first record of each span is another.
    Altered,
    /// The first and the last record of each span have changed places.
    Swapped,
    /// The log is said to be shorter than the header has it.
    Cut,
    /// Records are said to be too large, even a single one.
    TooLarge,
    /// No header of the past is here, as after joining by a snapshot.
    NoPast,
}

/// Headers that were given out, and how it lies.
#[derive(Default)]
pub struct Past {
    pub headers: BTreeMap<u64, CertifiedHeader>,
    pub lie: LogLie,
    /// Blocks of records that do not say theirs.
    raw: BTreeMap<usize, u64>,
    /// Spans that were served.
    pub served: usize,
    /// Spans that are served before it breaks off; none: all.
    pub room: Option<usize>,
}

struct Nodes(BTreeMap<(u8, u64), Hash>);

impl NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.0.get(&(level, index)).copied()
    }
}

impl Chain {
    /// A record as it is, in a block of its own.
    pub fn log_raw(&mut self, record: &[u8]) {
        self.height += 1;
        self.past.raw.insert(self.records.len(), self.height);
        self.records.push(record.to_vec());
    }
    pub fn height(&self) -> u64 {
        self.height
    }

    /// A batch of some bureau, of which nothing but the record is known.
    pub fn log_batch(&mut self, issuer: Uscc, count: u32) {
        self.height += 1;
        let record = BatchRecord {
            issuer,
            signing_key: self.issuing.public_key().id(),
            type_code: "demo-biz".parse().unwrap(),
            type_version: TypeVersion(1),
            root: Hash([count as u8; 32]),
            count,
            height: Height(self.height),
            time: now(),
        };
        self.records.push(record.to_record());
    }

    /// A header of the past: the one that was given out, or else one that would have been.
    pub fn header_at(&mut self, height: u64) -> Option<HeaderAnswer> {
        if height == 0 || height > self.height || self.past.lie == LogLie::NoPast {
            return None;
        }
        if !self.past.headers.contains_key(&height) {
            let mut header = self.genesis.header().unwrap();
            let recorded = |record: &Vec<u8>| LogRecord::read(record).recorded();
            let block = |(at, record): &(usize, &Vec<u8>)| {
                self.past.raw.get(at).copied().or_else(|| Some(recorded(record)?.0.0)).unwrap()
            };
            let size = self.records.iter().enumerate().take_while(|entry| block(entry) <= height).count();
            let leaves: Vec<Hash> = self.records[..size].iter().map(|record| log::leaf_hash(record)).collect();
            let times = self.records[..size].iter().filter_map(|record| Some(recorded(record)?.1));
            let known = self.past.headers.range(..height).map(|(_, known)| known.header.time);
            let time = times.chain(known).max().unwrap_or(self.genesis.time);
            (header.height, header.time) = (Height(height), time);
            (header.log_size, header.log_root) = (size as u64, log::root(&leaves));
            let certified = self.certify(header);
            self.past.headers.insert(height, certified);
        }
        let certified = &self.past.headers[&height];
        Some(HeaderAnswer {
            height: certified.header.height,
            header_hash: certified.header.hash().to_string(),
            time_ms: certified.header.time.0,
            certified: Blob::new(codec::encode(certified)).unwrap(),
        })
    }

    fn nodes(&self, size: u64) -> (Frontier, Nodes) {
        let (mut frontier, mut nodes) = (Frontier::default(), Nodes(BTreeMap::new()));
        for record in &self.records[..size as usize] {
            frontier
                .append(log::leaf_hash(record), &mut |node| _ = nodes.0.insert((node.level, node.index), node.hash));
        }
        (frontier, nodes)
    }

    pub fn log_at(&self, size: u64, old: Option<u64>) -> Option<LogAnswer> {
        if size > self.records.len() as u64 {
            return None;
        }
        let said = if self.past.lie == LogLie::Cut { size.saturating_sub(1) } else { size };
        let (frontier, nodes) = self.nodes(said);
        let consistency = old.map(|old| prove_consistency(old.min(said), said, &nodes).unwrap());
        Some(LogAnswer {
            frontier: Blob::new(codec::encode(&frontier)).unwrap(),
            consistency: consistency.map(|proof| Blob::new(codec::encode(&proof)).unwrap()),
        })
    }

    pub fn log_span(&mut self, size: u64, level: u8, index: u64) -> Option<Vec<u8>> {
        let span = Span { level, index };
        let (frontier, nodes) = self.nodes(size);
        let proof = prove_span(&frontier, span, &nodes).ok()?;
        if let Some(room) = &mut self.past.room {
            *room = room.checked_sub(1)?;
        }
        self.past.served += 1;
        let (first, count) = (span.first()? as usize, span.count()? as usize);
        let mut records = self.records[first..first + count].to_vec();
        match self.past.lie {
            LogLie::LeftOut => _ = records.pop(),
            LogLie::Altered => records[0][10] ^= 1,
            LogLie::Swapped if records.len() > 1 => records.swap(0, count - 1),
            LogLie::TooLarge => return Some(Content::TooLarge.to_bytes()),
            _ => {}
        }
        let records = records.into_iter().map(|record| Blob::new(record).unwrap()).collect();
        Some(Content::Records(Records { records: List::new(records).unwrap(), proof }).to_bytes())
    }
}
