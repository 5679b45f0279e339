//! The pool as the chain sees it.

use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::key::Signature;
use tokio::sync::watch;

use super::admission::Admission;
use super::pool::Mempool;
use super::queue::TakeLimits;
use crate::chain::{Offered, Room, TransactionSource};
use crate::ledger::Code;

impl<A: Admission<Code = Code>> TransactionSource for Mempool<A> {
    fn take(&self, room: &Room) -> Vec<Offered> {
        let taken = self.take(&TakeLimits { bytes: room.bytes, count: room.count });
        taken.iter().map(|pooled| Offered { id: pooled.id, bytes: pooled.bytes.clone() }).collect()
    }
    fn committed(&self, ids: &[TransactionId], height: Height, time: TimeMs) {
        self.committed(ids, height, time);
    }
    fn reject(&self, id: &TransactionId, code: Code) {
        self.reject(id, code);
    }
    fn work(&self) -> watch::Receiver<bool> {
        self.work()
    }
    fn is_verified(&self, id: &TransactionId, signature: &Signature) -> bool {
        self.cache().contains(id, signature)
    }
    fn verified(&self, id: TransactionId, signature: Signature) {
        self.cache().insert(id, signature);
    }
}
