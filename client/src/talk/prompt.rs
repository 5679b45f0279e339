//! Questions to a person. Where nobody can answer, the command ends with exit code 2 and never hangs.

use std::io::{BufRead, IsTerminal};

use super::{ExitCode, Failure, Output, say};

/// Asks whether to go on. `yes` is `--yes`; a refusal is a failure, so that nothing continues by accident.
pub fn confirm(output: &Output, question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    let terminal = stdin.is_terminal() && !output.is_json();
    confirm_from(output, question, terminal, &mut stdin.lock())
}

fn confirm_from(output: &Output, question: &str, terminal: bool, input: &mut dyn BufRead) -> Result<(), Failure> {
    if !terminal {
        return Err(Failure::of(ExitCode::Usage, "needs_yes", &[]));
    }
    output.ask(format_args!("{question} {} ", say("prompt.yes_no", &[])));
    let mut answer = String::new();
    let read = input.read_line(&mut answer);
    match (read, answer.trim().to_lowercase().as_str()) {
        (Ok(_), "y" | "yes" | "是") => Ok(()),
        _ => Err(Failure::of(ExitCode::Failure, "declined", &[])),
    }
}

/// What a person answers to a question; none where nobody can, or nothing is said.
pub fn answer(output: &Output, question: &str) -> Option<String> {
    let stdin = std::io::stdin();
    let terminal = stdin.is_terminal() && !output.is_json();
    answer_from(output, question, terminal, &mut stdin.lock())
}

fn answer_from(output: &Output, question: &str, terminal: bool, input: &mut dyn BufRead) -> Option<String> {
    if !terminal {
        return None;
    }
    output.ask(format_args!("{question} "));
    let mut text = String::new();
    input.read_line(&mut text).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(terminal: bool, text: &str) -> Result<(), ExitCode> {
        let (output, _) = Output::captured(false);
        confirm_from(&output, "Revoke?", terminal, &mut text.as_bytes()).map_err(|failure| failure.exit)
    }

    #[test]
    fn only_a_plain_yes_of_a_person_goes_on() {
        assert_eq!(answer(true, "y\n"), Ok(()));
        assert_eq!(answer(true, "是\n"), Ok(()));
        assert_eq!(answer(true, "\n"), Err(ExitCode::Failure));
        assert_eq!(answer(true, ""), Err(ExitCode::Failure));
        assert_eq!(answer(false, "y\n"), Err(ExitCode::Usage));
    }

    #[test]
    fn nobody_is_asked_where_nobody_can_answer() {
        let (output, _) = Output::captured(false);
        let told = |terminal, text: &str| answer_from(&output, "Which?", terminal, &mut text.as_bytes());
        assert_eq!(told(true, " two \n"), Some("two".to_owned()));
        assert_eq!((told(true, "\n"), told(true, ""), told(false, "two\n")), (None, None, None));
    }
}
