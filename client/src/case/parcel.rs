//! What each bureau gets of a party: what the item sends it, and nothing else.

use kanhe_proto::identifiers::{Day, Uscc};
use kanhe_proto::item::{Ask, Attachment, Field, FieldKind, PartName, Yield};
use serde_json::Value;

use super::read::KnownItem;
use crate::talk::{ExitCode, Failure};

/// Most characters of a text that is filled in.
pub const TEXT_CHARS_MAX: usize = 1_000;

/// What one bureau gets.
#[derive(Debug, Clone)]
pub struct Parcel<'a> {
    /// Place of its role in the item.
    pub place: u8,
    /// The role.
    pub role: &'a PartName,
    /// Who plays it in this case.
    pub bureau: Uscc,
    /// Licences that it sees.
    pub asks: Vec<&'a Ask>,
    /// Fields that it sees.
    pub fields: Vec<&'a Field>,
    /// Attachments that it sees.
    pub papers: Vec<&'a Attachment>,
    /// Licences that it will issue to the party, and gets applications for.
    pub yields: Vec<&'a Yield>,
}

/// What goes to whom of a party, by the place of roles. `chosen` plays the roles in the item's order.
pub fn parcels<'a>(known: &'a KnownItem, party: &PartName, chosen: &[Uscc]) -> Result<Vec<Parcel<'a>>, Failure> {
    let (item, public) = (&known.item, &known.public);
    let sends: &[u8] = public.parties.iter().find(|known| known.code == *party).map_or(&[], |party| &party.sends_to);
    let mut parcels = Vec::new();
    for ((place, role), bureau) in (0u8..).zip(&item.bureau).zip(chosen) {
        let sees = |to: &[PartName]| to.contains(&role.code);
        let by = |step: &PartName| item.step.iter().any(|known| known.code == *step && known.by == role.code);
        let yields: Vec<&Yield> = item.yields.iter().filter(|given| given.to == *party && by(&given.step)).collect();
        if !sends.contains(&place) {
            if let Some(given) = yields.first() {
                let args: &[(&str, &dyn std::fmt::Display)] = &[("yield", &given.code), ("role", &role.code)];
                return Err(Failure::of(ExitCode::Failure, "case_yield_unsent", args));
            }
            continue;
        }
        parcels.push(Parcel {
            place,
            role: &role.code,
            bureau: *bureau,
            asks: item.ask.iter().filter(|ask| ask.of == *party && sees(&ask.to)).collect(),
            fields: item.field.iter().filter(|field| field.of == *party && sees(&field.to)).collect(),
            papers: item.attachment.iter().filter(|paper| paper.of == *party && sees(&paper.to)).collect(),
            yields,
        });
    }
    Ok(parcels)
}

/// What is filled in, as JSON text; refused unless it is of the field's kind.
pub fn field_value(field: &Field, given: &str) -> Result<String, Failure> {
    let text = given.trim();
    let fits = match field.kind {
        FieldKind::Text => !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX,
        FieldKind::Whole => text.parse::<i64>().is_ok(),
        FieldKind::Day => text.parse::<Day>().is_ok(),
        FieldKind::Amount => has_two_places(text),
        FieldKind::Choice => field.choices.iter().any(|choice| choice.as_str() == text),
    };
    if !fits {
        let choices: Vec<&str> = field.choices.iter().map(|choice| choice.as_str()).collect();
        let form = match field.kind {
            FieldKind::Text => format!("1 - {TEXT_CHARS_MAX}"),
            FieldKind::Whole => "12".to_owned(),
            FieldKind::Day => "2026-01-31".to_owned(),
            FieldKind::Amount => "1234.50".to_owned(),
            FieldKind::Choice => choices.join(" | "),
        };
        let args: &[(&str, &dyn std::fmt::Display)] = &[("field", &field.code), ("value", &text), ("form", &form)];
        return Err(Failure::of(ExitCode::Usage, "case_field_wrong", args));
    }
    let value = match (field.kind, text.parse::<i64>()) {
        (FieldKind::Whole, Ok(number)) => Value::from(number),
        _ => Value::from(text),
    };
    Ok(value.to_string())
}

