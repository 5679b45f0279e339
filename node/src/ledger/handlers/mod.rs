//! One handler for each kind of transaction.

pub(super) mod change_status;
pub(super) mod enterprise_account;
pub(super) mod issue_batch;
