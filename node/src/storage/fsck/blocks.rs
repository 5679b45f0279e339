//! Bodies: of the committed blocks, and of those that wait to be decided.

use std::collections::BTreeMap;

use kanhe_proto::block::Block;
use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::Height;
use kanhe_proto::key::{KeyId, Verifier};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::merkle::log;
use kanhe_proto::registry::{KeyEntry, RegistryRecord};
use kanhe_proto::transaction::Transaction;

use super::Fsck;
use crate::ledger::map::split_record;
use crate::storage::{Column, layout};

const COLUMN: Column = Column::Bodies;

/// Keys that signed transactions; none if the registry does not have one.
type Keys = BTreeMap<(Uscc, KeyId), Option<Verifier>>;

impl Fsck<'_> {
    pub(super) fn bodies(&mut self) {
        let mut keys = Keys::new();
        let mut committed = 0;
        self.each(COLUMN, |fsck, key, value| {
            let Some((height, hash)) = layout::read_block(key) else {
                return fsck.problem(COLUMN, key, "is under no height and hash");
            };
            let block = match Block::from_bytes(value) {
                Ok(block) => block,
                Err(error) => return fsck.problem(COLUMN, key, error.to_string()),
            };
            if block.header.hash() != hash || block.header.height != height {
                return fsck.problem(COLUMN, key, "is another block than its key says");
            }
            if height == fsck.tip.next() {
                // Not decided yet: its body must hold together, all else is execution's to say.
                return fsck.body(key, &block, &mut keys);
            }
            if height > fsck.tip || height <= fsck.base {
                return fsck.problem(COLUMN, key, "is of a height that the chain does not have");
            }
            if fsck.header(height).is_none_or(|header| header.hash() != hash) {
                return fsck.problem(COLUMN, key, "lost and was not removed");
            }
            committed += 1;
            fsck.body(key, &block, &mut keys);
        });
        self.expect_count(COLUMN, committed, self.tip.0 - self.base.0);
    }

    fn body(&mut self, key: &[u8], block: &Block, keys: &mut Keys) {
        let named = block.last_certificate.as_ref().map_or_else(Hash::default, |certificate| certificate.hash());
        if named != block.header.last_certificate {
            self.problem(COLUMN, key, "carries another certificate than its header names");
        }
        match &block.last_certificate {
            Some(certificate) if certificate.height.next() != block.header.height => {
                self.problem(COLUMN, key, "carries a certificate of another height");
            }
            Some(certificate) => {
                if let Some(what) = self.wrong_certificate(certificate) {
                    self.problem(COLUMN, key, format!("certificate of the parent: {what}"));
                }
            }
            None if block.header.height == Height(1) => {}
            None => self.problem(COLUMN, key, "lacks its parent's certificate"),
        }
        let mut leaves = Vec::with_capacity(block.transactions.len());
        for (position, bytes) in block.transactions.iter().enumerate() {
            let Ok((transaction, id)) = Transaction::from_bytes(bytes) else {
                return self.problem(COLUMN, key, format!("transaction {position} is not readable"));
            };
            leaves.push(log::leaf_hash(id.bytes()));
            // No root commits to signatures.
            let signer = (transaction.body.sender, transaction.body.key);
            let verifier = keys.entry(signer).or_insert_with(|| self.key(&signer));
            let message = Transaction::sign_bytes(&id);
            let holds = verifier.as_ref().is_some_and(|key| key.verify(&message, &transaction.signature).is_ok());
            if !holds {
                self.problem(COLUMN, key, format!("transaction {position} has a wrong signature"));
            }
        }
        if log::root(&leaves) != block.header.transactions_root {
            self.problem(COLUMN, key, "has other transactions than its header commits to");
        }
    }

    fn key(&mut self, id: &(Uscc, KeyId)) -> Option<Verifier> {
        let record = self.get(Column::Registry, KeyEntry::key_of(id).bytes())?;
        let (_, value) = split_record(&record)?;
        KeyEntry::from_value(value).ok()?.key.verifier().ok()
    }

    /// The ids of a committed block; none if its body is damaged, which is said elsewhere.
    pub(super) fn block(&mut self, height: Height) -> Option<Block> {
        let header = self.header(height)?;
        let body = self.reader.body(height, &header.hash()).ok().flatten()?;
        Block::from_bytes(&body).ok()
    }
}
