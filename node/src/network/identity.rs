//! A node's network key, as libp2p wants it.

use kanhe_proto::key::{Algorithm, KeyError, PublicKey, SecretKey};
use libp2p::PeerId;
use libp2p::identity::{Keypair, ed25519};

/// The peer id of a network key.
pub fn peer_id(key: &PublicKey) -> Result<PeerId, KeyError> {
    if key.algorithm != Algorithm::Ed25519 {
        return Err(KeyError::NotInUse(key.algorithm));
    }
    let key = ed25519::PublicKey::try_from_bytes(&key.bytes).map_err(|_| KeyError::Malformed)?;
    Ok(libp2p::identity::PublicKey::from(key).to_peer_id())
}

/// The secret key for the handshake. The copy of the seed is wiped.
pub(super) fn keypair(secret: &SecretKey) -> Keypair {
    let mut seed = *secret.seed();
    Keypair::ed25519_from_bytes(&mut seed).expect("every 32 bytes are an Ed25519 seed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kanhe_proto::key::Signer;

    #[test]
    fn secret_and_public_key_give_one_peer_id() {
        let secret = SecretKey::from_seed([7; 32]);
        assert_eq!(peer_id(&secret.public_key()).unwrap(), keypair(&secret).public().to_peer_id());
        assert!(peer_id(&PublicKey::x25519([7; 32])).is_err());
    }
}
