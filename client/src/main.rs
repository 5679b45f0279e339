//! The `kanhe` command.

fn main() -> std::process::ExitCode {
    kanhe_client::cli::main().into()
}
