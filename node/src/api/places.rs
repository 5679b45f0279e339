//! Places that addresses hold, of a kind of which each may have a share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Who holds how many.
#[derive(Debug, Default)]
pub struct Places(Mutex<HashMap<IpAddr, usize>>);

/// A place of one address, given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// A place for an address, unless it has as many as it may.
    pub fn take(self: &Arc<Self>, address: IpAddr, max: usize) -> Option<Place> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = held.entry(address).or_default();
        if *places >= max {
            return None;
        }
        *places += 1;
        Some(Place { places: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = held.get_mut(&self.address) {
            *places -= 1;
            if *places == 0 {
                held.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_share() {
        let (places, one, other) = (Arc::new(Places::default()), [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let held = [places.take(one, 2), places.take(one, 2), places.take(other, 2)];
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(one, 2).is_none());
        drop(held);
        assert!(places.take(one, 2).is_some());
    }
}
