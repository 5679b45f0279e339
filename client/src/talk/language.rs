//! The language, and the catalogue of messages in it.

use std::fmt::Display;

/// A language that the catalogue is complete in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// 简体中文.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The tag used in the catalogue, on the command line and in JSON.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    /// Picks the language: `--lang`, else `KANHE_LANG`, else what the locale says (`LC_ALL`, `LC_MESSAGES`, `LANG`
    /// in that order, the first that is set), else English.
    pub fn choose(flag: Option<Self>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        flag.or_else(|| set("KANHE_LANG").and_then(|value| Self::of_locale(&value))).unwrap_or_else(|| {
            let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| set(name));
            locale.and_then(|value| Self::of_locale(&value)).unwrap_or(Self::En)
        })
    }

    /// Picks the language from the command line and the environment, and uses it from now on.
    pub fn install(flag: Option<Self>) -> Self {
        let lang = Self::choose(flag, |name| std::env::var(name).ok());
        rust_i18n::set_locale(lang.tag());
        lang
    }

    /// The language in use.
    pub fn current() -> Self {
        if rust_i18n::locale().starts_with("zh") { Self::Zh } else { Self::En }
    }

    fn of_locale(value: &str) -> Option<Self> {
        let value = value.to_ascii_lowercase();
        match value.split(['_', '-', '.', '@']).next() {
            Some("zh") => Some(Self::Zh),
            Some("en" | "c" | "posix") => Some(Self::En),
            _ => None,
        }
    }
}

impl std::str::FromStr for Lang {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "zh" => Ok(Self::Zh),
            "en" => Ok(Self::En),
            _ => Err("zh | en".to_string()),
        }
    }
}

/// The message under a key in the language in use, with `%{name}` filled in.
pub fn say(key: &str, args: &[(&str, &dyn Display)]) -> String {
    say_in(Lang::current(), key, args)
}

/// The message under a key in a given language.
pub fn say_in(lang: Lang, key: &str, args: &[(&str, &dyn Display)]) -> String {
    fill(&rust_i18n::t!(key, locale = lang.tag()), args)
}

/// The message under a key, if the catalogue has it.
pub fn find(key: &str, args: &[(&str, &dyn Display)]) -> Option<String> {
    let lang = Lang::current();
    let text = rust_i18n::t!(key, locale = lang.tag());
    // The catalogue answers an unknown key with its own name.
    (!text.ends_with(key)).then(|| fill(&text, args))
}

/// Fills `%{name}` in one pass, so that a value that looks like a placeholder stays as it is.
fn fill(template: &str, args: &[(&str, &dyn Display)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("%{") {
        text.push_str(before);
        let found = after.split_once('}').and_then(|(name, tail)| {
            args.iter().find(|(known, _)| *known == name).map(|(_, value)| (value.to_string(), tail))
        });
        match found {
            Some((value, tail)) => {
                text.push_str(&value);
                rest = tail;
            }
            None => {
                text.push_str("%{");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        let pairs = pairs.to_vec();
        move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
    }

    #[test]
    fn the_language_follows_flag_then_own_variable_then_locale() {
        assert_eq!(Lang::choose(None, with(&[])), Lang::En);
        assert_eq!(Lang::choose(None, with(&[("LANG", "zh_CN.UTF-8")])), Lang::Zh);
        assert_eq!(Lang::choose(None, with(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")])), Lang::En);
        assert_eq!(Lang::choose(None, with(&[("LANG", "en_US.UTF-8"), ("KANHE_LANG", "zh")])), Lang::Zh);
        assert_eq!(Lang::choose(None, with(&[("LANG", "zh_CN"), ("KANHE_LANG", "xx")])), Lang::Zh);
        assert_eq!(Lang::choose(Some(Lang::En), with(&[("KANHE_LANG", "zh")])), Lang::En);
        assert_eq!(Lang::choose(None, with(&[("LANG", "fr_FR")])), Lang::En);
    }

    #[test]
    fn values_are_filled_in_once() {
        assert_eq!(fill("a %{x} b %{y} %{z}", &[("x", &"%{y}"), ("y", &2)]), "a %{y} b 2 %{z}");
        assert_eq!(fill("100%{", &[]), "100%{");
    }
}
