//! What the doctor says.

use kanhe_proto::diagnosis::{Finding, Severity, Told, moment};
use serde::Serialize;

use super::Language;

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// There is no usable home.
    #[default]
    NoHome,
    /// Its API answers.
    Running,
    /// A process uses the home, but its API does not answer.
    NotAnswering,
    /// No process uses the home.
    Stopped,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// As it should be.
    Good,
    /// It will, or may, make trouble.
    Warning,
    /// It must be mended.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) check: &'static str,
    pub(super) outcome: Outcome,
    pub(super) text: Told,
    pub(super) hint: Option<String>,
}

impl Check {
    pub(super) fn good(check: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Good, text: Told::new(en, zh), hint: None }
    }
    pub(super) fn warning(check: &'static str, en: impl Into<String>, zh: impl Into<String>, hint: &str) -> Self {
        Self { check, outcome: Outcome::Warning, text: Told::new(en, zh), hint: Some(hint.to_owned()) }
    }
    /// In the words of an error, with its causes.
    pub(super) fn bad(check: &'static str, error: &dyn std::fmt::Display, hint: &str) -> Self {
        let text = error.to_string();
        Self { check, outcome: Outcome::Bad, text: Told::new(text.clone(), text), hint: Some(hint.to_owned()) }
    }
    pub(super) const fn with_state_bad(mut self) -> Self {
        self.outcome = Outcome::Bad;
        self
    }
}

/// All that was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) state: State,
    /// Height of the newest block.
    pub(super) height: Option<u64>,
    /// Its time, in milliseconds since 1970.
    pub(super) time_ms: Option<u64>,
    /// The highest height for which the validator signed anything.
    pub(super) signed_up_to: Option<u64>,
    /// Whether the signing guard is silent.
    pub(super) silent: bool,
    pub(super) checks: Vec<Check>,
    /// What the running node says.
    pub(super) findings: Vec<Finding>,
    #[serde(skip)]
    pub(super) in_use: bool,
}

impl Report {
    pub(super) fn none(check: Check) -> Self {
        Self { checks: vec![check], ..Self::default() }
    }
    /// Whether something must be mended.
    pub(super) fn is_bad(&self) -> bool {
        self.checks.iter().any(|check| check.outcome == Outcome::Bad)
            || self.findings.iter().any(|finding| finding.severity == Severity::Blocks)
    }

    fn state_told(&self) -> Told {
        let at = || match (self.height, self.time_ms) {
            (Some(height), Some(time)) => {
                (format!(" at block {height} of {}", moment(time)), format!("，最新区块 {height}（{}）", moment(time)))
            }
            _ => (String::new(), String::new()),
        };
        let (en, zh) = at();
        match self.state {
            State::NoHome => Told::new("no usable home", "没有可用的目录"),
            State::Running => Told::new(format!("running{en}"), format!("正在运行{zh}")),
            State::NotAnswering => Told::new("in use by a process that does not answer", "有进程在使用，但无应答"),
            State::Stopped if self.is_bad() => Told::new(
                format!("stopped{en}; mend what is marked before it is started"),
                format!("已停止{zh}；请先处理标记的问题再启动"),
            ),
            State::Stopped => Told::new(
                format!("stopped{en}; nothing keeps it from starting: `kanhe-node run`"),
                format!("已停止{zh}；可以启动：kanhe-node run"),
            ),
        }
    }

    /// For people.
    pub(super) fn text(&self, language: Language) -> String {
        let pick = |told: &Told| match language {
            Language::Zh => told.zh.clone(),
            Language::En => told.en.clone(),
        };
        let mut lines = vec![pick(&self.state_told())];
        for check in &self.checks {
            let mark = match check.outcome {
                Outcome::Good => "ok  ",
                Outcome::Warning => "warn",
                Outcome::Bad => "BAD ",
            };
            lines.push(format!("{mark}  {:9} {}", check.check, pick(&check.text)));
            lines.extend(check.hint.as_ref().map(|hint| format!("      hint: {hint}")));
        }
        for finding in &self.findings {
            let mark = match finding.severity {
                Severity::Blocks => "BAD ",
                Severity::Warns => "warn",
                Severity::Informs => "note",
            };
            lines.push(format!("{mark}  {}: {}", finding.code, pick(&finding.text)));
            lines.extend(finding.hint.as_ref().map(|hint| format!("      hint: {}", pick(hint))));
        }
        lines.join("\n") + "\n"
    }
}
