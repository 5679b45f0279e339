//! What an officer may say, and keeping it: a running desk signs and sends it.

use kanhe_proto::case::Outcome;
use kanhe_proto::hash::CaseId;

use super::decision::name;
use super::row::{Row, RowKey, Ruling, State};
use crate::clock;
use crate::issuer::Register;
use crate::talk::{ExitCode, Failure};

/// Most characters of an officer's number.
pub const OFFICER_CHARS_MAX: usize = 64;
/// Reasons besides the codes of the step's rules.
pub const REASONS: [&str; 5] = ["file_wrong", "presentation_not_valid", "form_not_complete", "not_entitled", "other"];

/// There is no such row.
pub(super) fn unknown(case: &CaseId) -> Failure {
    Failure::of(ExitCode::Usage, "desk_case_unknown", &[("case", case)])
}

/// Reasons that may be given for a row.
pub(super) fn reasons(row: &Row) -> Vec<String> {
    let rules = row.rules.iter().map(ToString::to_string);
    rules.chain(REASONS.map(str::to_owned)).collect()
}

/// Whether an officer may say this of a row as it is.
pub fn may(row: &Row, outcome: Outcome, reason: Option<&str>) -> Result<(), Failure> {
    let case = &row.key.case;
    if !row.is_open() {
        let state = crate::talk::say(&format!("desk.state.{}", state(row.state)), &[]);
        return Err(Failure::of(ExitCode::Refused, "desk_not_open", &[("case", case), ("state", &state)]));
    }
    if outcome == Outcome::Approved {
        let blocked = row.checked.as_ref().map(|checked| &checked.blocked);
        return match blocked {
            None => Err(Failure::of(ExitCode::Refused, "desk_not_checked", &[("case", case)])),
            Some(blocked) if !blocked.is_empty() => {
                let why: Vec<&str> = blocked.iter().map(|fault| fault.code.as_str()).collect();
                Err(Failure::of(ExitCode::Refused, "desk_blocked", &[("case", case), ("why", &why.join(", "))]))
            }
            Some(_) => Ok(()),
        };
    }
    if outcome == Outcome::Returned && !row.can_return {
        return Err(Failure::of(ExitCode::Refused, "desk_no_return", &[("case", case)]));
    }
    let known = reasons(row);
    let given = reason.unwrap_or_default();
    match known.iter().any(|known| known == given) && name(given).is_some() {
        true => Ok(()),
        false => {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("reason", &given), ("known", &known.join(", "))];
            Err(Failure::of(ExitCode::Usage, "desk_reason", args))
        }
    }
}

/// The stable name of a state.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Seen => "seen",
        State::Checked => "checked",
        State::Waiting => "waiting",
        State::Signed => "signed",
        State::Recorded => "recorded",
        State::Issuing => "issuing",
        State::Issued => "issued",
        State::Lost => "lost",
    }
}

/// Keeps what an officer says; said once it stands.
pub fn rule(
    register: &Register,
    key: &RowKey,
    outcome: Outcome,
    reason: Option<&str>,
    officer: &str,
) -> Result<Row, Failure> {
    let officer = officer.trim();
    let plain = !officer.is_empty()
        && officer.chars().count() <= OFFICER_CHARS_MAX
        && !officer.chars().any(char::is_control);
    if !plain {
        return Err(Failure::of(ExitCode::Usage, "desk_officer", &[("most", &OFFICER_CHARS_MAX)]));
    }
    register.change_row(key, |row| {
        may(row, outcome, reason)?;
        let same = |known: &Ruling| known.outcome == outcome && known.reason.as_deref() == reason;
        match &row.ruling {
            Some(known) if !same(known) => {
                return Err(Failure::of(ExitCode::Refused, "desk_ruled", &[("case", &key.case)]));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let reason = reason.and_then(name);
        row.ruling = Some(Ruling { outcome, reason, officer: officer.to_owned(), at: clock::now() });
        Ok(())
    })
}
