//! An item's file: read as TOML, each mistake with its line and column.

use std::ops::Range;
use std::path::Path;

use kanhe_proto::bounded::Text;
use kanhe_proto::item::{At, Item, PartName, Place};
use kanhe_proto::limits::ITEM_BYTES_MAX;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;
use crate::home;
use crate::rules::{RuleFault, Scope, check};
use crate::talk::Failure;

/// Most bytes of a file: comments and samples besides the item.
const FILE_BYTES_MAX: usize = 1 << 20;

/// An item with the text that it was read from.
#[derive(Debug)]
pub struct ItemSource {
    /// The item.
    pub item: Item,
    text: String,
}

impl ItemSource {
    /// Reads a file. What is no item at all is one mistake.
    pub fn read(path: &Path) -> Result<Result<Self, Box<Mistake>>, Failure> {
        Ok(Self::of(home::read_text(path, FILE_BYTES_MAX)?))
    }

    /// From the text of a file.
    pub fn of(text: String) -> Result<Self, Box<Mistake>> {
        match toml::from_str::<Item>(&text) {
            Ok(item) => Ok(Self { item, text }),
            Err(error) => {
                let at = error.span().map(|span| position(&text, span.start));
                let message = error.message().lines().next().unwrap_or_default().to_owned();
                Err(Box::new(Mistake::of("shape", at, String::new(), &message, &[])))
            }
        }
    }

    /// Everything that is wrong by form: with the item, and with each rule that it has.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let table = DeTable::parse(&self.text).ok();
        let at = |place: &Place| table.as_ref().and_then(|table| span_of(table, place));
        let mut found: Vec<Mistake> = Vec::new();
        for fault in self.item.faults() {
            let position = at(&fault.at).map(|span| position(&self.text, span.start));
            found.push(Mistake::of(fault.kind.code(), position, fault.at.to_string(), &fault.name, &[]));
        }
        for (place, cel, scope) in self.rules() {
            for fault in check(&cel, scope.as_ref()) {
                let position = at(&place).map(|span| self.inside(span, &cel, &fault));
                found.push(Mistake::of(fault.kind.code(), position, place.to_string(), &fault.name, &fault.instead));
            }
        }
        for place in self.unsent_yields() {
            let name = self.item.yields.get(place).map(|given| given.code.to_string()).unwrap_or_default();
            let place = Place::of("yield").element(place).member("to");
            let position = at(&place).map(|span| position(&self.text, span.start));
            found.push(Mistake::of("yield_unsent", position, place.to_string(), &name, &[]));
        }
        let bytes = self.item.to_json().len();
        if bytes > ITEM_BYTES_MAX {
            found.push(Mistake::of("too_long", None, String::new(), &bytes.to_string(), &[ITEM_BYTES_MAX.to_string()]));
        }
        found.sort_by_key(|mistake| (mistake.line, mistake.column));
        // A rule that two steps use is wrong once.
        found.dedup();
        found
    }

    /// Yields to a party that sends nothing to the bureau which issues them: its application could not come.
    fn unsent_yields(&self) -> Vec<usize> {
        let item = &self.item;
        let unsent = item.yields.iter().enumerate().filter(|(_, given)| {
            let Some(step) = item.step.iter().find(|step| step.code == given.step) else { return false };
            let sent = |of: &PartName, to: &[PartName]| *of == given.to && to.contains(&step.by);
            let asks = item.ask.iter().any(|ask| sent(&ask.of, &ask.to));
            let fields = item.field.iter().any(|field| sent(&field.of, &field.to));
            !(asks || fields || item.attachment.iter().any(|paper| sent(&paper.of, &paper.to)))
        });
        unsent.map(|(place, _)| place).collect()
    }

    /// Each expression with its place and what it may name. A rule that several steps use is looked at for each.
    fn rules(&self) -> Vec<(Place, String, Option<Scope>)> {
        let item = &self.item;
        let mut found = Vec::new();
        for (place, rule) in item.rule.iter().enumerate() {
            let at = Place::of("rule").element(place).member("holds");
            for step in item.step.iter().filter(|step| step.rules.contains(&rule.code)) {
                found.push((at.clone(), rule.holds.to_string(), Some(Scope::of(item, step))));
            }
        }
        for (place, step) in item.step.iter().enumerate() {
            let at = Place::of("step").element(place).member("passes");
            for (name, cel) in &step.passes {
                found.push((at.member(name), cel.to_string(), Some(Scope::of(item, step))));
            }
        }
        for (place, given) in item.yields.iter().enumerate() {
            let at = Place::of("yield").element(place).member("claims");
            let scope = item.step.iter().find(|step| step.code == given.step).map(|step| Scope::of(item, step));
            found.extend(given.claims.iter().map(|(claim, cel)| {
                let claim: &Text<_> = claim;
                (at.member(claim), cel.to_string(), scope.clone())
            }));
        }
        found
    }

    /// The place inside an expression, if its text stands in the file as it is.
    fn inside(&self, span: Range<usize>, cel: &str, fault: &RuleFault) -> (usize, usize) {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let offset = fault.at.and_then(|at| {
            let inner = written.find(cel)?;
            cel.char_indices().nth(at).map(|(byte, _)| inner + byte)
        });
        position(&self.text, span.start + offset.unwrap_or_default())
    }
}

