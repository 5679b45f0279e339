//! Who may use the service: whoever reads a file that only its owner reads.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kanhe_proto::hash::sha256;
use kanhe_proto::text;

use crate::clock;
use crate::home;
use crate::talk::{ExitCode, Failure};

/// Longest file of a token, in bytes.
const FILE_BYTES_MAX: usize = 256;
/// Shortest token that is taken from a file, in bytes.
const TOKEN_BYTES_MIN: usize = 32;

/// A token, kept as its hash: comparing hashes says nothing about how much of a guess was right.
#[derive(Debug, Clone)]
pub struct Token {
    hash: [u8; 32],
    path: PathBuf,
}

impl Token {
    /// The token of a file, which is made with 256 random bits if it is not there.
    pub fn open_or_create(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        if !path.exists() {
            let token = text::base64url(&clock::random::<32>()?);
            home::write_new_private(path, format!("{token}\n").as_bytes())?;
        }
        let unread = |cause: &dyn std::fmt::Display| {
            Failure::of(ExitCode::Failure, "file_unread", &[("path", &shown), ("cause", cause)])
        };
        let mode = std::fs::metadata(path).map_err(|error| unread(&error))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let mode = format!("{mode:04o}");
            return Err(Failure::of(ExitCode::Usage, "passphrase_file_open", &[("path", &shown), ("mode", &mode)]));
        }
        let content = home::read_text(path, FILE_BYTES_MAX)?;
        let token = content.trim();
        if token.len() < TOKEN_BYTES_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::of(ExitCode::Failure, "token_wrong", &[("path", &shown), ("min", &TOKEN_BYTES_MIN)]));
        }
        Ok(Self { hash: sha256(&[token.as_bytes()]), path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the value of an `Authorization` header carries it.
    pub fn opens(&self, authorization: &str) -> bool {
        let Some((scheme, token)) = authorization.split_once(' ') else { return false };
        scheme.eq_ignore_ascii_case("bearer") && sha256(&[token.trim().as_bytes()]) == self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder").join("token");
        let token = Token::open_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(token.opens(&format!("Bearer {}", text.trim())) && token.opens(&format!("bearer {}", text.trim())));
        for wrong in ["", "Bearer", "Bearer ", "Basic x", &text, &format!("Bearer {}x", text.trim())] {
            assert!(!token.opens(wrong), "{wrong}");
        }
        assert!(Token::open_or_create(&path).unwrap().opens(&format!("Bearer {}", text.trim())));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Token::open_or_create(&path).unwrap_err().code, "passphrase_file_open");
        home::write_private(&path, b"short\n").unwrap();
        assert_eq!(Token::open_or_create(&path).unwrap_err().code, "token_wrong");
    }
}
