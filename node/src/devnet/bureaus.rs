//! The bureaus of a local network: four of Jinan's High-tech Zone, and as many more as asked for.

use kanhe_proto::bounded::Text;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::registry::Names;

use super::codes::example_code;

/// Division code of Jinan (GB/T 2260).
pub const REGION: &str = "370100";
/// Registered by an office of the establishment (1), as a body of the state (1).
const BODY_OF_STATE: &str = "11";
/// Registered by market regulation (9), as an enterprise (1).
const ENTERPRISE: &str = "91";

/// One bureau of the network.
#[derive(Debug, Clone)]
pub struct Office {
    /// Name of its folder.
    pub folder: String,
    /// Its code.
    pub uscc: Uscc,
    /// Its names.
    pub names: Names,
}

const NAMED: [(&str, &str, &str); 4] = [
    ("market-regulation", "济南高新区市场监督管理局", "Market Regulation Bureau of Jinan High-tech Zone"),
    ("public-security", "济南高新区公安局", "Public Security Bureau of Jinan High-tech Zone"),
    (
        "natural-resources",
        "济南高新区自然资源和规划局",
        "Bureau of Natural Resources and Planning of Jinan High-tech Zone",
    ),
    ("big-data", "济南高新区大数据局", "Big Data Bureau of Jinan High-tech Zone"),
];

/// Both names.
pub fn names(zh: &str, en: &str) -> Names {
    let text = |text: &str| Text::new(text).expect("names of examples are short");
    Names { zh: text(zh), en: text(en) }
}

/// So many bureaus.
pub fn offices(count: usize) -> Vec<Office> {
    let office = |index: usize| {
        let number = u32::try_from(index + 1).expect("few bureaus");
        let (folder, names) = match NAMED.get(index) {
            Some((folder, zh, en)) => ((*folder).to_owned(), names(zh, en)),
            None => (
                format!("bureau-{number}"),
                names(
                    &format!("济南高新区示例局{number}"),
                    &format!("Example Bureau {number} of Jinan High-tech Zone"),
                ),
            ),
        };
        Office { folder, uscc: example_code(BODY_OF_STATE, REGION, number), names }
    };
    (0..count).map(office).collect()
}

/// The bank that asks.
pub fn bank() -> Office {
    let uscc = example_code(ENTERPRISE, REGION, 8_001);
    Office { folder: "bank".to_owned(), uscc, names: names("济南示例银行", "Jinan Example Bank") }
}
