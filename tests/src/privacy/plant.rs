//! The control: values planted in a copy of a home, in every form and every kind of place, must be found.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use data_encoding::{BASE64, BASE64URL};
use kanhe_node::run::home;
use rocksdb::{ColumnFamilyDescriptor, DB, Options};

use super::needles::{Form, Needles};
use super::scan::scan;
use crate::power::files;

/// Plants a value in a copy of a home and looks for it; gives how many plants were found.
pub fn control(dir: &Path, needles: &Needles) -> anyhow::Result<usize> {
    let text = all_forms(needles).context("no value has every form")?;
    let copy = tempfile::tempdir()?;
    copy_all(dir, copy.path())?;
    let mut expected = BTreeSet::new();
    plant_in_database(&home::chain(copy.path()).join("db"), text, &mut expected)?;
    for name in ["consensus.wal", "chain/db/LOG", "log", "metrics", &database_log(copy.path())?] {
        let mut file = File::options().append(true).create(true).open(copy.path().join(name))?;
        for form in Form::ALL {
            file.write_all(&planted(form, text))?;
            file.write_all(b"\n")?;
            expected.insert((name.to_owned(), form));
        }
    }
    let found = scan(copy.path(), needles)?;
    let found: BTreeSet<(String, Form)> =
        found.findings.into_iter().map(|finding| (finding.place, finding.origin.form)).collect();
    let missed: Vec<_> = expected.difference(&found).collect();
    if !missed.is_empty() {
        bail!("the scan does not find what was planted: {missed:?}");
    }
    Ok(expected.len())
}

/// The first value whose forms all differ and are long enough.
fn all_forms(needles: &Needles) -> Option<&str> {
    let texts = needles.values.iter().map(|(text, _)| text.as_str());
    texts.into_iter().find(|text| !text.is_ascii() && Form::ALL.iter().all(|form| !form.patterns(text).is_empty()))
}

/// A value as it might stand among other bytes.
fn planted(form: Form, text: &str) -> Vec<u8> {
    let among_others = [b"\x01", text.as_bytes(), b"\xff\x02"].concat();
    match form {
        Form::Base64 => format!("+/{}", BASE64.encode(&among_others)).into_bytes(),
        // Only in this alphabet: the other form would be found in its place.
        Form::Base64Url => format!("-_{}", BASE64URL.encode(&among_others)).into_bytes(),
        _ => form.patterns(text).swap_remove(0),
    }
}

fn plant_in_database(path: &Path, text: &str, expected: &mut BTreeSet<(String, Form)>) -> anyhow::Result<()> {
    let names = DB::list_cf(&Options::default(), path)?;
    let columns = names.iter().map(|name| ColumnFamilyDescriptor::new(name, Options::default()));
    let database = DB::open_cf_descriptors(&Options::default(), path, columns)?;
    for name in &names {
        let column = database.cf_handle(name).with_context(|| name.clone())?;
        for form in Form::ALL {
            let bytes = planted(form, text);
            database.put_cf(&column, [b"key ", &bytes[..]].concat(), b"planted")?;
            database.put_cf(&column, format!("value {}", form.name()), &bytes)?;
            expected.insert((format!("column {name}, key"), form));
            expected.insert((format!("column {name}, value"), form));
        }
    }
    Ok(())
}

/// The database's newest write-ahead log, below the home.
fn database_log(dir: &Path) -> anyhow::Result<String> {
    let logs = files(&home::chain(dir)).into_iter().map(|(path, _)| path);
    let newest = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max();
    let newest = newest.context("the database has no log")?;
    Ok(newest.strip_prefix(dir)?.display().to_string())
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    for (path, _) in files(from) {
        let target = to.join(path.strip_prefix(from)?);
        fs::create_dir_all(target.parent().context("below the copy")?)?;
        fs::copy(&path, target)?;
    }
    Ok(())
}
