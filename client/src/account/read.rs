//! Accounts, proved.

use kanhe_proto::account::{AccountHistory, AccountRecord, EnterpriseAccount, account_key};
use kanhe_proto::codec;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::limits::{MAP_VALUE_BYTES_MAX, RECORD_BYTES_MAX};
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf, ProvedRecord};

use crate::follow::{FollowError, Follower, state_leaf};
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

const PROVED_BYTES_MAX: usize = RECORD_BYTES_MAX + (8 << 10);
const LEAF_BYTES_MAX: usize = MAP_VALUE_BYTES_MAX + (16 << 10);

/// An account as of a header; none: proved that there is none.
#[derive(Debug, Clone)]
pub struct AccountFound {
    /// The account.
    pub account: Option<EnterpriseAccount>,
    /// The header that proves it.
    pub certified: CertifiedHeader,
    /// Its path, to be shown to others.
    pub leaf: ProvedLeaf,
}

impl AccountFound {
    /// The account, or the failure of a command that needs one.
    pub fn needed(&self, uscc: &Uscc) -> Result<&EnterpriseAccount, Failure> {
        self.account.as_ref().ok_or_else(|| Failure::of(ExitCode::Refused, "account_none", &[("uscc", uscc)]))
    }
}

/// The account of an enterprise now.
pub fn read(follower: &mut Follower, uscc: &Uscc) -> Result<AccountFound, Failure> {
    let found = follower.state::<EnterpriseAccount>(&account_key(uscc), |node: &NodeClient| node.account(uscc))?;
    let leaf = codec::decode(&found.answer.leaf, LEAF_BYTES_MAX)
        .map_err(|error| Failure::reported(ExitCode::Failure, "leaf_malformed", error))?;
    Ok(AccountFound { account: found.value, certified: found.header, leaf })
}

/// An account with all acts on it.
#[derive(Debug, Clone)]
pub struct Told {
    /// The account.
    pub account: EnterpriseAccount,
    /// Height of the header that proves it.
    pub height: Height,
    /// Time of that header.
    pub time: TimeMs,
    /// With their places in the log, the opening first; none is missing.
    pub acts: Vec<(LogIndex, AccountRecord)>,
}

/// An account with all acts on it; none: proved that there is none.
pub fn history(follower: &mut Follower, uscc: &Uscc) -> Result<Option<Told>, Failure> {
    let first = follower.ask(|follower, node| {
        let answer = node.account_acts(uscc, None)?;
        let header = follower.believed(node, &answer.certified)?;
        let account: Option<EnterpriseAccount> = state_leaf(node, &answer.leaf, &header, &account_key(uscc))?;
        let Some(account) = account else { return Ok(None) };
        let mut list = AccountHistory::of(&account);
        push(node, &mut list, &header, &answer.acts)?;
        Ok(Some((account, header.header, list)))
    })?;
    let Some((account, header, mut list)) = first else { return Ok(None) };
    while let Some(from) = list.wanted() {
        list = follower.ask(|follower, node| {
            let answer = node.account_acts(uscc, Some(from))?;
            let header = follower.believed(node, &answer.certified)?;
            let mut longer = list.clone();
            push(node, &mut longer, &header, &answer.acts)?;
            Ok(longer)
        })?;
    }
    let acts = list.into_whole().expect("asked until none was wanted");
    Ok(Some(Told { account, height: header.height, time: header.time, acts }))
}

/// Takes what a node says comes next; nothing more of it is no answer.
fn push(
    node: &NodeClient,
    list: &mut AccountHistory,
    header: &CertifiedHeader,
    records: &[impl std::ops::Deref<Target = [u8]>],
) -> Result<(), FollowError> {
    let before = list.wanted();
    for bytes in records {
        if list.wanted().is_none() {
            break;
        }
        let proved: ProvedRecord = codec::decode(bytes, PROVED_BYTES_MAX).map_err(|error| node.malformed(error))?;
        list.push(&header.header, &proved).map_err(|error| node.malformed(error))?;
    }
    match before.is_some() && list.wanted() == before {
        true => Err(node.malformed("no acts where there are some").into()),
        false => Ok(()),
    }
}