/// Line and column in characters of a byte, both from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Where the file has a place, or the nearest part around it.
fn span_of(table: &Spanned<DeTable<'_>>, place: &Place) -> Option<Range<usize>> {
    let mut found: Option<&Spanned<DeValue<'_>>> = None;
    let mut members = Some(table.get_ref());
    for step in &place.0 {
        let next = match (step, found.map(Spanned::get_ref)) {
            (At::Member(name), _) => {
                members.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name)).map(|(_, value)| value)
            }
            (At::Element(at), Some(DeValue::Array(array))) => array.get(*at),
            (At::Element(_), _) => None,
        };
        let Some(next) = next else { break };
        members = match next.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
        found = Some(next);
    }
    found.map(Spanned::span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../deploy/items/flat-registration.toml");

    fn told(text: &str) -> Vec<(Option<usize>, String, String)> {
        let source = ItemSource::of(text.to_owned());
        let mistakes = match source {
            Ok(source) => source.mistakes(),
            Err(mistake) => vec![*mistake],
        };
        mistakes.into_iter().map(|mistake| (mistake.line, mistake.place, mistake.code)).collect()
    }

    fn line_of(text: &str, part: &str) -> Option<usize> {
        Some(position(text, text.find(part).unwrap()).0)
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        assert_eq!(told(GOOD), []);
        let changed = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            GOOD.replacen(from, to, 1)
        };
        let text = changed("needs = [\"tax\", \"mortgage\"]", "needs = [\"taxes\", \"mortgage\"]");
        let unknown = told(&text).into_iter().find(|(_, _, code)| code == "unknown").unwrap();
        assert_eq!(unknown.0, line_of(&text, "\"taxes\""));
        let text = changed("given.identity.CZZT", "given.identity.KZ_XB");
        let wrong = told(&text).into_iter().find(|(_, _, code)| code == "rule_name").unwrap();
        assert_eq!(wrong.0, line_of(&text, "given.identity.KZ_XB"));
        let text = changed("life_days = 365", "life_days = \"long\"");
        assert_eq!(told(&text), [(line_of(&text, "\"long\""), String::new(), "shape".to_owned())]);
        let text = changed("life_days = 365", "life_days = 365\nlife_daze = 1");
        assert_eq!(told(&text)[0].2, "shape");
        assert_eq!(told("format = ")[0].2, "shape");
        // Nobody could apply for what the bank issues to the developer, which sends it nothing.
        let text = changed("step = \"register\"\ntype", "step = \"mortgage\"\ntype");
        let text = text.replacen("to = \"buyer\"\n\n[yield.claims]", "to = \"developer\"\n\n[yield.claims]", 1);
        let unsent = told(&text).into_iter().find(|(_, _, code)| code == "yield_unsent").unwrap();
        assert_eq!((unsent.0, unsent.1), (line_of(&text, "\"developer\"\n\n[yield.claims]"), "yield[0].to".to_owned()));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(position("a\n名称 x", "a\n名称 x".len() - 1), (2, 4));
    }
}
