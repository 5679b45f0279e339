//! What peers say their tips are: signed by each, and believed only as far as liars cannot move it.
//!
//! The engine checks who sent a status only after it was decoded, so a message names its peer under that peer's own
//! signature: nobody speaks for another. Of the tips told, the one below the highest `faulty` ones is believed: at least
//! one honest peer has it. Too few voices are no news.

use std::collections::BTreeMap;

use kanhe_proto::ids::Height;
use kanhe_proto::key::{KeyError, PublicKey, SecretKey, SignError, Signature, Signer};
use kanhe_proto::tags;
use kanhe_proto::vote::{self, ChainContext};
use libp2p::PeerId;

use super::peers::Wanted;

/// Peer id bytes, tip, and earliest height that the peer can still send.
pub type StatusFields = (kanhe_proto::bounded::Blob<64>, Height, Height);

/// Signs this node's own tip.
#[derive(Debug, Clone)]
pub struct StatusKey {
    /// The network key.
    pub key: SecretKey,
    /// Chain and era in the signed bytes.
    pub chain: ChainContext,
}

impl StatusKey {
    /// Signs a status.
    pub fn sign(&self, fields: &StatusFields) -> Result<Signature, SignError> {
        self.key.sign(&vote::preimage(tags::ENGINE_STATUS, &self.chain, fields))
    }
}

/// The key that an Ed25519 peer id holds.
pub fn key_of(peer: &PeerId) -> Option<PublicKey> {
    let key = libp2p::identity::PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    Some(PublicKey::ed25519(key.try_into_ed25519().ok()?.to_bytes()))
}

/// Tips of the peers that the engine talks to.
#[derive(Debug)]
pub struct Tips {
    chain: ChainContext,
    peers: BTreeMap<Vec<u8>, PublicKey>,
    told: BTreeMap<Vec<u8>, Height>,
    /// Peers that may lie.
    faulty: usize,
}

impl Tips {
    /// Nobody is heard yet.
    pub fn new(chain: ChainContext, peers: &Wanted) -> Self {
        let mut tips = Self { chain, peers: BTreeMap::new(), told: BTreeMap::new(), faulty: 0 };
        tips.hear(peers);
        tips
    }

    /// Hears these peers and no others from now on.
    pub fn hear(&mut self, peers: &Wanted) {
        self.peers = peers.keys().filter_map(|peer| Some((peer.to_bytes(), key_of(peer)?))).collect();
        self.told.retain(|peer, _| self.peers.contains_key(peer));
    }

    /// With so many validators less than a third may lie.
    pub const fn expect(&mut self, validators: usize) {
        self.faulty = validators.saturating_sub(1) / 3;
    }

    /// What each peer told.
    pub const fn told(&self) -> &BTreeMap<Vec<u8>, Height> {
        &self.told
    }
    /// Peers that told their tip.
    pub fn heard(&self) -> usize {
        self.told.len()
    }

    /// Whether enough peers were heard to know what any of them may have seen this validator sign: as many as the chain
    /// needs to go on without it.
    pub fn is_enough(&self) -> bool {
        self.heard() > (2 * self.faulty).min(self.peers.len().saturating_sub(1))
    }

    /// Takes a status; says whether it is news. What is not a peer's own word is not taken.
    pub fn take(&mut self, fields: &StatusFields, signature: &Signature) -> Result<bool, KeyError> {
        let (peer, tip, _) = fields;
        let Some(key) = self.peers.get(&peer[..]) else { return Ok(false) };
        if self.told.get(&peer[..]).is_some_and(|told| told >= tip) {
            return Ok(false);
        }
        key.verify(&vote::preimage(tags::ENGINE_STATUS, &self.chain, fields), signature)?;
        self.told.insert(peer.to_vec(), *tip);
        Ok(true)
    }

    /// The tip that at least one honest peer has.
    pub fn believed(&self) -> Option<Height> {
        // Who has fewer peers than could lie follows the least of their words.
        let above = self.faulty.min(self.peers.len().saturating_sub(1));
        let mut tips: Vec<Height> = self.told.values().copied().collect();
        tips.sort_unstable_by(|one, other| other.cmp(one));
        tips.get(above).copied()
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::Blob;
    use kanhe_proto::hash::ChainId;
    use kanhe_proto::ids::Era;
    use libp2p::Multiaddr;

    use super::*;

    const CHAIN: ChainContext = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };

    fn key(peer: u8) -> SecretKey {
        SecretKey::from_seed([peer; 32])
    }
    fn id(peer: u8) -> PeerId {
        crate::network::identity::peer_id(&key(peer).public_key()).unwrap()
    }
    fn status(peer: u8, tip: u64) -> StatusFields {
        (Blob::new(id(peer).to_bytes()).unwrap(), Height(tip), Height(1))
    }
    fn tips(peers: u8, validators: usize) -> Tips {
        let mut tips = Tips::new(CHAIN, &(1..=peers).map(|peer| (id(peer), Multiaddr::empty())).collect());
        tips.expect(validators);
        tips
    }
    fn tell(tips: &mut Tips, peer: u8, tip: u64) -> bool {
        let fields = status(peer, tip);
        let signature = StatusKey { key: key(peer), chain: CHAIN }.sign(&fields).unwrap();
        tips.take(&fields, &signature).unwrap()
    }

    #[test]
    fn one_liar_of_four_moves_nothing() {
        let mut tips = tips(3, 4);
        assert!(tell(&mut tips, 1, u64::MAX));
        assert_eq!((tips.believed(), tips.is_enough()), (None, false));
        assert!(tell(&mut tips, 2, 50));
        assert_eq!(tips.believed(), Some(Height(50)));
        assert!(tell(&mut tips, 3, 60));
        assert_eq!((tips.believed(), tips.is_enough()), (Some(Height(60)), true));
        // An older word, as a replay would be, takes nothing back.
        assert!(!tell(&mut tips, 3, 10));
        assert_eq!(tips.believed(), Some(Height(60)));
    }

    #[test]
    fn nobody_speaks_for_another() {
        let mut tips = tips(3, 4);
        let fields = status(2, 900);
        let signature = StatusKey { key: key(1), chain: CHAIN }.sign(&fields).unwrap();
        assert!(tips.take(&fields, &signature).is_err());
        let other = ChainContext { era: Era(1), ..CHAIN };
        let signature = StatusKey { key: key(2), chain: other }.sign(&fields).unwrap();
        assert!(tips.take(&fields, &signature).is_err());
        assert!(!tell(&mut tips, 9, 900), "who is not listed is not heard");
        assert_eq!((tips.heard(), tips.believed()), (0, None));
    }

    #[test]
    fn who_left_the_list_is_forgotten() {
        let mut tips = tips(3, 4);
        assert!(tell(&mut tips, 1, 90) && tell(&mut tips, 2, 50));
        tips.hear(&[(id(2), Multiaddr::empty()), (id(4), Multiaddr::empty())].into());
        assert_eq!(tips.heard(), 1);
        assert!(!tell(&mut tips, 1, 95) && tell(&mut tips, 4, 60));
        assert_eq!(tips.believed(), Some(Height(50)));
    }

    #[test]
    fn a_follower_of_one_node_believes_it() {
        let mut tips = tips(1, 4);
        assert_eq!(tips.believed(), None);
        tell(&mut tips, 1, 5);
        assert_eq!((tips.believed(), tips.is_enough()), (Some(Height(5)), true));
    }
}
