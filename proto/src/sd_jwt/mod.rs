//! Licences as SD-JWT VC: issue, disclose, present, verify.
//!
//! Source: RFC 9901 (SD-JWT and key binding), draft-ietf-oauth-sd-jwt-vc, RFC 7515 and 7519 (JWS, JWT), RFC 7638
//! and 8037 (JWK). Ordinary libraries verify what is issued here, and what they issue under these claims is
//! verified here.
//!
//! The way of a licence: [`Issuance::sign`] makes it; the wallet [`Holding::open`]s it and
//! [`present`](Holding::present)s chosen claims, bound to a verifier by [`Presentation::bind`]; the verifier
//! [`UnverifiedSdJwt::parse`]s, looks the key up by [`kid`](UnverifiedSdJwt::kid) and asks for
//! [`verify_presentation`](UnverifiedSdJwt::verify_presentation).
//!
//! Rules that hold everywhere: the signature is checked before the payload is read; `alg` and `typ` are exact; bytes,
//! disclosures and depth are bounded; a digest occurs once in the whole token and a disclosure is used exactly once,
//! where its kind belongs; claims that carry the protocol are never disclosures; hashes are over the received bytes.
//! Time is judged elsewhere: `nbf`, `exp` and the `iat` of a presentation are handed on. Errors repeat no values.

mod disclosure;
mod error;
mod fixed;
mod holder_binding;
mod issue;
pub mod json;
pub mod jwk;
pub mod jws;
mod key_binding;
mod path;
mod present;
mod process;
mod verify;

pub use disclosure::{Disclosure, Salt};
pub use error::SdJwtError;
pub use fixed::{FixedClaims, StatusRef};
pub use holder_binding::{HOLDER_BINDING_CLAIM, holder_binding};
pub use issue::{Issuance, Issued};
pub use key_binding::{ExpectedBinding, KeyBinding, sd_hash, set};
pub use path::{ClaimPath, Step};
pub use present::{Holding, Presentation};
pub use verify::{UnverifiedSdJwt, VerifiedLicence};

/// `typ` of an issuer-signed JWT.
pub const TYP: &str = "dc+sd-jwt";
/// `typ` of a key binding JWT.
pub const KEY_BINDING_TYP: &str = "kb+jwt";
/// The longest SD-JWT, with disclosures and key binding, in bytes.
pub const TOKEN_BYTES_MAX: usize = 256 << 10;
/// The most disclosures in one SD-JWT.
pub const DISCLOSURES_MAX: usize = 512;
/// The deepest nesting of objects and arrays in the claims, the claims set itself counted.
pub const DEPTH_MAX: usize = 64;

/// Claims that a disclosure never carries, nor anything inside them (draft-ietf-oauth-sd-jwt-vc §2.2.2.3): a verifier
/// reads them without the holder's choice.
pub const NEVER_DISCLOSABLE: [&str; 8] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"];

/// Claims that no presentation carries, whatever asks: the holder and the issuer alone know them.
pub const KEPT_CLAIMS: [&str; 1] = [crate::consent::TRACE_CLAIM];

const SD: &str = "_sd";
const SD_ALG: &str = "_sd_alg";
const ELLIPSIS: &str = "...";
const HASH_NAME: &str = "sha-256";
