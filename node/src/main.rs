//! The node of a bureau; see [`kanhe_node::command`].

use std::process::ExitCode;

fn main() -> ExitCode {
    kanhe_node::command::main()
}
