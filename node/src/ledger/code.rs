//! Why a transaction is refused, as a stable code.

use std::fmt;

use kanhe_proto::account::AccountError;
use kanhe_proto::consent::ConsentError;
use kanhe_proto::governance::ProposalError;
use kanhe_proto::status::StatusError;

use super::map::ReadError;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// A stable reason: part of the API, never with another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The text that stands for it in every interface.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

codes! {
    /// Not the encoding of a transaction or of its payload.
    Malformed = "malformed",
    /// More bytes than a transaction may have.
    TooLarge = "too_large",
    /// A layout of transactions that this protocol version does not execute.
    UnknownVersion = "unknown_version",
    /// No payload of this kind and version is executed.
    UnknownKind = "unknown_kind",
    /// For another chain.
    WrongChain = "wrong_chain",
    /// For another era of this chain.
    WrongEra = "wrong_era",
    /// Its expiry is before the block's time.
    Expired = "expired",
    /// Its expiry is more than an hour after the block's time.
    ExpiryTooFar = "expiry_too_far",
    /// Executed before.
    Duplicate = "duplicate",
    /// The sender is no member at this height.
    UnknownSender = "unknown_sender",
    /// The sender has no such key.
    UnknownKey = "unknown_key",
    /// The key is for something else.
    KeyRole = "key_role",
    /// The key does not hold at this height.
    KeyNotValid = "key_not_valid",
    /// The key was reported stolen.
    KeyDistrusted = "key_distrusted",
    /// The signature is not of the key over the id.
    BadSignature = "bad_signature",
    /// The sender may not issue this type now.
    NotAccredited = "not_accredited",
    /// There is no such version of the type in force.
    UnknownType = "unknown_type",
    /// No licence in the batch, or more than the parameter allows.
    BatchCount = "batch_count",
    /// A root under which nothing can stand.
    BatchRoot = "batch_root",
    /// The log has no record at this index yet.
    UnknownBatch = "unknown_batch",
    /// Nothing to be done.
    NoChanges = "no_changes",
    /// The licences are another bureau's, and the sender does not act as supervisor.
    NotOwn = "not_own",
    /// The sender does not supervise that issuer for that type now.
    NotSupervisor = "not_supervisor",
    /// The history is not as long as the sender believed.
    StaleHistory = "stale_history",
    /// Nothing follows the status that it has.
    StatusFinal = "status_final",
    /// It has that status already.
    StatusUnchanged = "status_unchanged",
    /// Only a final status fits into the history.
    HistoryFull = "history_full",
    /// Effective later than the block that records it.
    EffectiveLater = "effective_later",
    /// A supervisor set it, so only a supervisor lifts it.
    SetBySupervisor = "set_by_supervisor",
    /// Not a proposal that could ever be decided.
    ProposalWrong = "proposal_wrong",
    /// It would live longer than the parameters allow, or was made later than the block.
    ProposalLifetime = "proposal_lifetime",
    /// Parameters that cannot be in force.
    ParametersWrong = "parameters_wrong",
    /// No open proposal has this id.
    ProposalUnknown = "proposal_unknown",
    /// It can be decided no more.
    ProposalExpired = "proposal_expired",
    /// It is open, or was decided or withdrawn.
    ProposalExists = "proposal_exists",
    /// Too many proposals are open, of this bureau or in all.
    ProposalLimit = "proposal_limit",
    /// The proposer's own yes is missing.
    ProposerVote = "proposer_vote",
    /// No votes, or not in ascending order of bureau.
    VotesOrder = "votes_order",
    /// A vote's signature, or that of a withdrawal or activation, is not of the key that it names.
    VoteSignature = "vote_signature",
    /// The bureau is no member now.
    NotMember = "not_member",
    /// The validators that are alive could not go on with the set that would result.
    WouldHalt = "would_halt",
    /// More than a third of the power would change in one epoch.
    PowerChange = "power_change",
    /// What the action is about does not exist or does not hold now.
    NoSuch = "no_such",
    /// It exists already, or is so already.
    ExistsAlready = "exists_already",
    /// The key's holder did not prove that it has it.
    PossessionWrong = "possession_wrong",
    /// A key with a seat ends by rotation, or after its seat was taken away.
    KeySeated = "key_seated",
    /// The registry record, the schedule or a list has no room left.
    RegistryFull = "registry_full",
    /// No such version of the protocol can follow, or not at that height.
    ProtocolWrong = "protocol_wrong",
    /// The votes do not prove that a validator signed two values.
    EquivocationWrong = "equivocation_wrong",
    /// The block has no room left for the leaves that it changes.
    BlockUpdates = "block_updates",
    /// The block has no room left for the signatures that it makes everybody verify.
    BlockSignatures = "block_signatures",
    /// There is such a case already.
    CaseExists = "case_exists",
    /// There is no such case, or no longer.
    CaseUnknown = "case_unknown",
    /// The opening is void by now, or would be good for more than a day.
    CaseOpeningLate = "case_opening_late",
    /// No such version of the item is in force, or its file is another.
    ItemNotInForce = "item_not_in_force",
    /// The act does not fit the item.
    CaseShape = "case_shape",
    /// A signature is not of the key that must act.
    CaseSignature = "case_signature",
    /// The case or its item does not name who acts, or not for this.
    CaseNotNamed = "case_not_named",
    /// What a clerk opens a case on is no purpose of public benefit that is in force.
    CaseGround = "case_ground",
    /// Meanwhile the slot or step is in another round.
    CaseRound = "case_round",
    /// The step was returned too often: it is approved or rejected.
    CaseRounds = "case_rounds",
    /// The slot has presented in this round.
    CasePresented = "case_presented",
    /// The step waits for others.
    CaseNotReady = "case_not_ready",
    /// The step is decided, or its licences are issued.
    CaseDecided = "case_decided",
    /// The case has ended, or its time is over.
    CaseOver = "case_over",
    /// The case has not ended.
    CaseNotOver = "case_not_over",
    /// The case was rated.
    CaseRated = "case_rated",
    /// There is such a consent already.
    ConsentExists = "consent_exists",
    /// There is no such consent, or no longer.
    ConsentUnknown = "consent_unknown",
    /// No key, number of reads or end that a consent can have.
    ConsentShape = "consent_shape",
    /// The grant is void by now, or would be good for more than a day.
    ConsentLate = "consent_late",
    /// The act is not signed by the consent's key.
    ConsentSignature = "consent_signature",
    /// The consent was taken back.
    ConsentWithdrawn = "consent_withdrawn",
    /// The consent's time is over.
    ConsentOver = "consent_over",
    /// All reads of the consent are used.
    ConsentSpent = "consent_spent",
    /// Not the next read of the consent.
    ConsentOrder = "consent_order",
    /// The consent is for another reader or purpose.
    ConsentOther = "consent_other",
    /// No purpose or ground of this code is in force.
    PurposeUnknown = "purpose_unknown",
    /// Data is never read for profit, whoever asks.
    PurposeCommercial = "purpose_commercial",
    /// The request to read is older than ten minutes, or of a time to come.
    ReadTime = "read_time",
    /// No issuing key of the reader, or of the source, that holds now.
    ReadKey = "read_key",
    /// A signature is not of the reader's key, or not of the source's.
    ReadSignature = "read_signature",
    /// The code of a refusal that is none.
    ReadCode = "read_code",
    /// The request was recorded before.
    ReadTwice = "read_twice",
    /// The case is not open, or neither reader nor source plays a role in it.
    ReadCase = "read_case",
    /// There is such an account already.
    AccountExists = "account_exists",
    /// There is no such account.
    AccountUnknown = "account_unknown",
    /// The account is closed.
    AccountClosed = "account_closed",
    /// Another act on the account was first.
    AccountSequence = "account_sequence",
    /// A signature is not of the key that must act.
    AccountSignature = "account_signature",
    /// Neither a key of the account nor an issuing key of a bureau, or not for this.
    AccountNotNamed = "account_not_named",
    /// The type under which it would be opened is not in force, or not one of enterprises.
    AccountType = "account_type",
    /// No keys, too many, twice there, of another algorithm, or the last one taken away.
    AccountKeys = "account_keys",
    /// No such delegate, or none that can be.
    AccountDelegate = "account_delegate",
    /// A delegate would act for longer than three years, or not at all.
    AccountDelegateLife = "account_delegate_life",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<AccountError> for Code {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Exists => Self::AccountExists,
            AccountError::Closed => Self::AccountClosed,
            AccountError::Sequence => Self::AccountSequence,
            AccountError::NotNamed => Self::AccountNotNamed,
            AccountError::Keys => Self::AccountKeys,
            AccountError::Delegate => Self::AccountDelegate,
            AccountError::DelegateLife => Self::AccountDelegateLife,
        }
    }
}

