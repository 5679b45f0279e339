//! The privacy scan can fail: on a real node's home it finds what is planted, and nothing before that.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use kanhe_client::sample::Subject;
use kanhe_client::sheet::Format;
use kanhe_client::talk::Lang;
use kanhe_tests::network::Network;
use kanhe_tests::privacy::{Form, Needles, Values, control, scan};

/// Column families of a node, the one that RocksDB always has among them.
const COLUMNS: usize = 21;

#[test]
fn the_scan_finds_what_is_planted_and_nothing_else() {
    let mut network = Network::found(4, 1_000);
    network.start_fast();
    network.start_all();
    network.wait_ready(Duration::from_secs(60));
    network.wait_blocks(2, Duration::from_secs(30));
    network.stop_all();

    let dir = tempfile::tempdir().unwrap();
    let sheet = dir.path().join("people.csv");
    Subject::BusinessLicence.write(3, 200, Lang::Zh, Format::Csv, &sheet).unwrap();
    let values = Values::read(&sheet, &network.genesis).unwrap();
    assert!(values.searched.len() > 400 && values.excluded.dates.len() > 100);
    // The schema that everybody can read gives this number as an example.
    assert!(values.excluded.examples.contains_key("370100000000001"));
    let needles = Needles::of(&values);
    let home = network.home(0);
    let clean = scan(home, &needles).unwrap();
    assert_eq!((clean.found, clean.columns), (0, COLUMNS), "{:?}", clean.findings);
    assert!(clean.entries > 50 && clean.files > 10);

    // In each column as key and as value, and in five logs, in every form.
    assert_eq!(control(home, &needles).unwrap(), (2 * COLUMNS + 5) * Form::ALL.len());
    assert_eq!(scan(home, &needles).unwrap().found, 0, "the control works on a copy");

    let (text, _) = needles.values.iter().find(|(text, _)| !Form::Utf8.patterns(text).is_empty()).unwrap();
    let log = home.join("log");
    fs::write(&log, format!("issued {text}\n")).unwrap();
    let found = scan(home, &needles).unwrap();
    assert_eq!((found.found, found.findings[0].place.as_str()), (1, "log"));
}
