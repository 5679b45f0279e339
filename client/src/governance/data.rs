//! A file that says which classes of data a bureau holds: names and counts, and never the data.

use std::path::Path;

use kanhe_proto::bounded::Text;
use kanhe_proto::identifiers::{Day, TypeCode};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::registry::{DataDeclaration, Names};
use serde::Deserialize;

use crate::home;
use crate::talk::{ExitCode, Failure};

/// Longest file, in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

/// The file. What it has no name for is refused, so that no data gets in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    class: Vec<Class>,
}

/// A class of data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    code: String,
    zh: String,
    en: String,
    /// The licence type as which it is read.
    #[serde(default, rename = "type")]
    type_code: Option<TypeCode>,
    count: u64,
    /// A day; today if it is left out.
    #[serde(default)]
    as_of: Option<String>,
}

/// The classes of a file, ascending by code.
pub(super) fn read_classes(path: &Path, now: TimeMs) -> Result<Vec<DataDeclaration>, Failure> {
    let wrong = |cause: &dyn std::fmt::Display| {
        let cause = cause.to_string().trim().replace('\n', " ");
        Failure::of(ExitCode::Usage, "gov_file_wrong", &[("path", &path.display()), ("cause", &cause)])
    };
    let file: File = toml::from_str(&home::read_text(path, FILE_BYTES_MAX)?).map_err(|error| wrong(&error))?;
    let mut classes = Vec::new();
    for class in file.class {
        let as_of = match &class.as_of {
            // The end of the day, if that is over; a declaration is of no time to come.
            Some(day) => now.min(day.parse::<Day>().map_err(|error| wrong(&error))?.end()),
            None => now,
        };
        classes.push(DataDeclaration {
            code: Text::new(class.code).map_err(|error| wrong(&error))?,
            names: Names {
                zh: Text::new(class.zh).map_err(|error| wrong(&error))?,
                en: Text::new(class.en).map_err(|error| wrong(&error))?,
            },
            type_code: class.type_code,
            count: class.count,
            as_of,
        });
    }
    classes.sort_by(|one, other| one.code.cmp(&other.code));
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_in_order_and_data_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("classes.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_classes(&path, TimeMs(1_800_000_000_000))
        };
        let one = |code: &str| format!("[[class]]\ncode = \"{code}\"\nzh = \"户籍\"\nen = \"Households\"\ncount = 7\n");
        let two = format!("{}{}type = \"DEMO-1\"\nas_of = \"2026-01-31\"\n", one("b"), one("a"));
        let found = read(&two).unwrap();
        let codes: Vec<&str> = found.iter().map(|class| class.code.as_str()).collect();
        assert_eq!((codes, found[0].as_of < found[1].as_of), (vec!["a", "b"], true));
        for wrong in
            ["rows = [1]".to_owned(), format!("{}rows = [\"张三\"]\n", one("a")), one("a").replace("= 7", "= -1")]
        {
            assert_eq!(read(&wrong).unwrap_err().code, "gov_file_wrong");
        }
    }
}
