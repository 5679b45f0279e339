//! Holds the catalogue and the code together: both languages complete, no key missing, none left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All files of the catalogue.
const FILES: &[&str] = &[
    include_str!("../../locales/app.yml"),
    include_str!("../../locales/command.yml"),
    include_str!("../../locales/governance.yml"),
    include_str!("../../locales/issuer.yml"),
    include_str!("../../locales/items.yml"),
    include_str!("../../locales/cases.yml"),
    include_str!("../../locales/desk.yml"),
    include_str!("../../locales/audit.yml"),
    include_str!("../../locales/accounts.yml"),
];

/// Key → (language → text), read without the library that compiles the catalogue in: `_version: 2`, two-space
/// steps, one line per text.
fn catalogue() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    let lines = FILES.iter().flat_map(|file| file.lines());
    for line in lines {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') || text.starts_with("_version") {
            continue;
        }
        let depth = (line.len() - line.trim_start().len()) / 2;
        let (name, value) = text.split_once(':').expect("key: value");
        path.truncate(depth);
        path.push(name.to_string());
        if value.trim().is_empty() {
            continue;
        }
        let key = path[..depth].join(".");
        let again = found.entry(key.clone()).or_default().insert(name.to_string(), value.trim().to_string());
        assert!(again.is_none(), "{key} has {name} twice");
    }
    found
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split("%{").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

fn sources(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("catalogue.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]\nmod tests").next().unwrap().to_string());
        }
    }
}

/// The string literals that are the first one after a call's opening, with at most a plain path before them.
fn literals<'a>(source: &'a str, opening: &str) -> Vec<&'a str> {
    let after = source.split(opening).skip(1);
    let parted = after.filter_map(|rest| rest.split_once('"'));
    let direct = parted.filter(|(before, _)| before.chars().all(|c| c.is_alphanumeric() || ":, \n_".contains(c)));
    direct.filter_map(|(_, rest)| rest.split('"').next()).collect()
}

/// Codes with which the verifier's service refuses.
fn refusals(source: &str) -> impl Iterator<Item = &str> {
    literals(source, "Refused::of(").into_iter()
}

#[test]
fn every_key_has_both_languages_with_the_same_placeholders() {
    let catalogue = catalogue();
    assert!(catalogue.len() > 30);
    for (key, texts) in &catalogue {
        let languages: Vec<&str> = texts.keys().map(String::as_str).collect();
        assert_eq!(languages, ["en", "zh"], "{key}");
        assert_eq!(placeholders(&texts["en"]), placeholders(&texts["zh"]), "{key}");
    }
}

#[test]
fn every_key_in_code_exists_and_says_something() {
    let catalogue = catalogue();
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut used = BTreeSet::new();
    for source in &files {
        used.extend(literals(source, "say(").into_iter().map(str::to_string));
        used.extend(refusals(source).map(|code| format!("service.{code}")));
        used.extend(literals(source, "Failure::of(").into_iter().map(|code| format!("error.{code}")));
    }
    assert!(used.len() > 20, "the scan finds too little: {used:?}");
    for key in &used {
        assert!(catalogue.contains_key(key), "{key} is used but not in the catalogue");
        for lang in [super::Lang::Zh, super::Lang::En] {
            assert!(!super::say_in(lang, key, &[]).ends_with(key.as_str()), "{key} in {}", lang.tag());
        }
    }
    let hints = catalogue.keys().filter_map(|key| key.strip_prefix("hint."));
    for code in hints {
        assert!(catalogue.contains_key(&format!("error.{code}")), "hint.{code} belongs to no error");
    }
}
