//! Parts of a row one after another, each after its length (u32, big-endian).

/// Puts parts together.
pub(super) fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        let length = u32::try_from(part.len()).expect("parts are far below 4 GiB");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Takes exactly `N` parts apart; nothing may be missing or left over.
pub(super) fn unframe<const N: usize>(mut bytes: &[u8]) -> Option<[&[u8]; N]> {
    let mut parts = [&[][..]; N];
    for part in &mut parts {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        (*part, bytes) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    }
    bytes.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_and_nothing_else_does() {
        let bytes = frame(&[b"ab", b"", b"c"]);
        assert_eq!(unframe::<3>(&bytes), Some([&b"ab"[..], b"", b"c"]));
        assert_eq!(unframe::<2>(&bytes), None);
        assert_eq!(unframe::<3>(&bytes[..bytes.len() - 1]), None);
        assert_eq!(unframe::<1>(&[0xff; 6]), None);
    }
}
