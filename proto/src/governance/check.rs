//! Rules of a proposal that need no registry: whoever makes, votes on or executes one asks them.

use super::{Action, NewKeyError, PROPOSAL_VERSION, Proposal};
use crate::identifiers::Uscc;
use crate::item::Item;
use crate::key::PublicKey;
use crate::limits::{KEY_OVERLAP_MAX_MS, POWER_TOTAL_MAX};
use crate::registry::{AskRight, Effect, KeyRole, Names, Parameters, ParametersError};
use crate::vote::ChainContext;

/// Why a proposal can never be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Unknown layout.
    #[error("proposal of unknown version {0}")]
    Version(u8),
    /// Ends before it begins, or lives longer than the parameters allow.
    #[error("a proposal expires after its creation and within proposal_lifetime_max")]
    Lifetime,
    /// Does nothing.
    #[error("a proposal needs an action")]
    Empty,
    /// One action twice.
    #[error("action {0} is there twice")]
    Twice(usize),
    /// An action within another bureau's own rights, which no vote replaces.
    #[error("only the bureau itself may propose action {0}")]
    NotOwn(usize),
    /// A key that cannot be taken.
    #[error("action {0}: {1}")]
    Key(usize, NewKeyError),
    /// Parameters that cannot be in force.
    #[error("action {0}: {1}")]
    Parameters(usize, ParametersError),
    /// Anything else.
    #[error("action {0}: {1}")]
    Action(usize, &'static str),
}

impl ProposalError {
    /// The stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotOwn(_) => "not_own",
            Self::Key(_, NewKeyError::Possession(_)) => "possession_wrong",
            Self::Key(_, NewKeyError::Algorithm(_) | NewKeyError::Malformed(_)) => "key_role",
            Self::Lifetime => "proposal_lifetime",
            Self::Parameters(..) => "parameters_wrong",
            Self::Version(_) | Self::Empty | Self::Twice(_) | Self::Action(..) => "proposal_wrong",
        }
    }
}

impl Proposal {
    /// Refuses what no registry could make right. `parameters` are those in force.
    pub fn check(&self, chain: &ChainContext, parameters: &Parameters) -> Result<(), ProposalError> {
        if self.version != PROPOSAL_VERSION {
            return Err(ProposalError::Version(self.version));
        }
        if self.expires <= self.created || self.expires.since(self.created) > parameters.proposal_lifetime_max {
            return Err(ProposalError::Lifetime);
        }
        if self.actions.is_empty() {
            return Err(ProposalError::Empty);
        }
        for (at, action) in self.actions.iter().enumerate() {
            if self.actions[..at].contains(action) {
                return Err(ProposalError::Twice(at));
            }
            self.check_action(at, action, chain)?;
        }
        Ok(())
    }

    fn check_action(&self, at: usize, action: &Action, chain: &ChainContext) -> Result<(), ProposalError> {
        match action {
            Action::AdmitBureau { bureau, keys, .. } => {
                for key in keys {
                    key.check(chain, bureau).map_err(|error| ProposalError::Key(at, error))?;
                }
            }
            Action::RotateKey { bureau, new, .. } => {
                new.check(chain, bureau).map_err(|error| ProposalError::Key(at, error))?;
            }
            Action::Reaffirm { bureau, .. }
            | Action::SetAddresses { bureau, .. }
            | Action::DeclareData { bureau, .. }
            | Action::RetireData { bureau, .. }
                if *bureau != self.proposer =>
            {
                return Err(ProposalError::NotOwn(at));
            }
            Action::SetParameters { parameters } => {
                parameters.check().map_err(|error| ProposalError::Parameters(at, error))?;
            }
            _ => {}
        }
        rule(action).map_err(|reason| ProposalError::Action(at, reason))
    }
}

