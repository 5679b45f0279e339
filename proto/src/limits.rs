//! Every limit of the protocol, by name. Local policy lives in a node's configuration instead.

/// Validators in a set.
pub const VALIDATORS_MAX: usize = 128;
/// Sum of all power: the engine panics where sums overflow, so the protocol stays far below.
pub const POWER_TOTAL_MAX: u64 = 1 << 32;
/// Bureaus of a consortium.
pub const BUREAUS_MAX: usize = 512;
/// Intervals of a registry record.
pub const INTERVALS_MAX: usize = 64;
/// Entries of a status history.
pub const STATUS_ENTRIES_MAX: usize = 32;
/// Licences under one batch root.
pub const BATCH_COUNT_MAX: u32 = 100_000;
/// Status changes in one transaction.
pub const STATUS_CHANGES_MAX: usize = 1_000;
/// Bytes of a transaction.
pub const TRANSACTION_BYTES_MAX: usize = 256 << 10;
/// Transactions of a block that a decoder accepts; parameters may allow fewer.
pub const BLOCK_TRANSACTIONS_MAX: usize = 20_000;
/// Bytes of a block that a decoder accepts; parameters may allow fewer.
pub const BLOCK_BYTES_MAX: usize = 16 << 20;
/// How far ahead of block time a transaction may expire, in milliseconds: one hour.
pub const EXPIRY_AHEAD_MAX_MS: u64 = 3_600_000;
/// Siblings of a path in an RFC 9162 tree.
pub const LOG_PATH_MAX: usize = 64;
/// Siblings of a path in a sparse map.
pub const MAP_PATH_MAX: usize = 256;
/// Bytes of a value in a sparse map.
pub const MAP_VALUE_BYTES_MAX: usize = 128 << 10;
/// Bytes of a record in the log.
pub const RECORD_BYTES_MAX: usize = 128 << 10;
/// Bytes of a name in one language.
pub const NAME_BYTES_MAX: usize = 256;
/// Bytes of a code: licence type, purpose, region, claim.
pub const CODE_BYTES_MAX: usize = 64;
/// Bytes of the JSON Schema of a licence type.
pub const SCHEMA_BYTES_MAX: usize = 32 << 10;
/// Entries of a list inside a registry record: types a relying party may ask for, claims, purposes.
pub const REGISTRY_LIST_MAX: usize = 128;
/// Governance records that a hand-over carries.
pub const ACTS_MAX: usize = 64;
/// Bytes of a governance proposal.
pub const PROPOSAL_BYTES_MAX: usize = 64 << 10;
/// Actions of a proposal.
pub const ACTIONS_MAX: usize = 16;
/// Bytes of a proposal's note.
pub const NOTE_BYTES_MAX: usize = 1_024;
/// Keys that a bureau is admitted with, and that a membership card shows.
pub const ADMITTED_KEYS_MAX: usize = 8;
/// Addresses of a bureau's node.
pub const ADDRESSES_MAX: usize = 8;
/// Batches that one action reaffirms.
pub const REAFFIRMED_MAX: usize = 256;
/// Proposals that are open at once.
pub const OPEN_PROPOSALS_MAX: usize = 256;
/// Proposals of one bureau that are open at once.
pub const OPEN_PROPOSALS_BUREAU_MAX: usize = 8;
/// What waits in the schedule.
pub const SCHEDULE_MAX: usize = 1_024;
/// How long an old key may still sign beside the new one, in milliseconds: seven days.
pub const KEY_OVERLAP_MAX_MS: u64 = 7 * 86_400_000;
/// Longest life that parameters may allow a proposal, in milliseconds: 60 days, well below [`ACT_AGE_MAX_MS`].
pub const PROPOSAL_LIFETIME_MAX_MS: u64 = 60 * 86_400_000;
/// How long after its creation a proposal may explain a change of validators, in milliseconds: 90 days.
pub const ACT_AGE_MAX_MS: u64 = 90 * 86_400_000;
/// Bytes of a membership card.
pub const CARD_BYTES_MAX: usize = 16 << 10;
/// Bytes of genesis.
pub const GENESIS_BYTES_MAX: usize = 8 << 20;
/// Bytes of an evidence bundle.
pub const EVIDENCE_BYTES_MAX: usize = 256 << 10;
/// Bytes of a hand-over.
pub const HAND_OVER_BYTES_MAX: usize = 8 << 20;
/// Bytes of a certificate.
pub const CERTIFICATE_BYTES_MAX: usize = 16 << 10;
/// Bytes of a header.
pub const HEADER_BYTES_MAX: usize = 1 << 10;
/// Bytes of a signed request.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Bytes of a response.
pub const RESPONSE_BYTES_MAX: usize = 1 << 20;
/// Licences in one response.
pub const RESPONSE_LICENCES_MAX: usize = 16;
/// One-time copies of a licence in one batch.
pub const COPIES_MAX: u8 = 16;
/// Bytes of a sealed message between wallet and issuer.
pub const SEALED_BYTES_MAX: usize = 256 << 10;
/// Bytes of the items in one piece of a snapshot.
pub const PIECE_BYTES_MAX: usize = 1 << 20;
/// Items in one piece of a snapshot: as many as the smallest ones that fit.
pub const PIECE_ITEMS_MAX: usize = 1 << 16;
