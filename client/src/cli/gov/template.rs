//! `kanhe gov template`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::Context;
use crate::home;
use crate::talk::{ExitCode, Failure, Lang, say};

const EN: &str = include_str!("template.en.toml");
const ZH: &str = include_str!("template.zh.toml");

/// Options of `gov template`.
#[derive(Debug, Args)]
pub struct Template {
    /// File to write; without it, on stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct TemplateShown {
    file: Option<String>,
    text: Option<&'static str>,
}

/// Writes a proposal's file with comments.
pub fn run(options: &Template, context: &Context) -> Result<ExitCode, Failure> {
    let text = if Lang::current() == Lang::Zh { ZH } else { EN };
    let Some(out) = &options.out else {
        context.output.data(&TemplateShown { file: None, text: Some(text) }, || text.trim_end().to_owned())?;
        return Ok(ExitCode::Ok);
    };
    if out.exists() {
        return Err(Failure::of(ExitCode::Failure, "file_exists", &[("path", &out.display())]));
    }
    home::write_private(out, text.as_bytes())?;
    let shown = TemplateShown { file: Some(out.display().to_string()), text: None };
    context.output.data(&shown, || say("gov.template_written", &[("path", &out.display())]))?;
    Ok(ExitCode::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::Proposing;

    /// Actions are commented out without a space, words with one.
    fn uncommented(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn both_templates_have_every_action() {
        for text in [EN, ZH] {
            toml::from_str::<Proposing>(text).unwrap();
            let all: Proposing = toml::from_str(&uncommented(text)).unwrap();
            let kinds: std::collections::HashSet<_> = all.action.iter().map(std::mem::discriminant).collect();
            assert_eq!(kinds.len(), 26);
        }
    }
}
