//! Column families: one for each kind of thing.

/// What is stored where. Numbers in keys are big-endian, so that iteration follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Schema, chain id, genesis, tip.
    Meta,
    /// height ‖ header hash → block. A block is written once, when it is checked; committing it only names it.
    Bodies,
    /// height → header.
    Headers,
    /// header hash → height.
    Heights,
    /// height → the certificate by which this node committed it.
    Certificates,
    /// validators hash → validator set.
    Validators,
    /// map key → value hash ‖ value.
    Registry,
    /// map key → value hash ‖ value.
    State,
    /// log index → record.
    Records,
    /// level ‖ index → hash of a complete subtree of the log.
    LogNodes,
    /// level ‖ index → hash of a complete subtree of the log of headers.
    HistoryNodes,
    /// transaction id → height ‖ position.
    Transactions,
    /// expiry ‖ transaction id → nothing.
    Expiries,
    /// SHA-256 → JSON Schema.
    Schemas,
    /// issuer ‖ log index → nothing.
    IssuerBatches,
    /// log index of a governance act or double signature → nothing.
    Acts,
    /// height → the hand-over that its header is.
    HandOvers,
    /// What is looked for among cases, computed from their leaves ([`layout::case_entries`]) → nothing.
    Cases,
    /// When a consent is forgotten ‖ consent id, computed from their leaves → nothing.
    Consents,
    /// source ‖ number of a read, computed from the records → log index.
    Reads,
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Meta,
        Self::Bodies,
        Self::Headers,
        Self::Heights,
        Self::Certificates,
        Self::Validators,
        Self::Registry,
        Self::State,
        Self::Records,
        Self::LogNodes,
        Self::HistoryNodes,
        Self::Transactions,
        Self::Expiries,
        Self::Schemas,
        Self::IssuerBatches,
        Self::Acts,
        Self::HandOvers,
        Self::Cases,
        Self::Consents,
        Self::Reads,
    ];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Bodies => "bodies",
            Self::Headers => "headers",
            Self::Heights => "heights",
            Self::Certificates => "certificates",
            Self::Validators => "validators",
            Self::Registry => "registry",
            Self::State => "state",
            Self::Records => "records",
            Self::LogNodes => "log_nodes",
            Self::HistoryNodes => "history_nodes",
            Self::Transactions => "transactions",
            Self::Expiries => "expiries",
            Self::Schemas => "schemas",
            Self::IssuerBatches => "issuer_batches",
            Self::Acts => "acts",
            Self::HandOvers => "hand_overs",
            Self::Cases => "cases",
            Self::Consents => "consents",
            Self::Reads => "reads",
        }
    }

    /// Whether it is asked for keys that it mostly lacks, so that a filter saves the read.
    pub const fn is_filtered(self) -> bool {
        matches!(self, Self::State | Self::Transactions | Self::Heights)
    }
}

/// Keys and small values.
pub mod layout {
    use std::collections::BTreeSet;

    use kanhe_proto::case::{Case, CaseStatus, StepState};
    use kanhe_proto::hash::{CaseId, ConsentId, HeaderHash, TransactionId};
    use kanhe_proto::identifiers::Uscc;
    use kanhe_proto::ids::{Height, LogIndex, TimeMs};

    use crate::ledger::{CaseDue, ConsentDue, SpentKey};

    /// Version of the layout.
    pub const SCHEMA: &[u8] = b"schema";
    /// Hash of genesis.
    pub const CHAIN: &[u8] = b"chain";
    /// Genesis itself.
    pub const GENESIS: &[u8] = b"genesis";
    /// height ‖ header hash of the last committed block.
    pub const TIP: &[u8] = b"tip";
    /// height ‖ header hash of the snapshot that the database began with; absent if it has all blocks.
    pub const BASE: &[u8] = b"base";
    /// The offer of the snapshot that is being fetched: such a database is not a chain's yet.
    pub const SYNCING: &[u8] = b"syncing";
    /// Before the encoding of a piece of that snapshot: what became of it.
    pub const PIECE: &[u8] = b"piece:";

    /// Of headers and certificates.
    pub fn height(height: Height) -> [u8; 8] {
        height.0.to_be_bytes()
    }
    /// Of bodies, and the value of the tip.
    pub fn block(height: Height, hash: &HeaderHash) -> [u8; 40] {
        join(&height.0.to_be_bytes(), hash.bytes())
    }
    /// Reads [`block`].
    pub fn read_block(bytes: &[u8]) -> Option<(Height, HeaderHash)> {
        let (height, hash) = bytes.split_first_chunk::<8>()?;
        Some((Height(u64::from_be_bytes(*height)), HeaderHash(hash.try_into().ok()?)))
    }
    /// Of log nodes.
    pub fn node(level: u8, index: u64) -> [u8; 9] {
        join(&[level], &index.to_be_bytes())
    }
    /// Value of the transaction index.
    pub fn place(height: Height, position: u32) -> [u8; 12] {
        join(&height.0.to_be_bytes(), &position.to_be_bytes())
    }
    /// Reads [`place`].
    pub fn read_place(bytes: &[u8]) -> Option<(Height, u32)> {
        let (height, position) = bytes.split_first_chunk::<8>()?;
        Some((Height(u64::from_be_bytes(*height)), u32::from_be_bytes(position.try_into().ok()?)))
    }
    /// Of expiries.
    pub fn spent(key: &SpentKey) -> [u8; 40] {
        join(&key.expiry.0.to_be_bytes(), key.id.bytes())
    }
    /// Reads [`spent`].
    pub fn read_spent(bytes: &[u8]) -> Option<SpentKey> {
        let (expiry, id) = bytes.split_first_chunk::<8>()?;
        Some(SpentKey { expiry: TimeMs(u64::from_be_bytes(*expiry)), id: TransactionId(id.try_into().ok()?) })
    }
    /// Of the batches of an issuer.
    pub fn issuer_batch(issuer: &Uscc, index: LogIndex) -> [u8; 26] {
        join(issuer.as_str().as_bytes(), &index.0.to_be_bytes())
    }
    /// First byte of when time alone does something to a case: ‖ time ‖ case id.
    pub const CASE_DUE: u8 = 1;
    /// First byte of when a step that is ready is due: ‖ time ‖ case id ‖ step.
    pub const CASE_STEP: u8 = 2;
    /// First byte of an open case of a bureau: ‖ USCC ‖ case id.
    pub const CASE_BUREAU: u8 = 3;

