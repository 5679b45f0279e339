//! Check characters: GB 32100 (modulus 31), ISO 7064 MOD 11-2 and MOD 37,36.

const ALPHABET_31: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const ALPHABET_36: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn value(alphabet: &[u8], character: u8) -> Option<u32> {
    alphabet.iter().position(|known| *known == character).map(|position| position as u32)
}

/// GB 32100-2015: weights 3^i mod 31 over an alphabet without I, O, S, V, Z. `None`: another character.
pub fn mod_31(characters: &[u8]) -> Option<u8> {
    let mut sum = 0;
    let mut weight = 1;
    for character in characters {
        sum = (sum + value(ALPHABET_31, *character)? * weight) % 31;
        weight = weight * 3 % 31;
    }
    Some(ALPHABET_31[((31 - sum) % 31) as usize])
}

/// ISO 7064 MOD 11-2, pure: digits, and a check character that may be `X`. `None`: not digits.
pub fn mod_11_2(digits: &[u8]) -> Option<u8> {
    let mut product = 0;
    for digit in digits {
        product = (product + value(&ALPHABET_36[..10], *digit)?) * 2 % 11;
    }
    Some(b"0123456789X"[((12 - product) % 11) as usize])
}

/// ISO 7064 MOD 37,36, hybrid: digits and capital letters. `None`: another character.
pub fn mod_37_36(characters: impl IntoIterator<Item = u8>) -> Option<u8> {
    let mut product = 36;
    for character in characters {
        product = (product + value(ALPHABET_36, character)?) % 36;
        product = if product == 0 { 36 } else { product } * 2 % 37;
    }
    Some(ALPHABET_36[((37 - product) % 36) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        // GRid (IFPI Global Release Identifier handbook): A1-2425G-ABC1234002-M.
        assert_eq!(mod_37_36(*b"A12425GABC1234002"), Some(b'M'));
        // ISAN (ISO 15706-2): 0000-0000-3A8D-0000-Z-0000-0000-6.
        assert_eq!(mod_37_36(*b"000000003A8D0000"), Some(b'Z'));
        assert_eq!(mod_37_36(*b"000000003A8D000000000000"), Some(b'6'));
        // GB 11643-1999, its own examples.
        assert_eq!(mod_11_2(b"11010519491231002"), Some(b'X'));
        assert_eq!(mod_11_2(b"44052418800101001"), Some(b'4'));
        // ISNI and ORCID use the same MOD 11-2: 0000-0002-1825-0097.
        assert_eq!(mod_11_2(b"000000021825009"), Some(b'7'));
    }

    #[test]
    fn other_characters_have_no_check() {
        assert_eq!(mod_31(b"9111000060003734I"), None);
        assert_eq!(mod_11_2(b"1101051949123100A"), None);
        assert_eq!(mod_37_36(*b"a1"), None);
    }
}
