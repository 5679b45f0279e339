//! The reference page of the command line, from the same source as `--help`.

use std::collections::BTreeSet;

use clap::Command;

/// All commands as Markdown.
pub fn markdown(mut root: Command) -> String {
    root.build();
    let mut text = String::from(
        "# The `kanhe` command\n\n<!-- Written by `kanhe help-markdown`; change the help texts in client/src/cli/. -->\n",
    );
    section(&mut text, &mut root, 2, &BTreeSet::new());
    text.trim_end().to_owned()
}

/// `known` options are those of a command above.
fn section(text: &mut String, command: &mut Command, level: usize, known: &BTreeSet<String>) {
    let path = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let hashes = "#".repeat(level.min(4));
    // A fixed width, so that the page does not depend on who writes it.
    // What holds for all commands below one stands once, there.
    let shown =
        command.clone().mut_args(|arg| if known.contains(arg.get_id().as_str()) { arg.hide(true) } else { arg });
    let global = command.get_arguments().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().to_string());
    let known: BTreeSet<String> = known.iter().cloned().chain(global).collect();
    let help = shown.term_width(100).render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n{hashes} `{path}`\n\n```text\n{}\n```\n", help.join("\n").trim()));
    for child in command.get_subcommands_mut() {
        if !child.is_hide_set() && child.get_name() != "help" {
            section(text, child, level + 1, &known);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_has_its_section() {
        let text = super::markdown(crate::cli::Cli::command());
        assert!(text.contains("## `kanhe`\n") && text.contains("`kanhe trust pin`"));
        assert!(text.contains("--passphrase-file") && !text.contains("`kanhe help-markdown`\n\n```"));
        assert_eq!(text.matches("      --passphrase-file").count(), 1);
        // Once for each of the commands that make a proposal, and not for each action.
        assert_eq!(text.matches("Only shows what it would do; nothing is signed").count(), 6);
        assert!(text.lines().all(|line| line == line.trim_end()));
    }
}
