//! The chain of headers, its index, its validator sets and its certificates.

use kanhe_proto::certificate::Certificate;
use kanhe_proto::codec;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::header::Header;
use kanhe_proto::ids::Height;
use kanhe_proto::limits::{CERTIFICATE_BYTES_MAX, HEADER_BYTES_MAX};
use kanhe_proto::validators::ValidatorSet;

use super::Fsck;
use crate::storage::{Column, layout};

const VALIDATORS_BYTES_MAX: usize = 32 << 10;

impl Fsck<'_> {
    pub(super) fn validator_sets(&mut self, genesis: &Genesis) {
        const COLUMN: Column = Column::Validators;
        self.each(COLUMN, |fsck, key, value| {
            let set: Result<ValidatorSet, _> = codec::decode(value, VALIDATORS_BYTES_MAX);
            match set {
                Ok(set) if set.hash().bytes() == key => {
                    fsck.sets.insert(set.hash(), set);
                }
                Ok(_) => fsck.problem(COLUMN, key, "is not the set of its hash"),
                Err(error) => fsck.problem(COLUMN, key, error.to_string()),
            }
        });
        if let Ok(set) = genesis.validator_set()
            && !self.sets.contains_key(&set.hash())
        {
            self.problem(COLUMN, set.hash().bytes(), "the founders' set is missing");
            self.sets.insert(set.hash(), set);
        }
    }

    /// Follows the headers from genesis to the tip; gives the last one if the chain is whole.
    pub(super) fn headers(&mut self, genesis: &Genesis, tip: &HeaderHash) -> Option<Header> {
        const COLUMN: Column = Column::Headers;
        let mut last: Option<Header> = None;
        let mut broken = false;
        self.each(COLUMN, |fsck, key, value| {
            let header: Header = match codec::decode(value, HEADER_BYTES_MAX) {
                Ok(header) => header,
                Err(error) => {
                    broken = true;
                    return fsck.problem(COLUMN, key, error.to_string());
                }
            };
            let wrong = match &last {
                None if genesis.header().is_ok_and(|first| first == header) => None,
                None => Some("is not the header of genesis"),
                // What leads from genesis to the snapshot are the hand-overs and its certificate.
                Some(parent) if parent.height < fsck.base => fsck.broken_base(&header),
                Some(parent) => fsck.broken_link(parent, &header),
            };
            if let Some(what) = wrong {
                broken = true;
                fsck.problem(COLUMN, key, what);
            }
            if layout::height(header.height) != key {
                fsck.problem(COLUMN, key, "is stored under another height");
            }
            last = Some(header);
        });
        let last = last?;
        if last.height != self.tip || last.hash() != *tip {
            self.problem(Column::Meta, layout::TIP, "is not the last header");
            broken = true;
        }
        // Without the chain of headers nothing says what belongs here.
        (!broken).then_some(last)
    }

    fn broken_base(&self, header: &Header) -> Option<&'static str> {
        let rules = [
            (header.height == self.base, "is below the snapshot that the database began with"),
            (header.chain_id == self.chain.chain_id && header.era == self.chain.era, "is of another chain or era"),
            (self.sets.contains_key(&header.validators), "has a set that is not stored"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }

    fn broken_link(&self, parent: &Header, header: &Header) -> Option<&'static str> {
        let rules = [
            (header.height == parent.height.next(), "does not follow the header before"),
            (header.parent == parent.hash(), "names another parent"),
            (header.time > parent.time, "is not later than its parent"),
            (header.chain_id == self.chain.chain_id && header.era == self.chain.era, "is of another chain or era"),
            (header.validators == parent.next_validators, "has another set than its parent named"),
            (header.log_size >= parent.log_size, "has a shorter log than its parent"),
            (self.sets.contains_key(&header.validators), "has a set that is not stored"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }

    /// A header of the chain that was followed before.
    pub(super) fn header(&mut self, height: Height) -> Option<Header> {
        let bytes = self.get(Column::Headers, &layout::height(height))?;
        codec::decode(&bytes, HEADER_BYTES_MAX).ok()
    }

    pub(super) fn heights(&mut self) {
        const COLUMN: Column = Column::Heights;
        let mut count = 0;
        self.each(COLUMN, |fsck, key, value| {
            count += 1;
            let height = layout::read_number(value).map(Height).filter(|height| *height <= fsck.tip);
            let Some(height) = height else { return fsck.problem(COLUMN, key, "is no height of the chain") };
            if fsck.header(height).is_none_or(|header| header.hash().bytes() != key) {
                fsck.problem(COLUMN, key, "names a height with another header");
            }
        });
        let expected = self.tip.0 + 1 - self.base.0.saturating_sub(1);
        self.expect_count(COLUMN, count, expected);
    }

    pub(super) fn certificates(&mut self) {
        const COLUMN: Column = Column::Certificates;
        let mut count = 0;
        self.each(COLUMN, |fsck, key, value| {
            count += 1;
            let certificate: Certificate = match codec::decode(value, CERTIFICATE_BYTES_MAX) {
                Ok(certificate) => certificate,
                Err(error) => return fsck.problem(COLUMN, key, error.to_string()),
            };
            if layout::height(certificate.height) != key {
                return fsck.problem(COLUMN, key, "is of another height");
            }
            if certificate.height > fsck.tip || certificate.height.0 == 0 {
                return fsck.problem(COLUMN, key, "is of no block of the chain");
            }
            if let Some(what) = fsck.wrong_certificate(&certificate) {
                fsck.problem(COLUMN, key, what);
            }
        });
        self.expect_count(COLUMN, count, self.tip.0 - self.base.0.saturating_sub(1));
    }

    /// What is wrong with a certificate of a height of the chain.
    pub(super) fn wrong_certificate(&mut self, certificate: &Certificate) -> Option<String> {
        let header = self.header(certificate.height)?;
        if header.hash() != certificate.header_hash {
            return Some("certifies another header".into());
        }
        let set = self.sets.get(&header.validators)?;
        certificate.verify(set, &self.chain).err().map(|error| error.to_string())
    }
}
