//! What people read, in both languages.

use serde::{Deserialize, Serialize};

use crate::bounded::Text;
use crate::limits::WORDS_BYTES_MAX;

/// A sentence or a few.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Chinese.
    pub zh: Text<WORDS_BYTES_MAX>,
    /// English.
    pub en: Text<WORDS_BYTES_MAX>,
}
