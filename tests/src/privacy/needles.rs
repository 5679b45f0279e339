//! Byte patterns, and a search for all of them at once.

use std::collections::{BTreeSet, HashMap};

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use encoding_rs::GB18030;
use sha2::{Digest, Sha256};

use super::values::Values;

/// Shorter patterns say nothing.
const BYTES_MIN: usize = 8;
/// Bits of the filter that most places of a text do not pass.
const FILTER_BITS: u32 = 24;

/// A form in which a value may have slipped through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// As it is.
    Utf8,
    /// In the national encoding.
    Gb18030,
    /// Hexadecimal, of either case.
    Hex,
    /// Base64 with `+` and `/`, wherever in it the value begins.
    Base64,
    /// Base64 with `-` and `_`, the same.
    Base64Url,
    /// SHA-256 without salt.
    Sha256,
    /// The same in hexadecimal.
    Sha256Hex,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Utf8, Self::Gb18030, Self::Hex, Self::Base64, Self::Base64Url, Self::Sha256, Self::Sha256Hex];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Sha256 => "SHA-256",
            Self::Sha256Hex => "SHA-256 in hex",
        }
    }

    /// The patterns of a value in this form.
    pub fn patterns(self, text: &str) -> Vec<Vec<u8>> {
        let bytes = text.as_bytes();
        let found = match self {
            Self::Utf8 => vec![bytes.to_vec()],
            Self::Gb18030 => vec![GB18030.encode(text).0.into_owned()],
            Self::Hex => vec![HEXLOWER.encode(bytes).into_bytes(), HEXUPPER.encode(bytes).into_bytes()],
            Self::Base64 => in_base64(&BASE64, bytes),
            Self::Base64Url => in_base64(&BASE64URL, bytes),
            Self::Sha256 => vec![Sha256::digest(bytes).to_vec()],
            Self::Sha256Hex => vec![HEXLOWER.encode(&Sha256::digest(bytes)).into_bytes()],
        };
        found.into_iter().filter(|pattern| pattern.len() >= BYTES_MIN).collect()
    }
}

/// What every base64 text with these bytes in it contains, for each of the three places where they may begin: the
/// characters that neighbours have no part in.
fn in_base64(alphabet: &data_encoding::Encoding, bytes: &[u8]) -> Vec<Vec<u8>> {
    let of = |before: usize| {
        let padded = [&vec![0; before][..], bytes].concat();
        let text = alphabet.encode(&padded);
        let (first, last) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        text.as_bytes()[first.min(last)..last].to_vec()
    };
    (0..3).map(of).collect()
}

/// Where a pattern comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Its form.
    pub form: Form,
    /// Its value, by its place among the values.
    pub value: usize,
}

/// The patterns of many values.
#[derive(Debug)]
pub struct Needles {
    /// Values with their columns.
    pub values: Vec<(String, String)>,
    filter: Vec<u64>,
    /// Lengths of the patterns that begin with these bytes.
    lengths: HashMap<[u8; BYTES_MIN], BTreeSet<usize>>,
    patterns: HashMap<Box<[u8]>, Origin>,
}

impl Needles {
    /// All patterns of all values looked for.
    pub fn of(values: &Values) -> Self {
        let values: Vec<(String, String)> =
            values.searched.iter().map(|(text, column)| (text.clone(), column.clone())).collect();
        let filter = vec![0; 1 << (FILTER_BITS - 6)];
        let mut needles = Self { values, filter, lengths: HashMap::new(), patterns: HashMap::new() };
        for value in 0..needles.values.len() {
            for form in Form::ALL {
                for pattern in form.patterns(&needles.values[value].0) {
                    needles.add(pattern, Origin { form, value });
                }
            }
        }
        needles
    }

    fn add(&mut self, pattern: Vec<u8>, origin: Origin) {
        let head: [u8; BYTES_MIN] = *pattern.first_chunk().expect("patterns are not shorter");
        let bit = filter_bit(&head);
        self.filter[bit / 64] |= 1 << (bit % 64);
        self.lengths.entry(head).or_default().insert(pattern.len());
        // The first form keeps what several have: in ASCII, UTF-8 and GB18030 are the same.
        self.patterns.entry(pattern.into()).or_insert(origin);
    }

    /// How many patterns there are.
    pub fn count(&self) -> usize {
        self.patterns.len()
    }

    /// Calls for every pattern found in a text.
    pub fn find(&self, text: &[u8], mut found: impl FnMut(Origin)) {
        for (place, head) in text.windows(BYTES_MIN).enumerate() {
            let head: &[u8; BYTES_MIN] = head.try_into().expect("windows of this length");
            let bit = filter_bit(head);
            if self.filter[bit / 64] & (1 << (bit % 64)) == 0 {
                continue;
            }
            for length in self.lengths.get(head).into_iter().flatten() {
                let origin = text.get(place..place + length).and_then(|part| self.patterns.get(part));
                origin.into_iter().for_each(|origin| found(*origin));
            }
        }
    }
}

fn filter_bit(head: &[u8; BYTES_MIN]) -> usize {
    let mixed = u64::from_le_bytes(*head).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - FILTER_BITS)).expect("24 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_wherever_the_value_begins() {
        let value = "济南泉城软件有限公司".as_bytes();
        for before in 0..7 {
            for after in 0..4 {
                let text = [&vec![0x5a; before][..], value, &vec![0xa5; after]].concat();
                let encoded = BASE64.encode(&text);
                let found = in_base64(&BASE64, value)
                    .iter()
                    .any(|core| encoded.as_bytes().windows(core.len()).any(|window| window == core.as_slice()));
                assert!(found, "{before} bytes before, {after} after");
            }
        }
    }

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let mut values = Values::default();
        for text in ["济南泉城软件有限公司", "91370100MA3C8XYT1X", "张三"] {
            values.searched.insert(text.to_owned(), "column".to_owned());
        }
        let needles = Needles::of(&values);
        for (value, (text, _)) in needles.values.iter().enumerate() {
            for form in Form::ALL {
                for pattern in form.patterns(text) {
                    let mut found = Vec::new();
                    needles.find(&[&b"before"[..], &pattern, b"after"].concat(), |origin| found.push(origin.value));
                    assert_eq!(found.first(), Some(&value), "{text} as {}", form.name());
                }
            }
        }
        let mut found = 0;
        needles.find("济南泉城软件有限 91370100MA3C8XYT 张三".as_bytes(), |_| found += 1);
        assert_eq!(found, 0, "a part is not the value, and six bytes are too few");
    }
}
