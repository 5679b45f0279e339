//! Consents that the reads of an item need: each is asked for and given by itself, for exactly that read in this case.
//!
//! What lets the bureau read is in the party's file for it, as an attachment `read:` and the read's code: no code of an
//! attachment can look so.

use kanhe_proto::bounded::Text;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::item::{Basis, PartName, SharedRead};
use kanhe_proto::limits::CONSENT_LIFE_MAX_MS;

use super::own::OwnCase;
use super::read::KnownItem;
use crate::consent::{Granting, OwnConsent, Wished, licence_for, scope_of};
use crate::follow::Follower;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};
use crate::wallet::Wallet;

/// Name of an attachment with what lets a bureau read, before the read's code.
pub const CONSENT_PAPER: &str = "read:";
/// A read that was recorded and could not be given in time may be asked once more.
const READS: u32 = 2;

/// A read that an item has about a party.
#[derive(Debug, Clone, Copy)]
pub struct ItemRead<'a> {
    /// What the item says.
    pub read: &'a SharedRead,
    /// Who reads in this case.
    pub by: Uscc,
    /// Who has it.
    pub from: Uscc,
}

/// Reads about a party. `chosen` plays the roles in the item's order.
pub fn item_reads<'a>(known: &'a KnownItem, party: &PartName, chosen: &[Uscc]) -> Vec<ItemRead<'a>> {
    let item = &known.item;
    let played = |role: &PartName| {
        let place = item.bureau.iter().position(|known| known.code == *role)?;
        chosen.get(place).copied()
    };
    let of_party = item.read.iter().filter(|read| read.of == *party);
    of_party.filter_map(|read| Some(ItemRead { read, by: played(&read.by)?, from: played(&read.from)? })).collect()
}

impl ItemRead<'_> {
    /// Whether it needs the party's consent.
    pub fn needs_consent(&self) -> bool {
        self.read.basis == Basis::Consent
    }
    /// The claims' own names, without what is inside them.
    pub fn claims(&self) -> impl Iterator<Item = String> {
        self.read.claims.iter().filter_map(|claim| claim.split(['.', '[']).next()).map(str::to_owned)
    }

    /// Makes the consent for it and keeps it; nothing has left so far.
    pub fn consent(
        &self,
        wallet: &Wallet,
        known: &KnownItem,
        own: &OwnCase,
        follower: &mut Follower,
        now: TimeMs,
    ) -> Result<OwnConsent, Failure> {
        let mut named = |bureau: Uscc| {
            let fetch = |node: &NodeClient| node.bureau(&bureau);
            let found = follower.registry::<kanhe_proto::registry::Bureau>(&bureau, fetch)?.value;
            let unknown = || Failure::of(ExitCode::Refused, "bureau_unknown", &[("issuer", &bureau)]);
            found.map(|found| (bureau, found.names)).ok_or_else(unknown)
        };
        let life = known.public.life.0.min(CONSENT_LIFE_MAX_MS);
        let wished = Wished {
            grantee: named(self.by)?,
            source: named(self.from)?,
            purpose: known.item.purpose.clone(),
            scope: scope_of(self.read.type_ref.code().clone(), self.claims())?,
            reads: READS,
            not_after: now.after(SpanMs(life)),
            case: Some((own.id, self.read.code.clone())),
        };
        let licence = licence_for(wallet, &self.from, now)?;
        let (chain, name) = (follower.trust().chain, follower.trust().chain_ref());
        Granting { wallet, chain, name }.make(&wished, &licence, now)
    }
}

/// Name of the attachment for a read.
pub(super) fn paper_of<const MAX: usize>(read: &PartName) -> Result<Text<MAX>, Failure> {
    Text::new(format!("{CONSENT_PAPER}{read}"))
        .map_err(|error| Failure::reported(ExitCode::Usage, "case_file_too_long", error))
}
