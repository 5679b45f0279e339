//! What an officer may say, and keeping it: a running desk signs and sends it.

use kanhe_proto::case::Outcome;
use kanhe_proto::hash::CaseId;

use super::decision::name;
use super::letter;
use super::row::{Row, RowKey, Ruling, State};
use crate::clock;
use crate::issuer::Register;
use crate::talk::{ExitCode, Failure};

/// Most characters of an officer's number.
pub const OFFICER_CHARS_MAX: usize = 64;
/// Reasons besides the codes of the step's rules.
pub const REASONS: [&str; 6] =
    ["file_wrong", "presentation_not_valid", "mandate_not_valid", "form_not_complete", "not_entitled", "other"];

/// There is no such row.
pub(super) fn unknown(case: &CaseId) -> Failure {
    Failure::of(ExitCode::Usage, "desk_case_unknown", &[("case", case)])
}

/// Reasons that may be given for a row.
pub fn reasons(row: &Row) -> Vec<String> {
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
pub const fn state(state: State) -> &'static str {
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
    words: Option<&str>,
    officer: &str,
) -> Result<Row, Failure> {
    let words = words.map(letter::words).transpose()?;
    let officer = officer.trim();
    let plain =
        !officer.is_empty() && officer.chars().count() <= OFFICER_CHARS_MAX && !officer.chars().any(char::is_control);
    if !plain {
        return Err(Failure::of(ExitCode::Usage, "desk_officer", &[("most", &OFFICER_CHARS_MAX)]));
    }
    register.change_row(key, |row| {
        may(row, outcome, reason)?;
        let same = |known: &Ruling| (known.outcome, known.reason.as_deref(), &known.words) == (outcome, reason, &words);
        match &row.ruling {
            Some(known) if !same(known) => {
                return Err(Failure::of(ExitCode::Refused, "desk_ruled", &[("case", &key.case)]));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let reason = reason.and_then(name);
        let officer = officer.to_owned();
        row.ruling = Some(Ruling { outcome, reason, words: words.clone(), officer, at: clock::now() });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::row::Fault;
    use super::super::row::tests::{checked, row};
    use super::*;
    use crate::talk::Passphrase;
    use crate::vault::Effort;

    #[test]
    fn an_officer_approves_only_what_was_verified_and_can_be_issued() {
        let mut row = row();
        let code = |row: &Row, outcome, reason| may(row, outcome, reason).unwrap_err().code;
        assert_eq!(code(&row, Outcome::Approved, None), "desk_not_checked");
        // What never comes can still be returned.
        may(&row, Outcome::Returned, Some("file_wrong")).unwrap();
        (row.state, row.checked) = (State::Waiting, Some(Box::new(checked(None))));
        may(&row, Outcome::Approved, None).unwrap();
        row.checked.as_mut().unwrap().blocked.push(Fault::of("application_missing", None, ""));
        assert_eq!(code(&row, Outcome::Approved, None), "desk_blocked");
        may(&row, Outcome::Rejected, Some("home_counted")).unwrap();
        for wrong in [None, Some(""), Some("Because"), Some("same_name"), Some("../x")] {
            assert_eq!(code(&row, Outcome::Rejected, wrong), "desk_reason", "{wrong:?}");
        }
        row.can_return = false;
        assert_eq!(code(&row, Outcome::Returned, Some("other")), "desk_no_return");
        row.state = State::Signed;
        assert_eq!(code(&row, Outcome::Rejected, Some("other")), "desk_not_open");
    }

    #[test]
    fn what_an_officer_said_stands() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new("correct horse".to_owned());
        let register = Register::open_or_create(&dir.path().join("register"), &passphrase, Effort::NONE).unwrap();
        let mut kept = row();
        (kept.state, kept.checked) = (State::Waiting, Some(Box::new(checked(None))));
        register.put_row(&kept).unwrap();
        let say = |outcome, reason, officer| rule(&register, &kept.key, outcome, reason, None, officer);
        assert_eq!(say(Outcome::Approved, None, " ").unwrap_err().code, "desk_officer");
        let ruled = say(Outcome::Approved, None, "0042").unwrap();
        assert_eq!(ruled.ruling.unwrap().officer, "0042");
        say(Outcome::Approved, None, "0043").unwrap();
        assert_eq!(say(Outcome::Rejected, Some("other"), "0043").unwrap_err().code, "desk_ruled");
        let row = register.row(&kept.key).unwrap().unwrap();
        assert_eq!(row.ruling.unwrap().officer, "0042");
        let other = RowKey { round: 1, ..kept.key };
        assert_eq!(rule(&register, &other, Outcome::Approved, None, None, "1").unwrap_err().code, "desk_case_unknown");
        assert_eq!(register.rows().unwrap().len(), 1);
    }
}
