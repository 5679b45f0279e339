//! Accounts of enterprises: public facts of the ledger, by unified social credit code.
//!
//! A bureau that is accredited for a licence type of enterprises opens the account, with keys of the enterprise. From then on
//! the account's own keys change it: they add and remove keys and name [`Delegate`]s, who act for the enterprise in cases
//! within limits. If the keys are lost, the bureau puts others in their place. Each act names the number of acts before it, so that
//! of two made at once the second is refused; each becomes a record of the log, which names the one before.
//!
//! The account is a leaf of the state for good: a closed one cannot be opened anew by an old act.
//!
//! In a case a delegate shows a [`Mandate`], to the bureaus alone: the chain does not learn which enterprise a case is of.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, section 4

mod act;
mod delegate;
mod leaf;
mod mandate;
mod record;

pub use act::{AccountAct, AccountPayload, By, Change, Opening, SignedAccountAct, account_act_bytes};
pub use delegate::{Allowed, Delegate, Grant, MandateFault};
pub use leaf::{AccountError, EnterpriseAccount, account_key};
pub use mandate::{MANDATE_BYTES_MAX, MANDATE_VERSION, Mandate, MandateBody, MandateError, mandate_bytes};
pub use record::{AccountHistory, AccountRecord, HistoryError};
