//! Exit codes, the same for every command.

/// What the process ends with. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitCode {
    /// Done, or valid.
    Ok = 0,
    /// Something failed here: a file, a lock, a passphrase.
    Failure = 1,
    /// The command line is wrong, or an answer is needed and nobody is there to give it.
    Usage = 2,
    /// No node answered.
    Unreachable = 3,
    /// The chain or the issuer refused it.
    Refused = 4,
    /// The response is not valid.
    Invalid = 10,
    /// Neither valid nor invalid: evidence is missing or too old.
    Undecided = 11,
    /// Genuine, but suspended, revoked, superseded, expired or not yet valid.
    NotInForce = 12,
}

impl ExitCode {
    /// The number that the operating system sees.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}
