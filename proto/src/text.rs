//! Bytes as text: hexadecimal, base64url without padding (RFC 4648 §5) and base32 (§6, lower case).

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, HEXLOWER};

/// Text that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not valid {0}")]
pub struct NotText(pub &'static str);

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
/// Reads lower-case hexadecimal.
pub fn from_hex(text: &str) -> Result<Vec<u8>, NotText> {
    HEXLOWER.decode(text.as_bytes()).map_err(|_| NotText("hexadecimal"))
}
/// base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
/// Reads base64url without padding; other alphabets, padding and stray bits are refused.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, NotText> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| NotText("base64url"))
}
/// base32 in lower case without padding.
pub fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_lowercase()
}