impl From<StatusError> for Code {
    fn from(error: StatusError) -> Self {
        match error {
            StatusError::StaleHistory { .. } => Self::StaleHistory,
            StatusError::Final(_) => Self::StatusFinal,
            StatusError::Unchanged(_) => Self::StatusUnchanged,
            StatusError::Full => Self::HistoryFull,
            StatusError::EffectiveLater => Self::EffectiveLater,
            StatusError::SetBySupervisor => Self::SetBySupervisor,
        }
    }
}

/// Why execution did not go on. The two must not be confused: only a code says something about the transaction.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The rules refuse the transaction.
    #[error("refused: {0}")]
    Code(Code),
    /// The state could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<&ProposalError> for Code {
    fn from(error: &ProposalError) -> Self {
        let known = [Self::NotOwn, Self::PossessionWrong, Self::KeyRole, Self::ProposalLifetime, Self::ParametersWrong];
        known.into_iter().find(|code| code.as_str() == error.code()).unwrap_or(Self::ProposalWrong)
    }
}

impl From<ConsentError> for Code {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::Shape => Self::ConsentShape,
            ConsentError::Late => Self::ConsentLate,
            ConsentError::Withdrawn => Self::ConsentWithdrawn,
            ConsentError::Over => Self::ConsentOver,
            ConsentError::Spent => Self::ConsentSpent,
            ConsentError::Order(_) => Self::ConsentOrder,
            ConsentError::Other => Self::ConsentOther,
            ConsentError::Time => Self::ReadTime,
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert!(Code::ALL[i + 1..].iter().all(|other| other.as_str() != code.as_str()), "{code}");
        }
    }
}
