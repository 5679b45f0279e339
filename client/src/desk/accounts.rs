//! The account of an enterprise is opened with the licence that names it.
//!
//! Nothing of it is kept in the register: the chain opens an account once, so whoever comes back after a crash finds it there.

use kanhe_proto::account::{Change, Opening};
use kanhe_proto::application::Application;
use kanhe_proto::bounded::List;

use super::row::{Fault, Granted};
use crate::account::{explain, read, send, signed_by_bureau};
use crate::follow::Follower;
use crate::issuer::{Office, Way};
use crate::talk::{ExitCode, Failure};

/// What an officer is to know before a licence is granted: the enterprise has an account already, whose keys stay as they are.
pub(super) fn check(follower: &mut Follower, granted: &Granted) -> Result<Option<Fault>, Failure> {
    let Some(uscc) = granted.account else { return Ok(None) };
    let known = read(follower, &uscc)?.account;
    Ok(known.map(|_| Fault::of("account_exists", None, format!("{}: {uscc}", granted.code))))
}

/// Opens the account, if there is none; proved when this returns.
pub(super) fn open(office: &Office, follower: &mut Follower, granted: &Granted) -> Result<(), Failure> {
    let Some(uscc) = granted.account else { return Ok(()) };
    if read(follower, &uscc)?.account.is_some() {
        return Ok(());
    }
    let grant = &granted.grant;
    let Way::Application(text) = &grant.way else { return Ok(()) };
    let application = Application::verify(text, &office.chain.chain_id, &office.issuer, grant.as_of)
        .map_err(|error| Failure::reported(ExitCode::Refused, error.code(), error))?;
    let keys = application.keys.iter().take(1).cloned().collect();
    let opening = Opening {
        type_code: grant.vct.code.clone(),
        type_version: grant.vct.version,
        keys: List::new(keys).expect("one is within the bound"),
    };
    let signed = signed_by_bureau(office, uscc, 0, Change::Open(opening))?;
    match send(follower, &signed) {
        Ok(_) => Ok(()),
        // Another bureau, or another desk of this one, was first.
        Err(failure) if failure.code == "account_exists" => Ok(()),
        Err(failure) => Err(explain(failure)),
    }
}
