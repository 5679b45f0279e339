//! Every domain tag in one table.
//!
//! A tag is the first 16 bytes of what is hashed or signed under it, ASCII and padded with zeros. Tags are unique
//! and part of the format: changing one changes every signature made under it. None begins with `PoV`, the
//! preimage that the consensus engine signs by itself.

/// A domain tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag([u8; 16]);

impl Tag {
    const fn new(name: &str) -> Self {
        let name = name.as_bytes();
        assert!(name.len() <= 16);
        let mut bytes = [0; 16];
        let mut i = 0;
        while i < name.len() {
            bytes[i] = name[i];
            i += 1;
        }
        Self(bytes)
    }
    /// The bytes that begin a preimage.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        $($(#[$doc])* pub const $name: Tag = Tag::new($text);)+
        /// All of them, for the test of their uniqueness and for the protocol's documentation.
        pub const ALL: &[(&str, Tag)] = &[$((stringify!($name), $name)),+];
    };
}

tags! {
    /// Genesis bytes → chain id.
    GENESIS = "kanhe:genesis",
    /// Header bytes → header hash.
    HEADER = "kanhe:header",
    /// Algorithm and public key → key id.
    KEY_ID = "kanhe:key-id",
    /// Algorithm and public key → validator address.
    ADDRESS = "kanhe:address",
    /// Validator list → validators hash.
    VALIDATORS = "kanhe:validators",
    /// Parameters → parameters hash.
    PARAMETERS = "kanhe:parameters",
    /// Certificate bytes → last certificate hash.
    CERTIFICATE = "kanhe:certificat",
    /// Transaction body bytes → transaction id.
    TRANSACTION = "kanhe:tx",
    /// Transaction id → what its sender signs.
    TRANSACTION_SIGN = "kanhe:tx-sign",
    /// What a validator signs for a prevote or precommit.
    VOTE = "kanhe:vote",
    /// What a validator signs for a proposal.
    PROPOSAL = "kanhe:proposal",
    /// What a validator signs for the parts of a proposal.
    PROPOSAL_PART = "kanhe:part",
    /// What a validator signs to prove its place in the engine's network.
    VALIDATOR_PROOF = "kanhe:val-proof",
    /// What a node signs, with its network key, to tell its tip in the engine's network.
    ENGINE_STATUS = "kanhe:status",
    /// Proposal bytes → proposal id.
    GOVERNANCE_PROPOSAL = "kanhe:gov-prop",
    /// What a bureau signs to vote on a proposal.
    GOVERNANCE_VOTE = "kanhe:gov-vote",
    /// What a proposer signs to withdraw a proposal.
    GOVERNANCE_WITHDRAW = "kanhe:gov-withdr",
    /// What a validator key signs to take its seat.
    GOVERNANCE_ACTIVATE = "kanhe:gov-active",
    /// What a new key signs to prove that its bureau holds it.
    GOVERNANCE_POSSESSION = "kanhe:gov-posses",
    /// What a governance key signs under a membership card.
    GOVERNANCE_CARD = "kanhe:gov-card",
    /// Proof of a double signature → its hash.
    EQUIVOCATION = "kanhe:equivocat",
    /// Proposal id → key of its content in the state map.
    PROPOSAL_CONTENT = "kanhe:prop-cont",
    /// Proposal id → key of its votes in the state map.
    PROPOSAL_VOTES = "kanhe:prop-votes",
    /// Key of the list of open proposals in the state map.
    OPEN_PROPOSALS = "kanhe:prop-open",
    /// Key of the validators' last signed heights in the state map.
    ALIVE = "kanhe:alive",
    /// Registry kind and identifier → key in the registry map.
    REGISTRY_KEY = "kanhe:registry",
    /// Issuer and licence digest → key in the state map.
    LICENCE_STATUS = "kanhe:lic-status",
    /// Issuer and batch id → key in the state map.
    BATCH_STATUS = "kanhe:bat-status",
    /// Transaction id → key in the state map.
    SPENT_ID = "kanhe:spent-id",
    /// Secret, kind and number of an id → `kanhe_hb`.
    HOLDER_BINDING = "kanhe:holder",
    /// Salt and pickup code → its stored hash.
    PICKUP_CODE = "kanhe:pickup",
    /// Info of HPKE for messages between wallet and issuer.
    SEAL_INFO = "kanhe:seal",
    /// Associated data of encrypted key files.
    KEY_FILE = "kanhe:key-file",
    /// Associated data of the file that moves a validator key.
    VALIDATOR_FILE = "kanhe:val-file",
    /// Secret of a wallet and a label → a derived secret.
    DERIVE = "kanhe:derive",
    /// Possession of a holder's key towards a queue.
    POSSESSION = "kanhe:possess",
    /// 32 random bytes and content → commitment.
    COMMITMENT = "kanhe:commit",
    /// Chain and opener's key → case id.
    CASE_ID = "kanhe:case",
    /// Case id → key in the state map.
    CASE_KEY = "kanhe:case-key",
    /// What is signed by who acts on a case.
    CASE_ACT = "kanhe:case-act",
    /// What an invitation's key signs for the key of who joins a case.
    CASE_JOIN = "kanhe:case-join",
    /// What a clerk's bureau signs to open a case for somebody.
    CASE_ASSISTED = "kanhe:case-help",
    /// Case, slot, round and place of a bureau → nonce of a presentation.
    CASE_NONCE = "kanhe:case-nonce",
    /// What the author of a part of a case file signs.
    CASE_FILE_PART = "kanhe:case-part",
    /// Chain and a consent's key → consent id.
    CONSENT_ID = "kanhe:consent",
    /// Consent id → key in the state map.
    CONSENT_KEY = "kanhe:cons-key",
    /// What a consent's key signs to give it or to take it back.
    CONSENT_ACT = "kanhe:cons-act",
    /// Consent and its terms → nonce of the presentation that shows whose it is.
    CONSENT_NONCE = "kanhe:cons-nonce",
    /// What a reader signs to ask; the request → its id.
    READ_REQUEST = "kanhe:read-req",
    /// What a source signs before data leaves it.
    READ = "kanhe:read",
    /// Source → key of the number of its reads in the state map.
    SOURCE_READS = "kanhe:src-reads",
    /// Trace key and number of a read → key of its note.
    TRACE_NOTE = "kanhe:trace-note",
    /// Trace key, number of a read and note → nonce of the note.
    TRACE_NONCE = "kanhe:trace-once",
    /// Unified social credit code → key of an enterprise's account in the state map.
    ACCOUNT_KEY = "kanhe:acct-key",
    /// What is signed by who acts on an enterprise's account.
    ACCOUNT_ACT = "kanhe:acct-act",
    /// What a key signs that acts for an enterprise in a case.
    MANDATE = "kanhe:mandate",
    /// Letter key and commitment → where a letter is left.
    LETTER_ID = "kanhe:letter-id",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_unique_and_never_the_engines() {
        for (i, (name, tag)) in ALL.iter().enumerate() {
            assert!(!tag.bytes().starts_with(b"PoV"), "{name}");
            assert!(ALL[i + 1..].iter().all(|(_, other)| other != tag), "{name} is not unique");
        }
    }
}
