//! Statistics over what was read on a rule: counts and sums, and nothing about few people.
//!
//! The unit is the person. A group of fewer people than the minimum is not shown, nor can it be worked out from the rest:
//! what is hidden is always at least two groups with together at least so many people, else the smallest shown group is
//! hidden too, and in the end the total. A sum is shown only if it is of as many people who have an amount, and the total's only
//! if the sums that are shown leave as many. Several questions after one another are not compared: whoever may ask many gets to know
//! more than from one.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::consent::Basis;
use kanhe_proto::identifiers::{TypeCode, Uscc, Vct};

use super::asked::{Asked, AskedState, GivenLicence};
use super::asking::LICENCE_ID_TYPE;

/// Fewest people of a group that is shown, whatever is asked for.
pub const GROUP_FLOOR: usize = 5;
/// The same, if nothing is said.
pub const GROUP_MIN: usize = 10;

/// What is asked of the data.
#[derive(Debug, Clone, Default)]
pub struct Measure {
    /// Only licences of this type.
    pub type_code: Option<TypeCode>,
    /// Claims that are added up.
    pub plus: Vec<String>,
    /// Claims that are taken off.
    pub minus: Vec<String>,
    /// The claim by whose values people are grouped.
    pub group_by: Option<String>,
    /// How many groups, the largest first.
    pub top: Option<usize>,
    /// Fewest people of a group that is shown.
    pub min_group: usize,
}

/// What was counted of some people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many people.
    pub people: usize,
    /// Sum in hundredths, if one was asked for.
    pub sum_cents: Option<i128>,
}

/// A group that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Value of the claim; none: people without one, or with several that no licence tells apart.
    pub value: Option<String>,
    /// What was counted.
    pub counted: Counted,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// All people; none: it would say something of few.
    pub total: Option<Counted>,
    /// Groups, the largest first.
    pub groups: Vec<Group>,
    /// Groups that are hidden because they, or what they would give away, are too small.
    pub hidden: usize,
    /// Groups beyond those asked for.
    pub cut: usize,
    /// Values that are no amounts; none where the total is not shown.
    pub unread: usize,
}

#[derive(Default)]
struct Bag<'a> {
    people: BTreeSet<&'a str>,
    /// Those who have something to be added up.
    paying: BTreeSet<&'a str>,
    sum: i128,
}

/// Counts over everything that was given on a rule. `rows` are all reads of the register.
pub fn statistics(rows: &[Asked], measure: &Measure) -> Statistics {
    let people = people(rows, measure);
    let (mut all, mut groups, mut unread) = (Bag::default(), BTreeMap::<Option<&str>, Bag<'_>>::new(), 0);
    for (person, licences) in &people {
        let values: BTreeSet<&str> = licences.iter().filter_map(|licence| value_of(licence, measure)).collect();
        for licence in licences {
            let (sum, wrong, has_amount) = sum_of(licence, measure);
            unread += wrong;
            let own = value_of(licence, measure);
            let group = own.or_else(|| values.first().copied().filter(|_| values.len() == 1));
            for bag in [&mut all, groups.entry(group).or_default()] {
                bag.people.insert(person);
                bag.sum += sum;
                if has_amount {
                    bag.paying.insert(person);
                }
            }
        }
    }
    shown(&all, groups, measure, unread)
}

/// What is known of each person: of each type at each source what was read last, also if that was nothing. A licence that
/// was asked for by its number does not say whose it is.
fn people<'a>(rows: &'a [Asked], measure: &Measure) -> BTreeMap<&'a str, Vec<&'a GivenLicence>> {
    let counts = |row: &&Asked| row.state == AskedState::Given && matches!(row.basis, Basis::Statutory(_));
    let mut given: Vec<&Asked> = rows.iter().filter(counts).collect();
    given.retain(|row| row.subject.id_type.as_str() != LICENCE_ID_TYPE);
    given.sort_by_key(|row| row.made);
    let mut newest: BTreeMap<(&str, Uscc, TypeCode), &Asked> = BTreeMap::new();
    for row in given {
        let asked = row.scope.iter().map(|asked| asked.type_code.clone());
        for code in asked.chain(row.licences.iter().filter_map(code_of)) {
            newest.insert((row.subject.id_number.as_str(), row.source, code), row);
        }
    }
    let mut people: BTreeMap<&str, Vec<&GivenLicence>> = BTreeMap::new();
    for ((person, _, code), row) in newest {
        if measure.type_code.as_ref().is_none_or(|wanted| *wanted == code) {
            let good = row.licences.iter().filter(|licence| licence.good && code_of(licence).as_ref() == Some(&code));
            people.entry(person).or_default().extend(good);
        }
    }
    people.retain(|_, licences| !licences.is_empty());
    people
}

