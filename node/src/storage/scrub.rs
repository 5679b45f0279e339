//! Reading all that is stored, a piece at a time: what is damaged on the disk is found before somebody asks for it.

use rocksdb::ReadOptions;

use super::column::Column;
use super::error::StorageError;
use super::store::Storage;

/// How far the reading has come.
#[derive(Debug, Clone, Default)]
pub struct Scrubbed {
    column: usize,
    /// Read up to this key of the column, included.
    last: Option<Vec<u8>>,
    /// Bytes read.
    pub bytes: u64,
}

impl Storage {
    /// Reads on for about so many bytes, checking the sum of each block of the tables; nothing when all was read.
    pub fn scrub(&self, mut from: Scrubbed, bytes_max: u64) -> Result<Option<Scrubbed>, StorageError> {
        let until = from.bytes + bytes_max;
        while let Some(column) = Column::ALL.get(from.column) {
            let mut options = ReadOptions::default();
            options.fill_cache(false);
            let mut entries = self.database().raw_iterator_cf_opt(self.column(*column), options);
            match &from.last {
                None => entries.seek_to_first(),
                Some(last) => {
                    entries.seek(last);
                    if entries.key() == Some(last.as_slice()) {
                        entries.next();
                    }
                }
            }
            while let Some((key, value)) = entries.item() {
                from.bytes += (key.len() + value.len()) as u64;
                if from.bytes >= until {
                    from.last = Some(key.to_vec());
                    return Ok(Some(from));
                }
                entries.next();
            }
            let damaged = |error| StorageError::Damaged(format!("{}: {error}", column.name()));
            entries.status().map_err(damaged)?;
            from.column += 1;
            from.last = None;
        }
        Ok(None)
    }
}
