//! The gossip message: transactions, several in one.
//!
//! Layout, in the canonical encoding: version (1 byte), number of transactions (u64), each as length (u64) and bytes.

use bytes::Bytes;
use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::codec::{self, CodecError};
use kanhe_proto::hash::ChainId;
use kanhe_proto::limits::TRANSACTION_BYTES_MAX;

/// Layout of gossip messages.
pub const GOSSIP_VERSION: u8 = 1;
/// Transactions of a message.
pub const GOSSIP_TRANSACTIONS_MAX: usize = 1_024;
/// Bytes of a message; one transaction of any size fits.
pub const GOSSIP_BYTES_MAX: usize = TRANSACTION_BYTES_MAX + (64 << 10);
/// Bytes of a message around its transactions.
const FRAME_BYTES: usize = 1 + 8;
/// Bytes of a message before each transaction.
const LENGTH_BYTES: usize = 8;

type Message = (u8, List<Blob<TRANSACTION_BYTES_MAX>, GOSSIP_TRANSACTIONS_MAX>);

/// The topic of a chain's transactions.
pub fn topic(chain: &ChainId) -> String {
    format!("/kanhe/{chain}/transactions/{GOSSIP_VERSION}")
}

/// Why transactions make no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many or too long transactions for a message")]
pub struct TooLarge;

/// Bytes that a transaction adds to a message.
pub const fn size_in_message(transaction: &Bytes) -> usize {
    LENGTH_BYTES + transaction.len()
}

/// The message of these transactions.
pub fn encode(transactions: &[Bytes]) -> Result<Vec<u8>, TooLarge> {
    let blobs = transactions.iter().map(|transaction| Blob::new(transaction.as_ref()));
    let list = List::new(blobs.collect::<Result<Vec<_>, _>>().map_err(|_| TooLarge)?).map_err(|_| TooLarge)?;
    let message: Message = (GOSSIP_VERSION, list);
    let bytes = codec::encode(&message);
    if bytes.len() > GOSSIP_BYTES_MAX { Err(TooLarge) } else { Ok(bytes) }
}

/// The transactions of a message: at least one, not yet decoded themselves.
pub fn decode(bytes: &[u8]) -> Result<Vec<Bytes>, CodecError> {
    let (version, list): Message = codec::decode(bytes, GOSSIP_BYTES_MAX)?;
    if version != GOSSIP_VERSION {
        return Err(CodecError::Malformed(format!("gossip version {version}")));
    }
    if list.is_empty() {
        return Err(CodecError::Malformed("no transactions".to_owned()));
    }
    Ok(list.into_vec().into_iter().map(|blob| Bytes::from(blob.into_vec())).collect())
}

/// Bytes of a message of so many bytes of transactions, lengths included.
pub const fn message_bytes(transactions: usize) -> usize {
    FRAME_BYTES + transactions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_back_and_others_refused() {
        let transactions = vec![Bytes::from_static(b"one"), Bytes::from(vec![7; TRANSACTION_BYTES_MAX])];
        let bytes = encode(&transactions).unwrap();
        assert_eq!(bytes.len(), message_bytes(transactions.iter().map(size_in_message).sum()));
        assert_eq!(decode(&bytes).unwrap(), transactions);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[bytes.as_slice(), b"x"].concat()).is_err());
        assert!(decode(&encode(&[]).unwrap()).is_err());
        assert!(decode(&[2; 64]).is_err());
        assert_eq!(encode(&vec![Bytes::new(); GOSSIP_TRANSACTIONS_MAX + 1]), Err(TooLarge));
        assert_eq!(encode(&[transactions[1].clone(), transactions[1].clone()]), Err(TooLarge));
    }

    #[test]
    fn the_layout_is_fixed() {
        let bytes = encode(&[Bytes::from_static(b"ab"), Bytes::from_static(b"c")]).unwrap();
        assert_eq!(kanhe_proto::text::hex(&bytes), "01000000000000000200000000000000026162000000000000000163");
    }
}