fn code_of(licence: &GivenLicence) -> Option<TypeCode> {
    licence.vct.parse::<Vct>().ok().map(|vct| vct.code)
}

fn value_of<'a>(licence: &'a GivenLicence, measure: &Measure) -> Option<&'a str> {
    licence.claims.get(measure.group_by.as_ref()?)?.as_str()
}

/// The sum, how many values are no amounts, and whether there is one.
fn sum_of(licence: &GivenLicence, measure: &Measure) -> (i128, usize, bool) {
    let (mut sum, mut wrong, mut has_amount) = (0, 0, false);
    let signed = measure.plus.iter().map(|claim| (claim, 1)).chain(measure.minus.iter().map(|claim| (claim, -1)));
    for (claim, sign) in signed {
        match licence.claims.get(claim).map(|value| value.as_str().and_then(cents)) {
            Some(Some(value)) => (sum, has_amount) = (sum + sign * value, true),
            Some(None) => wrong += 1,
            None => {}
        }
    }
    (sum, wrong, has_amount)
}

/// An amount in hundredths; nothing is rounded.
fn cents(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || part.len() > 2 || !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok()
}

fn shown(all: &Bag<'_>, groups: BTreeMap<Option<&str>, Bag<'_>>, measure: &Measure, unread: usize) -> Statistics {
    let min = measure.min_group.max(GROUP_FLOOR);
    let sums = !measure.plus.is_empty() || !measure.minus.is_empty();
    let has_sum = |bag: &Bag<'_>| sums && bag.paying.len() >= min;
    let counted = |bag: &Bag<'_>| Counted { people: bag.people.len(), sum_cents: has_sum(bag).then_some(bag.sum) };
    if measure.group_by.is_none() || all.people.len() < min {
        let total = (all.people.len() >= min).then(|| counted(all));
        let hidden = if measure.group_by.is_some() { groups.len() } else { 0 };
        let unread = if total.is_some() { unread } else { 0 };
        return Statistics { total, groups: Vec::new(), hidden, cut: 0, unread };
    }
    let mut ordered: Vec<(Option<&str>, Bag<'_>)> = groups.into_iter().collect();
    // The largest first; of equal ones by their value, so that the same data gives the same answer.
    ordered.sort_by(|(one, of), (other, with)| with.people.len().cmp(&of.people.len()).then_with(|| one.cmp(other)));
    let mut kept = ordered.iter().take_while(|(_, bag)| bag.people.len() >= min).count();
    let mut total = true;
    // What can be worked out from the total and what is shown must be about enough people, and not of one group alone.
    while kept < ordered.len() && !is_safe(&ordered[kept..], &ordered[..kept], min) {
        if kept == 0 {
            total = false;
            break;
        }
        kept -= 1;
    }
    let hidden = ordered.len() - kept;
    let listed = measure.top.map_or(kept, |top| top.min(kept));
    let groups = ordered
        .iter()
        .take(listed)
        .map(|(value, bag)| Group { value: value.map(str::to_owned), counted: counted(bag) });
    let groups: Vec<Group> = groups.collect();
    let mut total = total.then(|| counted(all));
    let (summed, unsummed): (Vec<_>, Vec<_>) = ordered
        .iter()
        .enumerate()
        .map(|(at, (_, bag))| (at < kept && has_sum(bag), &bag.paying))
        .partition(|(is, _)| *is);
    if !is_enough(&unsummed, &summed, min) {
        total = total.map(|total| Counted { sum_cents: None, ..total });
    }
    let unread = if total.is_some() { unread } else { 0 };
    Statistics { total, groups, hidden, cut: kept - listed, unread }
}

/// Whether the difference between the total's sum and those that are shown is of nobody, or of many.
fn is_enough(unsummed: &[(bool, &BTreeSet<&str>)], summed: &[(bool, &BTreeSet<&str>)], min: usize) -> bool {
    let all = |some: &[(bool, &BTreeSet<&str>)]| -> BTreeSet<String> {
        some.iter().flat_map(|(_, people)| people.iter().map(|person| (*person).to_owned())).collect()
    };
    let (left, shown) = (all(unsummed), all(summed));
    left.is_empty() || left.difference(&shown).count() >= min
}

/// Who is in a shown group besides is no help: what is left of the total is about the others.
fn is_safe(hidden: &[(Option<&str>, Bag<'_>)], shown: &[(Option<&str>, Bag<'_>)], min: usize) -> bool {
    let all = |bags: &[(Option<&str>, Bag<'_>)]| -> BTreeSet<String> {
        bags.iter().flat_map(|(_, bag)| bag.people.iter().map(|person| (*person).to_owned())).collect()
    };
    hidden.len() >= 2 && all(hidden).difference(&all(shown)).count() >= min
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::{Blob, List, Text};
    use kanhe_proto::consent::{Scope, Statutory, Subject, TypeClaims, Under};
    use kanhe_proto::hash::{ConsentId, LicenceDigest, ReadId};
    use kanhe_proto::ids::TimeMs;
    use kanhe_proto::status::Status;
    use serde_json::{Value, json};

    use super::*;
    use crate::wallet::Seed;

    fn statute() -> Basis {
        Basis::Statutory(Statutory { ground: Text::new("relief").unwrap(), case: None })
    }

    fn scope(code: &str) -> Scope {
        let claims = List::new(vec![Text::new("KZ_FY").unwrap()]).unwrap();
        List::new(vec![TypeClaims { type_code: code.parse().unwrap(), claims }]).unwrap()
    }

    /// A person with a disease and a fee.
    fn row(person: u32, disease: &str, fee: &str, basis: Basis) -> Asked {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&person.to_be_bytes());
        let Value::Object(claims) = json!({ "KZ_JB": disease, "KZ_FY": fee }) else { unreachable!() };
        let licence = GivenLicence {
            digest: LicenceDigest(digest),
            vct: "urn:kanhe:type:DEMO-1:1".to_owned(),
            claims,
            good: true,
            status: Status::Active,
            issued: None,
        };
        Asked {
            id: ReadId(digest),
            source: "11370100MB1A0001X2".parse().unwrap(),
            subject: Subject {
                id_type: Text::new("RESIDENT").unwrap(),
                id_number: Text::new(person.to_string()).unwrap(),
            },
            scope: List::empty(),
            basis,
            purpose: Text::new("relief").unwrap(),
            case: None,
            made: TimeMs(1),
            letter: Blob::new([]).unwrap(),
            answer: Seed::from_bytes([1; 32]),
            envelope: Blob::new([]).unwrap(),
            state: AskedState::Given,
            code: None,
            record: None,
            recorded: None,
            licences: vec![licence],
        }
    }

    fn rows(groups: &[(&str, u32)]) -> Vec<Asked> {
        let mut person = 0;
        let mut all = Vec::new();
        for (disease, count) in groups {
            for _ in 0..*count {
                person += 1;
                all.push(row(person, disease, "100.50", statute()));
            }
        }
        all
    }

    fn by_disease(min_group: usize) -> Measure {
        Measure { plus: vec!["KZ_FY".to_owned()], group_by: Some("KZ_JB".to_owned()), min_group, ..Measure::default() }
    }

    fn seen(statistics: &Statistics) -> Vec<(&str, usize)> {
        statistics.groups.iter().map(|group| (group.value.as_deref().unwrap_or("-"), group.counted.people)).collect()
    }

    #[test]
    fn large_groups_are_counted_and_summed() {
        let rows = rows(&[("a", 12), ("b", 30), ("c", 11)]);
        let found = statistics(&rows, &by_disease(GROUP_MIN));
        assert_eq!(seen(&found), [("b", 30), ("a", 12), ("c", 11)]);
        assert_eq!(found.total, Some(Counted { people: 53, sum_cents: Some(53 * 10_050) }));
        assert_eq!((found.hidden, found.cut), (0, 0));
        let top = statistics(&rows, &Measure { top: Some(1), ..by_disease(GROUP_MIN) });
        assert_eq!((seen(&top), top.cut), (vec![("b", 30)], 2));
        // The same licence read again counts once, and as it was read last.
        let again = [rows.clone(), rows].concat();
        assert_eq!(statistics(&again, &by_disease(GROUP_MIN)).total.unwrap().people, 53);
    }

    #[test]
    fn a_single_small_group_cannot_be_worked_out_from_the_rest() {
        let found = statistics(&rows(&[("a", 12), ("b", 30), ("c", 3)]), &by_disease(GROUP_MIN));
        assert_eq!((seen(&found), found.hidden), (vec![("b", 30)], 2), "the next smallest goes too");
        assert!(found.total.is_some());
        // Two small ones that are few together are no better than one.
        let found = statistics(&rows(&[("a", 12), ("b", 30), ("c", 3), ("d", 2)]), &by_disease(GROUP_MIN));
        assert_eq!((seen(&found), found.hidden), (vec![("b", 30)], 3));
        let found = statistics(&rows(&[("a", 30), ("b", 3)]), &by_disease(GROUP_MIN));
        assert_eq!((seen(&found), found.hidden), (vec![], 2));
        // With one group there is nothing to hide it among.
        let found = statistics(&rows(&[("a", 7), ("b", 7)]), &by_disease(20));
        assert_eq!((found.total, found.groups.len(), found.hidden), (None, 0, 2));
    }

    #[test]
    fn the_floor_holds_whatever_is_asked() {
        let found = statistics(&rows(&[("a", 4)]), &Measure { min_group: 1, ..Measure::default() });
        assert_eq!(found.total, None);
        let found = statistics(&rows(&[("a", 5)]), &Measure { min_group: 1, ..Measure::default() });
        assert_eq!(found.total, Some(Counted { people: 5, sum_cents: None }));
        let found = statistics(&rows(&[("a", 40), ("b", 4), ("c", 4)]), &by_disease(0));
        assert_eq!((seen(&found), found.hidden), (vec![("a", 40)], 2));
    }

    #[test]
    fn only_what_was_read_on_a_rule_and_was_good_counts() {
        let mut all = rows(&[("a", 10)]);
        let under = Basis::Consent(Under { id: ConsentId([1; 32]), n: 1 });
        all.push(row(90, "a", "1.00", under));
        let mut bad = row(91, "a", "1.00", statute());
        bad.licences[0].good = false;
        all.push(bad);
        all.push(row(92, "a", "about 5", statute()));
        let found = statistics(&all, &by_disease(GROUP_MIN));
        assert_eq!((found.total.unwrap().people, found.unread), (11, 1));
        assert_eq!(
            (cents("12"), cents("12.5"), cents("12.505"), cents("-1"), cents("")),
            (Some(1200), Some(1250), None, None, None)
        );
    }

    #[test]
    fn what_is_taken_off_is_taken_off_for_the_same_person() {
        let mut all = rows(&[("a", 10)]);
        for (at, person) in (1..=10).enumerate() {
            let mut paid = row(person, "", "", statute());
            paid.licences[0].digest = LicenceDigest([100 + at as u8; 32]);
            paid.licences[0].vct = "urn:kanhe:type:DEMO-2:1".to_owned();
            let Value::Object(claims) = json!({ "KZ_BX": "60.25" }) else { unreachable!() };
            paid.licences[0].claims = claims;
            all.push(paid);
        }
        let found = statistics(&all, &Measure { minus: vec!["KZ_BX".to_owned()], ..by_disease(GROUP_MIN) });
        assert_eq!(found.groups[0].counted, Counted { people: 10, sum_cents: Some(10 * 4_025) });
    }

    #[test]
    fn an_amount_of_one_is_in_no_sum() {
        let mut all = rows(&[("a", 12), ("b", 30)]);
        for row in &mut all[1..12] {
            row.licences[0].claims.remove("KZ_FY");
        }
        let found = statistics(&all, &by_disease(GROUP_MIN));
        let sums: Vec<_> = found.groups.iter().map(|group| group.counted.sum_cents).collect();
        assert_eq!(sums, [Some(30 * 10_050), None], "one of twelve has an amount");
        assert_eq!(found.total, Some(Counted { people: 42, sum_cents: None }), "nor does the total tell it");
    }

    #[test]
    fn who_is_in_a_shown_group_hides_nobody() {
        let mut all = rows(&[("a", 99), ("c", 1)]);
        for person in 1..=9 {
            let mut again = row(person, "d", "1.00", statute());
            again.licences[0].vct = "urn:kanhe:type:DEMO-2:1".to_owned();
            all.push(again);
        }
        let found = statistics(&all, &by_disease(GROUP_MIN));
        assert_eq!((seen(&found), found.hidden), (vec![], 3), "of 100 people 99 are no group beside which one is left");
    }

    #[test]
    fn what_was_read_last_of_a_type_counts_also_if_it_was_nothing() {
        let mut all = rows(&[("a", 12)]);
        let mut renewed = row(1, "a", "7.00", statute());
        (renewed.made, renewed.licences[0].digest) = (TimeMs(2), LicenceDigest([9; 32]));
        let mut revoked = row(2, "a", "", statute());
        (revoked.made, revoked.scope) = (TimeMs(2), scope("DEMO-1"));
        revoked.licences.clear();
        all.extend([renewed, revoked]);
        let found = statistics(&all, &by_disease(GROUP_MIN)).total.unwrap();
        assert_eq!(found, Counted { people: 11, sum_cents: Some(10 * 10_050 + 700) });
    }
}