/// Digits with two places: one form for all, where rules read others too.
fn has_two_places(text: &str) -> bool {
    let digits = |part: &str, len: std::ops::RangeInclusive<usize>| {
        len.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split_once('.').is_some_and(|(whole, cents)| digits(whole, 1..=15) && digits(cents, 2..=2))
}

/// How an attachment is called towards bureaus: its code, up to the first dot, and what kind of file it is.
pub fn paper_name(code: &str, file: &std::path::Path) -> String {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    let plain = (1..=8).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { format!("{code}.{extension}") } else { code.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use kanhe_proto::bounded::List;
    use kanhe_proto::item::{BoundRole, Item};

    use super::*;
    use crate::item::ItemSource;

    const FLAT: &str = include_str!("../../../deploy/items/flat-registration.toml");

    /// A bureau of its own for each role.
    pub fn bureaus() -> Vec<Uscc> {
        (1..=5).map(|at| Uscc::with_check(&format!("11370100MB1A{at:04}X")).unwrap()).collect()
    }

    pub fn flat() -> Arc<KnownItem> {
        let item: Item = ItemSource::of(FLAT.to_owned()).unwrap().item;
        let bound: Vec<BoundRole> = item
            .bureau
            .iter()
            .zip(bureaus())
            .map(|(role, uscc)| BoundRole { role: role.code.clone(), bureaus: List::new(vec![uscc]).unwrap() })
            .collect();
        Arc::new(KnownItem { public: item.service_item(&bound).unwrap(), item })
    }

    fn name(text: &str) -> PartName {
        PartName::new(text).unwrap()
    }

    #[test]
    fn a_bureau_gets_what_the_item_sends_it_and_nothing_else() {
        let (known, chosen) = (flat(), bureaus());
        let said = |party: &str| -> Vec<(String, Vec<String>)> {
            let parcels = parcels(&known, &name(party), &chosen).unwrap();
            let part = |parcel: &Parcel<'_>| {
                assert_eq!(parcel.bureau, chosen[usize::from(parcel.place)]);
                let asks = parcel.asks.iter().map(|ask| ask.code.to_string());
                let fields = parcel.fields.iter().map(|field| field.code.to_string());
                let papers = parcel.papers.iter().map(|paper| paper.code.to_string());
                let yields = parcel.yields.iter().map(|given| given.code.to_string());
                (parcel.role.to_string(), asks.chain(fields).chain(papers).chain(yields).collect())
            };
            parcels.iter().map(part).collect()
        };
        let owned = |role: &str, parts: &[&str]| (role.to_owned(), parts.iter().map(ToString::to_string).collect());
        assert_eq!(said("developer"), [owned("housing", &["licence", "building", "floor_plan"])]);
        assert_eq!(
            said("buyer"),
            [
                owned("tax", &["purchase", "homes"]),
                owned("bank", &["loan"]),
                owned("registry", &["purchase", "identity", "certificate"]),
            ]
        );
        assert_eq!(said("spouse"), [owned("registry", &["spouse_identity", "spouse_marriage", "co_certificate"])]);
        assert_eq!(said("stranger"), []);
    }

    #[test]
    fn a_licence_that_nobody_could_apply_for_is_told() {
        let mut known = (*flat()).clone();
        let mut public = known.public.clone();
        let mut parties = public.parties.into_vec();
        parties[1].sends_to = List::empty();
        public.parties = List::new(parties).unwrap();
        known.public = public;
        assert_eq!(parcels(&known, &name("buyer"), &bureaus()).unwrap_err().code, "case_yield_unsent");
    }

    #[test]
    fn fields_are_of_their_kind() {
        let known = flat();
        let mut field = known.item.field[0].clone();
        let mut told = |kind, given: &str| {
            field.kind = kind;
            field_value(&field, given).map_err(|failure| failure.code)
        };
        let wrong = Err("case_field_wrong".to_owned());
        assert_eq!(told(FieldKind::Text, " 7 \"号\" "), Ok(r#""7 \"号\"""#.to_owned()));
        assert_eq!(told(FieldKind::Text, ""), wrong);
        assert_eq!(told(FieldKind::Text, &"楼".repeat(1_001)), wrong);
        assert_eq!(told(FieldKind::Whole, "-3"), Ok("-3".to_owned()));
        assert_eq!(told(FieldKind::Whole, "3.0"), wrong);
        assert_eq!(told(FieldKind::Day, "2026-02-28"), Ok("\"2026-02-28\"".to_owned()));
        assert_eq!(told(FieldKind::Day, "2026-02-30"), wrong);
        assert_eq!(told(FieldKind::Amount, "12.50"), Ok("\"12.50\"".to_owned()));
        for amount in ["12.5", "12", ".50", "-1.00", "1,000.00"] {
            assert_eq!(told(FieldKind::Amount, amount), wrong, "{amount}");
        }
        let choice = &known.item.field[2];
        assert!(field_value(choice, "yes").is_ok() && field_value(choice, "perhaps").is_err());
    }

    #[test]
    fn papers_are_called_by_their_code() {
        let called = |file: &str| paper_name("floor_plan", file.as_ref());
        assert_eq!(called("/home/x/My Plan.PDF"), "floor_plan.pdf");
        assert_eq!(called("plan"), "floor_plan");
        assert_eq!(called("plan.a-b"), "floor_plan");
        assert_eq!(called("plan.averylongone"), "floor_plan");
    }
}
