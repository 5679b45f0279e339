//! Records of the registry that were read already.
//!
//! Every transaction asks for the same few records: its bureau, its key, its type, its accreditation. Read from the
//! database each time, twice before the pool and again in the block, they took a tenth of a busy node's time.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use kanhe_proto::hash::MapKey;

use crate::ledger::map::ReadError;

/// Records that are remembered; more are read each time.
const RECORDS_MAX: usize = 4_096;

/// Records under one root of the registry. A tip shares it with the one before as long as the registry is the same.
#[derive(Debug, Default)]
pub(super) struct RegistryCache(RwLock<BTreeMap<MapKey, Vec<u8>>>);

impl RegistryCache {
    /// The record under a key, read if it is not remembered. Absence is not remembered: strangers' transactions name
    /// keys at will and would fill the place.
    pub fn get(
        &self,
        key: &MapKey,
        read: impl FnOnce() -> Result<Option<Vec<u8>>, ReadError>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        // A map is whole after every change, so a panic elsewhere does not spoil it.
        if let Some(value) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(Some(value.clone()));
        }
        let value = read()?;
        if let Some(value) = &value {
            let mut records = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if records.len() < RECORDS_MAX {
                records.insert(*key, value.clone());
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_once_and_absence_each_time() {
        let cache = RegistryCache::default();
        let (there, absent) = (MapKey([1; 32]), MapKey([2; 32]));
        assert_eq!(cache.get(&there, || Ok(Some(vec![7]))).unwrap(), Some(vec![7]));
        assert_eq!(cache.get(&there, || panic!("remembered")).unwrap(), Some(vec![7]));
        assert_eq!(cache.get(&absent, || Ok(None)).unwrap(), None);
        assert_eq!(cache.get(&absent, || Ok(Some(vec![8]))).unwrap(), Some(vec![8]));
    }

    #[test]
    fn it_is_bounded() {
        let cache = RegistryCache::default();
        let key = |number: usize| MapKey(kanhe_proto::hash::sha256(&[&number.to_be_bytes()]));
        for number in 0..RECORDS_MAX + 10 {
            cache.get(&key(number), || Ok(Some(vec![1]))).unwrap();
        }
        assert_eq!(cache.0.read().unwrap().len(), RECORDS_MAX);
        assert_eq!(cache.get(&key(RECORDS_MAX + 1), || Ok(Some(vec![2]))).unwrap(), Some(vec![2]));
    }
}
