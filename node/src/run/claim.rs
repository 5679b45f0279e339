//! What the chain says of files that this node has or is handed.

use crate::case_files::FileId;
use crate::chain::Claimed;

/// A file, as the chain is asked for it.
pub const fn claimed(file: &FileId, parts: u16) -> Claimed {
    let FileId { to, case, commitment, author } = *file;
    Claimed { to, case, commitment, author, parts }
}