    /// First byte of a step that is ready, for each bureau of its case: ‖ USCC ‖ when it is due ‖ case id ‖ step. Whose turn
    /// it is only the item says, and entries are of the leaf alone.
    pub const CASE_READY: u8 = 4;

    /// All entries of a case in the index of cases.
    pub fn case_entries(case: &Case) -> BTreeSet<Vec<u8>> {
        let id = case.id.bytes().as_slice();
        let mut entries = BTreeSet::from([case_due(&CaseDue { time: case.next_by_time(), id: case.id })]);
        if case.status != CaseStatus::Open {
            return entries;
        }
        for (place, step) in (0u8..).zip(&case.steps) {
            entries.extend(step.due.map(|due| [&[CASE_STEP], &due.0.to_be_bytes()[..], id, &[place]].concat()));
            if step.state == StepState::Ready {
                let at = (step.due.unwrap_or(TimeMs(u64::MAX)), case.id, place);
                entries.extend(case.chosen.iter().map(|bureau| case_ready(bureau, &at)));
            }
        }
        entries.extend(case.chosen.iter().map(|bureau| case_of_bureau(bureau, &case.id)));
        entries
    }
    /// Of when time alone does something to a case.
    pub fn case_due(due: &CaseDue) -> Vec<u8> {
        [&[CASE_DUE], &due.time.0.to_be_bytes()[..], due.id.bytes()].concat()
    }
    /// Reads [`case_due`].
    pub fn read_case_due(bytes: &[u8]) -> Option<CaseDue> {
        let (time, id) = bytes.strip_prefix(&[CASE_DUE])?.split_first_chunk::<8>()?;
        Some(CaseDue { time: TimeMs(u64::from_be_bytes(*time)), id: CaseId(id.try_into().ok()?) })
    }
    /// Reads when a step of a case is due.
    pub fn read_case_step(bytes: &[u8]) -> Option<(TimeMs, CaseId, u8)> {
        let (time, rest) = bytes.strip_prefix(&[CASE_STEP])?.split_first_chunk::<8>()?;
        let (id, place) = rest.split_first_chunk::<32>()?;
        let [place] = place else { return None };
        Some((TimeMs(u64::from_be_bytes(*time)), CaseId(*id), *place))
    }
    /// Of an open case of a bureau.
    pub fn case_of_bureau(bureau: &Uscc, id: &CaseId) -> Vec<u8> {
        [&[CASE_BUREAU], bureau.as_str().as_bytes(), id.bytes()].concat()
    }
    /// Reads [`case_of_bureau`].
    pub fn read_case_of_bureau(bytes: &[u8], bureau: &Uscc) -> Option<CaseId> {
        let id = bytes.strip_prefix(&[CASE_BUREAU])?.strip_prefix(bureau.as_str().as_bytes())?;
        Some(CaseId(id.try_into().ok()?))
    }
    /// Of a step that is ready, among those of a bureau: when it is due, its case, its place in the item.
    pub fn case_ready(bureau: &Uscc, (due, id, place): &(TimeMs, CaseId, u8)) -> Vec<u8> {
        [&[CASE_READY], bureau.as_str().as_bytes(), &due.0.to_be_bytes()[..], id.bytes(), &[*place]].concat()
    }
    /// Reads [`case_ready`]; nothing in it if it is of another bureau.
    pub fn read_case_ready(bytes: &[u8], bureau: &Uscc) -> Option<Option<(TimeMs, CaseId, u8)>> {
        let rest = bytes.strip_prefix(&[CASE_READY])?;
        let Some(rest) = rest.strip_prefix(bureau.as_str().as_bytes()) else { return Some(None) };
        let (due, rest) = rest.split_first_chunk::<8>()?;
        let (id, place) = rest.split_first_chunk::<32>()?;
        let [place] = place else { return None };
        Some(Some((TimeMs(u64::from_be_bytes(*due)), CaseId(*id), *place)))
    }
    /// Of when a consent is forgotten.
    pub fn consent_due(due: &ConsentDue) -> [u8; 40] {
        join(&due.time.0.to_be_bytes(), due.id.bytes())
    }
    /// Reads [`consent_due`].
    pub fn read_consent_due(bytes: &[u8]) -> Option<ConsentDue> {
        let (time, id) = bytes.split_first_chunk::<8>()?;
        Some(ConsentDue { time: TimeMs(u64::from_be_bytes(*time)), id: ConsentId(id.try_into().ok()?) })
    }
    /// Of a read of a source.
    pub fn read_of_source(source: &Uscc, number: u64) -> [u8; 26] {
        join(source.as_str().as_bytes(), &number.to_be_bytes())
    }
    /// Reads a number alone.
    pub fn read_number(bytes: &[u8]) -> Option<u64> {
        bytes.try_into().ok().map(u64::from_be_bytes)
    }

    fn join<const N: usize>(first: &[u8], second: &[u8]) -> [u8; N] {
        let mut joined = [0; N];
        joined[..first.len()].copy_from_slice(first);
        joined[first.len()..].copy_from_slice(second);
        joined
    }
}
