//! Reading files that people name: whole, and never more than so many bytes. The length that the system tells is not
//! asked for: a pipe or a device has none.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The content of a file; `FileTooLarge` if it has more than so many bytes.
pub fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_length_is_bounded_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        for (path, max) in [(path.as_path(), 3), (Path::new("/dev/zero"), 1_000)] {
            assert_eq!(read(path, max).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        }
    }
}
