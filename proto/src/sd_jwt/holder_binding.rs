//! `kanhe_hb`: shows that licences belong to one person without showing who.

use crate::hash::tagged;
use crate::tags;
use crate::text::base64url;

/// The selectively disclosable claim.
pub const HOLDER_BINDING_CLAIM: &str = "kanhe_hb";

/// base64url of H(tag ‖ secret ‖ id type ‖ id number). The secret's 256 bits keep the number from being guessed.
pub fn holder_binding(secret: &[u8; 32], id_type: &str, id_number: &str) -> String {
    base64url(&tagged(tags::HOLDER_BINDING, &(*secret, id_type, id_number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn is_over_the_codecs_bytes() {
        let number = "11010519491231002X";
        let preimage = codec::encode(&([7u8; 32], "RESIDENT".to_owned(), number.to_owned()));
        assert_eq!(preimage.len(), 32 + 8 + 8 + 8 + 18);
        let expected = crate::hash::tagged_bytes(tags::HOLDER_BINDING, &preimage);
        assert_eq!(holder_binding(&[7; 32], "RESIDENT", number), base64url(&expected));
        assert_ne!(holder_binding(&[7; 32], "RESIDENT1", &number[1..]), holder_binding(&[7; 32], "RESIDENT", number));
    }
}
