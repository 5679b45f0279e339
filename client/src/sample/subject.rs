//! The licence types of the demo and rows for them.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::person::Person;
use super::{Dice, company, home};
use crate::sheet::{APPLICATION, Columns, Format, SchemaError, Writer};
use crate::talk::{Failure, Lang};

/// A licence type of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// 营业执照.
    BusinessLicence,
    /// 居民身份证.
    IdentityCard,
    /// 不动产权证书.
    RealEstateCertificate,
}

/// A licence type as `deploy/types/*.json` describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeFile {
    /// 证照类型代码.
    pub code: String,
    /// Version of the definition.
    pub version: u32,
    /// Its name in both languages.
    pub names: Names,
    /// Whether the code is made up for the demo.
    pub demo: bool,
    /// Where the code comes from.
    pub note: String,
    /// JSON Schema, as [`crate::sheet`] reads it.
    pub schema: serde_json::Value,
}

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl TypeFile {
    /// Reads a type file.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The columns of a sheet of this type.
    pub fn columns(&self) -> Result<Columns, SchemaError> {
        Columns::of_schema(&self.schema)
    }
}

impl std::str::FromStr for Subject {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|subject| subject.name() == text);
        found.ok_or_else(|| Self::ALL.map(Self::name).join(" | "))
    }
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BusinessLicence, Self::IdentityCard, Self::RealEstateCertificate];

    /// Its name on the command line, and of its file in `deploy/types`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BusinessLicence => "business-licence",
            Self::IdentityCard => "identity-card",
            Self::RealEstateCertificate => "real-estate-certificate",
        }
    }

    /// The text of its type file.
    pub const fn file(self) -> &'static str {
        match self {
            Self::BusinessLicence => include_str!("../../../deploy/types/business-licence.json"),
            Self::IdentityCard => include_str!("../../../deploy/types/identity-card.json"),
            Self::RealEstateCertificate => include_str!("../../../deploy/types/real-estate-certificate.json"),
        }
    }

    /// Its type file.
    pub fn type_file(self) -> TypeFile {
        TypeFile::parse(self.file()).expect("compiled in, and read by a test")
    }

    /// So many rows, in the order of the type's columns. Numbers and holders are distinct.
    pub fn rows(self, seed: u64, count: usize) -> Vec<Vec<String>> {
        let mut dice = Dice::new(seed, self.name());
        let mut taken = BTreeSet::new();
        let rows = 1..=count as u64;
        rows.map(|number| match self {
            Self::BusinessLicence => company::row(&mut dice, &mut taken, number),
            Self::IdentityCard => Person::draw(&mut dice, &mut taken).row(&mut dice),
            Self::RealEstateCertificate => home::row(&mut dice, &mut taken, number),
        })
        .collect()
    }

    /// Writes rows as an office would send them.
    pub fn write(self, seed: u64, count: usize, lang: Lang, format: Format, path: &Path) -> Result<(), Failure> {
        self.sheet(seed, count, lang, format).save(path)
    }

    /// The same, not yet written.
    pub fn sheet(self, seed: u64, count: usize, lang: Lang, format: Format) -> Writer {
        let columns = self.type_file().columns().expect("compiled in, and read by a test");
        let claims = columns.list().iter().filter(|column| column.code != APPLICATION);
        let title = |zh: &String, en: &String| if lang == Lang::Zh { zh.clone() } else { en.clone() };
        let mut writer = Writer::new(format, claims.map(|c| title(&c.title_zh, &c.title_en)).collect());
        self.rows(seed, count).into_iter().for_each(|row| writer.row(row));
        writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::{Sheet, check};
    use kanhe_proto::identifiers::TypeCode;

    #[test]
    fn every_type_file_is_whole() {
        for subject in Subject::ALL {
            let file = subject.type_file();
            assert!(file.code.parse::<TypeCode>().is_ok() && file.version == 1);
            assert_eq!(file.demo, file.code.starts_with("DEMO"), "{}", file.code);
            assert_eq!(file.schema["title"], file.names.zh.as_str());
            assert!(file.columns().unwrap().list().len() > 8);
            assert_eq!(subject.name().parse(), Ok(subject));
        }
    }

    #[test]
    fn samples_pass_every_check_in_both_formats_and_languages() {
        for subject in Subject::ALL {
            let columns = subject.type_file().columns().unwrap();
            for (format, lang) in [(Format::Csv, Lang::Zh), (Format::Xlsx, Lang::En)] {
                let sheet = Sheet::of_bytes(subject.sheet(7, 300, lang, format).bytes().unwrap()).unwrap();
                assert_eq!(sheet.format, format);
                let report = check(&sheet, &columns, |_, _| Ok::<_, ()>(false)).unwrap();
                assert!(report.is_clean(), "{}", report.shown(5));
                assert_eq!(report.good.len(), 300);
            }
        }
    }

    #[test]
    fn a_seed_fixes_everything() {
        for subject in Subject::ALL {
            assert_eq!(subject.rows(1, 20), subject.rows(1, 20));
            assert_ne!(subject.rows(1, 20), subject.rows(2, 20));
            assert_eq!(subject.rows(1, 20)[..5], subject.rows(1, 5));
        }
    }
}
