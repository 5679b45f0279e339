//! Whoever acts for an enterprise in a case: the mandate in its file, judged as of the block of its act.
//!
//! It is judged twice, and both must allow it: by the account as the mandate shows it, under a header that is believed, and by the
//! account as it is now, which knows of what was revoked by then. In how many cases a delegate acted the desk counts for itself:
//! the chain does not know which enterprise a case is of.

use kanhe_proto::account::{Allowed, EnterpriseAccount, Mandate, MandateError, MandateFault};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::{Item, Party};
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::HolderKind;
use kanhe_proto::trust::Trust;
use kanhe_proto::vote::ChainContext;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::account::amount_of;

/// A mandate in a file, with the account as it is now.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The mandate, or why it is none.
    pub mandate: Result<Box<Mandate>, MandateError>,
    /// The account now; nothing: there is none.
    pub account: Option<EnterpriseAccount>,
    /// In how many other cases this desk let the delegate act since its limits were set.
    pub cases_before: u32,
}

impl Brought {
    /// The delegate whose cases are counted, if it is one.
    pub fn counted(&self) -> Option<Acted> {
        let (mandate, account) = (self.mandate.as_ref().ok()?, self.account.as_ref()?);
        let key = mandate.body.key.id();
        let delegate = account.delegate(&key)?;
        delegate.grant.cases_max?;
        Some(Acted { uscc: account.uscc, key, since: delegate.since })
    }
}

/// Where a mandate is shown.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The chain.
    pub chain: &'a ChainContext,
    /// The case.
    pub case: &'a CaseId,
    /// The slot.
    pub slot: u8,
    /// The item.
    pub item: &'a Item,
    /// The party.
    pub party: &'a Party,
    /// Time of the block that has the act.
    pub presented: TimeMs,
}

/// Who acted for whom, to be counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    /// The enterprise.
    pub uscc: Uscc,
    /// The delegate's key.
    pub key: KeyId,
    /// Number of the act that set its limits.
    pub since: u32,
}

/// What came of a mandate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mandated {
    /// What rules see.
    pub seen: Map<String, Value>,
    /// Why it is refused: a stable code.
    pub refused: Option<&'static str>,
    /// The delegate, if it is one.
    pub acted: Option<Acted>,
}

/// Judges a mandate, with the values that the party filled in.
pub fn judge(place: &Place<'_>, brought: &Brought, form: &Map<String, Value>, trust: &Trust, now: TimeMs) -> Mandated {
    match allow(place, brought, form, trust, now) {
        Ok(mandated) => mandated,
        Err(code) => {
            let seen = [("refused".to_owned(), Value::from(code))].into_iter().collect();
            Mandated { seen, refused: Some(code), acted: None }
        }
    }
}

fn allow(
    place: &Place<'_>,
    brought: &Brought,
    form: &Map<String, Value>,
    trust: &Trust,
    now: TimeMs,
) -> Result<Mandated, &'static str> {
    if place.party.kind != HolderKind::Enterprise {
        return Err("mandate_not_asked");
    }
    let mandate = brought.mandate.as_ref().map_err(MandateError::code)?;
    let (body, at) = (&mandate.body, place.presented);
    let shown = mandate.read(place.chain, place.case, place.slot, &place.item.code).map_err(|error| error.code())?;
    let header = &mandate.certified.header;
    if header.time > at || trust.check(&mandate.certified, now).is_err() {
        return Err("mandate_proof");
    }
    let refused = |fault: MandateFault| fault.code();
    shown.allows(&body.key, place.item.code.as_str(), at).map_err(refused)?;
    let account = brought.account.as_ref().ok_or(MandateFault::NoAccount.code())?;
    let acted = match account.allows(&body.key, place.item.code.as_str(), at).map_err(refused)? {
        Allowed::Own => None,
        Allowed::Delegate(delegate) => {
            let fields =
                place.item.field.iter().filter_map(|field| Some((field, form.get(field.code.as_str())?.as_str()?)));
            delegate.check_limits(amount_of(fields), brought.cases_before).map_err(refused)?;
            Some(Acted { uscc: account.uscc, key: body.key.id(), since: delegate.since })
        }
    };
    let seen = json!({
        "uscc": account.uscc.to_string(),
        "type": account.type_code.to_string(),
        "opened_by": account.opened_by.to_string(),
        "own": acted.is_none(),
    });
    let Value::Object(seen) = seen else { return Err("mandate_malformed") };
    Ok(Mandated { seen, refused: None, acted })
}