fn rule(action: &Action) -> Result<(), &'static str> {
    match action {
        Action::AdmitBureau { names, region, keys, .. } => {
            named(names)?;
            holds(!region.is_empty(), "a bureau needs a region")?;
            holds(keys.iter().any(|key| key.role == KeyRole::Governance), "a bureau needs a governance key")?;
            let twice = (1..keys.len()).any(|at| keys[..at].iter().any(|other| other.key == keys[at].key));
            holds(!twice, "a key is there twice")
        }
        Action::SeatValidator { key, power, .. } => {
            holds((1..=POWER_TOTAL_MAX).contains(&power.0), "power must be between 1 and 2^32")?;
            signing(key)
        }
        Action::RegisterType { names, schema, max_age, .. } => {
            named(names)?;
            holds(max_age.0 > 0, "max_age must be above zero")?;
            let schema: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(schema);
            holds(schema.is_ok(), "the schema must be a JSON object")
        }
        Action::RetireType { effect, .. } | Action::WithdrawAccreditation { effect, .. } => {
            holds(!matches!(effect, Effect::VoidFrom(height) if height.0 == 0), "nothing was issued at height 0")
        }
        Action::Supervise { supervisor, issuer, .. } => differ(supervisor, issuer),
        Action::RegisterRelyingParty { names, request_key, may_ask, purposes, .. } => {
            named(names)?;
            signing(request_key)?;
            holds(may_ask.windows(2).all(|pair| pair[0].type_code < pair[1].type_code), "types must ascend")?;
            let ascending = |right: &AskRight| right.claims.windows(2).all(|pair| pair[0] < pair[1]);
            holds(may_ask.iter().all(ascending), "claims must ascend")?;
            holds(purposes.windows(2).all(|pair| pair[0] < pair[1]), "purposes must ascend")
        }
        Action::RegisterPurpose { code, names, .. } => {
            named(names)?;
            holds(!code.is_empty(), "a purpose needs a code")
        }
        Action::RegisterItem { file, bound } => {
            let item = Item::from_json(file).map_err(|_| "the file is no item without faults in its canonical form")?;
            item.service_item(bound).map(|_| ()).map_err(|_| "each role of the item needs its bureaus, ascending")
        }
        Action::RetireItem { code } => holds(!code.is_empty(), "an item has a code"),
        Action::DeclareData { classes, .. } => {
            holds(!classes.is_empty(), "no class is declared")?;
            holds(classes.windows(2).all(|pair| pair[0].code < pair[1].code), "classes must ascend")?;
            holds(classes.iter().all(|class| !class.code.is_empty()), "a class needs a code")?;
            classes.iter().try_for_each(|class| named(&class.names))
        }
        Action::RetireData { classes, .. } => {
            holds(!classes.is_empty(), "no class is named")?;
            holds(classes.windows(2).all(|pair| pair[0] < pair[1]), "classes must ascend")
        }
        Action::ActivateProtocol { version, at } => {
            holds(version.0 >= 2 && at.0 > 0, "no earlier version can be activated")
        }
        Action::RotateKey { new, old, overlap, .. } => {
            holds(*old != Some(new.key.id()), "a key cannot replace itself")?;
            holds(overlap.0 <= KEY_OVERLAP_MAX_MS, "the overlap is at most seven days")?;
            holds(old.is_some() || overlap.0 == 0, "without an old key there is no overlap")?;
            let validator = new.role == KeyRole::Validator;
            holds(!validator || old.is_some(), "a validator key replaces another; a new seat is voted")?;
            holds(!validator || overlap.0 == 0, "a validator key has no overlap")
        }
        Action::Reaffirm { batches, .. } => {
            holds(!batches.is_empty(), "no batch is named")?;
            holds(batches.windows(2).all(|pair| pair[0] < pair[1]), "batches must ascend")
        }
        _ => Ok(()),
    }
}

fn holds(condition: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if condition { Ok(()) } else { Err(otherwise) }
}
fn named(names: &Names) -> Result<(), &'static str> {
    holds(!names.zh.is_empty() && !names.en.is_empty(), "a name in both languages is needed")
}
fn differ(supervisor: &Uscc, issuer: &Uscc) -> Result<(), &'static str> {
    holds(supervisor != issuer, "nobody supervises itself")
}
fn signing(key: &PublicKey) -> Result<(), &'static str> {
    holds(key.verifier().is_ok(), "the key cannot sign")
}
