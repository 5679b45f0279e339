//! Where a command's words go.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use super::{ExitCode, Failure, Progress};

/// What a command may say as data: its schema is published. `cli::schemas` has the list, and implements this for nothing
/// that is not in it.
pub trait Said: Serialize + JsonSchema {}

/// Data to stdout, talk to stderr. Cheap to clone; all clones write to the same place.
#[derive(Clone)]
pub struct Output {
    json: bool,
    /// Whether stderr is a terminal: decides about progress bars only, never about content.
    terminal: bool,
    sinks: Arc<Mutex<Sinks>>,
}

struct Sinks {
    data: Box<dyn Write + Send>,
    talk: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("json", &self.json).field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Output {
    /// The process's own stdout and stderr.
    pub fn standard(json: bool) -> Self {
        let sinks = Sinks { data: Box::new(std::io::stdout()), talk: Box::new(std::io::stderr()) };
        let terminal = std::io::stderr().is_terminal();
        Self { json, terminal, sinks: Arc::new(Mutex::new(sinks)) }
    }

    /// An output that is kept, for tests.
    pub fn captured(json: bool) -> (Self, Captured) {
        let captured = Captured::default();
        let sinks = Sinks { data: Box::new(captured.data.clone()), talk: Box::new(captured.talk.clone()) };
        (Self { json, terminal: false, sinks: Arc::new(Mutex::new(sinks)) }, captured)
    }

    /// Whether programs read this (`--json`).
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The result of a command: JSON on one line, or what `human` makes of it.
    pub fn data<T: Said>(&self, value: &T, human: impl FnOnce() -> String) -> Result<(), Failure> {
        let text = if self.json { serde_json::to_string(value).map_err(not_written)? } else { harmless(&human()) };
        self.raw(&text)
    }

    /// JSON that was made already, the same in both forms.
    pub fn written<T: Said>(&self, json: &str) -> Result<(), Failure> {
        self.raw(json)
    }

    /// Text of another format than JSON, the same in both forms: a page, a signed request.
    pub fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut sinks = self.lock();
        let written = writeln!(sinks.data, "{text}").and_then(|()| sinks.data.flush());
        match written {
            // `kanhe … | head` is no failure of ours.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(not_written),
        }
    }

    /// Talk: what goes on. It may get lost without harm.
    pub fn talk(&self, text: impl Display) {
        let text = harmless(&text.to_string());
        let mut sinks = self.lock();
        let _ = writeln!(sinks.talk, "{text}").and_then(|()| sinks.talk.flush());
    }

    /// Talk without end of line, for prompts.
    pub fn ask(&self, text: impl Display) {
        let mut sinks = self.lock();
        let _ = write!(sinks.talk, "{text}").and_then(|()| sinks.talk.flush());
    }

    /// Reports why the command failed and returns what to exit with.
    pub fn failure(&self, failure: &Failure) -> ExitCode {
        self.talk(if self.json { failure.to_json() } else { failure.to_lines() });
        failure.exit
    }

    /// Shows how far something is: a bar on a terminal, plain lines elsewhere, nothing with `--json`.
    pub fn progress(&self, label: &str, total: u64) -> Progress {
        Progress::new(self.clone(), label, total, self.terminal && !self.json)
    }

    fn lock(&self) -> MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Words of nodes and files are in what people read: no control character in them may move the cursor or hide a line.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

fn not_written(error: impl Display) -> Failure {
    Failure::of(ExitCode::Failure, "output_failed", &[("cause", &error)])
}

/// What a captured output was given.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    data: Buffer,
    talk: Buffer,
}

impl Captured {
    /// What went to stdout.
    pub fn data(&self) -> String {
        self.data.text()
    }
    /// What went to stderr.
    pub fn talk(&self) -> String {
        self.talk.text()
    }
}

#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Said for [i32; 2] {}

    #[test]
    fn data_and_talk_never_mix() {
        let (output, captured) = Output::captured(false);
        output.data(&[1, 2], || "one, two".to_string()).unwrap();
        output.talk("working");
        assert_eq!((captured.data().as_str(), captured.talk().as_str()), ("one, two\n", "working\n"));
    }

    #[test]
    fn foreign_words_cannot_move_the_cursor() {
        let (output, captured) = Output::captured(false);
        output.data(&[1, 2], || "one\n\u{1b}[2Jtwo".to_string()).unwrap();
        output.talk("not\u{1b}]0;a\u{7} found\r");
        let shown = ("one\n\u{fffd}[2Jtwo\n", "not\u{fffd}]0;a\u{fffd} found\u{fffd}\n");
        assert_eq!((captured.data().as_str(), captured.talk().as_str()), shown);
    }

    #[test]
    fn json_holds_for_data_and_errors() {
        let (output, captured) = Output::captured(true);
        output.data(&[1, 2], || unreachable!()).unwrap();
        let exit = output.failure(&Failure::of(ExitCode::Usage, "needs_yes", &[]));
        assert_eq!((exit, captured.data().as_str()), (ExitCode::Usage, "[1,2]\n"));
        assert!(captured.talk().starts_with("{\"error\":{\"code\":\"needs_yes\""));
    }
}
