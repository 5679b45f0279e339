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
/// Bytes of the canonical JSON of a service item: kept and served like a schema.
pub const ITEM_BYTES_MAX: usize = SCHEMA_BYTES_MAX;
/// Service items of a chain.
pub const ITEMS_MAX: usize = 1_024;
/// Parties of a service item.
pub const ITEM_PARTIES_MAX: usize = 16;
/// Roles of bureaus in a service item.
pub const ITEM_ROLES_MAX: usize = 16;
/// Bureaus that may play one role.
pub const ITEM_BOUND_MAX: usize = 16;
/// Steps of a service item.
pub const ITEM_STEPS_MAX: usize = 32;
/// Licences that a service item asks for.
pub const ITEM_ASKS_MAX: usize = 64;
/// Types that one ask accepts.
pub const ITEM_TYPES_MAX: usize = 16;
/// Claims of one ask or read, and choices of a field.
pub const ITEM_CLAIMS_MAX: usize = 64;
/// Fields that are filled in.
pub const ITEM_FIELDS_MAX: usize = 64;
/// Files that are handed in.
pub const ITEM_ATTACHMENTS_MAX: usize = 16;
/// Reads of one bureau from another.
pub const ITEM_READS_MAX: usize = 32;
/// Rules of a service item.
pub const ITEM_RULES_MAX: usize = 64;
/// Licences that come of a service item.
pub const ITEM_YIELDS_MAX: usize = 16;
/// Inputs in an item's file to try its rules on.
pub const ITEM_SAMPLES_MAX: usize = 64;
/// Bytes of one CEL expression.
pub const RULE_BYTES_MAX: usize = 2_048;
/// Bytes of a few sentences in one language.
pub const WORDS_BYTES_MAX: usize = 2_048;
/// Days that a case may live.
pub const CASE_LIFE_DAYS_MAX: u32 = 1_095;
/// Days that a step may take.
pub const STEP_LIMIT_DAYS_MAX: u32 = 365;
/// Bytes of all attachments of a case file: 32 MiB.
pub const ATTACHMENT_BYTES_MAX: u32 = 32 << 20;
/// Acts on cases in one transaction.
pub const CASE_ACTS_MAX: usize = 32;
/// Bytes of all acts in one transaction: more than that many of the largest have.
pub const CASE_PAYLOAD_BYTES_MAX: usize = 128 << 10;
/// Slots of a case for those who take part besides bureaus.
pub const CASE_SLOTS_MAX: usize = 16;
/// Times that a step may be returned; then it is approved or rejected.
pub const CASE_ROUNDS_MAX: u32 = 32;
/// How far ahead of block time an opening may be good, in milliseconds: 24 hours.
pub const CASE_OPENING_AHEAD_MAX_MS: u64 = 24 * 3_600_000;
/// How long the leaf of a case stays after its end, in milliseconds: 30 days.
pub const CASE_FORGET_AFTER_MS: u64 = 30 * 86_400_000;
/// Cases that expire or are forgotten in one block.
pub const CASES_SWEPT_MAX: usize = 256;
/// Acts on consents in one transaction.
pub const CONSENT_ACTS_MAX: usize = 32;
/// Bytes of all acts on consents in one transaction: more than that many of the largest have.
pub const CONSENT_PAYLOAD_BYTES_MAX: usize = 32 << 10;
/// Reads that one consent may allow.
pub const CONSENT_READS_MAX: u32 = 1_000;
/// How long after its grant a consent may let read, in milliseconds: 90 days.
pub const CONSENT_LIFE_MAX_MS: u64 = 90 * 86_400_000;
/// How far ahead of block time a grant may be good, in milliseconds: 24 hours.
pub const CONSENT_ACCEPT_AHEAD_MAX_MS: u64 = 24 * 3_600_000;
/// How long the leaf of a consent stays after its last moment, in milliseconds: 30 days.
pub const CONSENT_FORGET_AFTER_MS: u64 = 30 * 86_400_000;
/// Consents that are forgotten in one block.
pub const CONSENTS_SWEPT_MAX: usize = 256;
/// Reads recorded in one transaction.
pub const READS_MAX: usize = 32;
/// How old a request may be when its read is recorded, in milliseconds: 10 minutes.
pub const READ_AGE_MAX_MS: u64 = 600_000;
/// How far ahead of block time the clock of a reader may be, in milliseconds: a minute.
pub const READ_AHEAD_MAX_MS: u64 = 60_000;
/// How old the record of a read may be when the source serves it, in milliseconds: a minute.
pub const READ_SERVED_WITHIN_MS: u64 = 60_000;
/// Bytes of a signed request to read.
pub const READ_REQUEST_BYTES_MAX: usize = 1 << 10;
/// Types in the terms of a consent and in a request to read.
pub const SCOPE_TYPES_MAX: usize = 16;
/// Claims of one type there.
pub const SCOPE_CLAIMS_MAX: usize = 64;
/// Bytes of terms and of what is asked: more than the largest have.
pub const SCOPE_BYTES_MAX: usize = 128 << 10;
/// How many numbers above the highest that was found a person's reads are looked for.
pub const TRACE_WINDOW: u64 = 64;
/// Classes of data that a bureau declares, ever.
pub const DATA_CLASSES_MAX: usize = 256;
/// Classes that one action declares or retires.
pub const DATA_DECLARED_MAX: usize = 64;
/// Bytes of a case file, which is rounded up to a multiple of [`CASE_FILE_UNIT_BYTES`]: 40 MiB.
pub const CASE_FILE_BYTES_MAX: u32 = 40 << 20;
/// Unit of the sizes of case files that are shown: 4 KiB.
pub const CASE_FILE_UNIT_BYTES: u32 = 4 << 10;
/// Bytes of the words that a bureau sends with a decision.
pub const LETTER_BYTES_MAX: usize = 6_000;
/// Bytes of a bureau's own number of a clerk.
pub const CLERK_BYTES_MAX: usize = 32;
/// Bytes of the name of a rule engine.
pub const ENGINE_BYTES_MAX: usize = 64;
/// Acts on enterprises' accounts in one transaction.
pub const ACCOUNT_ACTS_MAX: usize = 8;
/// Bytes of all acts on accounts in one transaction: more than that many of the largest have.
pub const ACCOUNT_PAYLOAD_BYTES_MAX: usize = 32 << 10;
/// Keys of an enterprise's account.
pub const ACCOUNT_KEYS_MAX: usize = 8;
/// Delegates of an account, those that were revoked included.
pub const ACCOUNT_DELEGATES_MAX: usize = 32;
/// Items in whose cases one delegate may act.
pub const DELEGATE_ITEMS_MAX: usize = 16;
/// How long a delegate may act, in milliseconds: three years of 365 days.
pub const DELEGATE_LIFE_MAX_MS: u64 = 1_095 * 86_400_000;
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
