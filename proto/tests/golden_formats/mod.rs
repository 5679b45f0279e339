//! How golden files are compared and written, and those of what happens on the chain.

mod cases;
mod consents;
mod governance;

use std::fmt::Debug;
use std::path::Path;

use kanhe_proto::codec::{self, BYTES_MAX, Decode, Encode};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::text;

/// Compares with a file, or writes it.
pub fn golden_text(file: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("KANHE_BLESS").is_some() {
        std::fs::write(&path, content).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(kept, content, "{file} differs: a change of format");
}

/// Bytes as lines of hexadecimal.
pub fn golden_bytes(file: &str, bytes: &[u8]) {
    let lines: Vec<String> = bytes.chunks(40).map(text::hex).collect();
    golden_text(file, &format!("{}\n", lines.join("\n")));
}

/// A value of the codec: its bytes, and that they are read as the same value.
pub fn golden<T: Encode + Decode<()> + PartialEq + Debug>(file: &str, value: &T) {
    let bytes = codec::encode(value);
    golden_bytes(file, &bytes);
    assert_eq!(&codec::decode::<T>(&bytes, BYTES_MAX).unwrap(), value, "{file}");
}

/// A leaf of a map: kind, version and value.
pub fn golden_leaf<T: MapValue + PartialEq + Debug>(file: &str, value: &T) {
    golden_bytes(file, &value.to_value());
    assert_eq!(&T::from_value(&value.to_value()).unwrap(), value, "{file}");
}
