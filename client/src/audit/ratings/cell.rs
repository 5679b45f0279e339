//! What is counted of one item or of one bureau.

use kanhe_proto::case::CaseStatus;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::registry::Names;
use schemars::JsonSchema;
use serde::Serialize;

use super::course::{Course, Decision};
use crate::talk::shape;

/// Least number of a group that is shown.
pub const GROUP_MIN: u64 = 5;

/// Counts.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// Cases that were closed or rejected.
    decided: u64,
    /// Cases that were withdrawn or expired.
    otherwise: u64,
    stars: [u64; 5],
    lasted: Vec<SpanMs>,
    waited: Vec<SpanMs>,
    late: u64,
}

/// An item or a bureau. What is of fewer than five is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Row {
    /// Code of the item, or USCC of the bureau.
    pub code: String,
    /// Its names.
    #[schemars(with = "Option<shape::Names>")]
    pub names: Option<Names>,
    /// Cases that were closed or rejected.
    pub cases: Option<u64>,
    /// Cases that were withdrawn or expired.
    pub otherwise: Option<u64>,
    /// Rated cases.
    pub rated: Option<u64>,
    /// Average of their stars, in hundredths.
    pub average_hundredths: Option<u64>,
    /// How many gave one star, two, … five.
    pub stars: Option<[u64; 5]>,
    /// Median time from opening to end of the cases that were closed or rejected, in milliseconds.
    pub case_ms: Option<u64>,
    /// Decisions on steps, handing back included.
    pub decisions: Option<u64>,
    /// Median time from when a step was ready to its decision, in milliseconds.
    pub decision_ms: Option<u64>,
    /// Share of decisions that came after the step's limit, in thousandths.
    pub overdue_permille: Option<u64>,
}

impl Cell {
    /// Counts a case that has ended, and some of its decisions.
    pub fn add<'a>(&mut self, course: &Course, decisions: impl IntoIterator<Item = &'a Decision>) {
        match course.status() {
            CaseStatus::Closed | CaseStatus::Rejected => {
                self.decided += 1;
                self.lasted.extend(course.ended.map(|(_, lasted)| lasted));
            }
            CaseStatus::Withdrawn | CaseStatus::Expired => self.otherwise += 1,
            CaseStatus::Open => return,
        }
        let place = course.stars.and_then(|stars| usize::from(stars).checked_sub(1));
        if let Some(count) = place.and_then(|place| self.stars.get_mut(place)) {
            *count += 1;
        }
        for decision in decisions {
            self.waited.push(decision.waited);
            self.late += u64::from(decision.late);
        }
    }

    /// What is shown of it.
    pub fn into_row(self, code: String, names: Option<Names>) -> Row {
        let enough = |count: u64| (count >= GROUP_MIN).then_some(count);
        let rated: u64 = self.stars.iter().sum();
        let sum: u64 = (1..).zip(self.stars).map(|(stars, count): (u64, u64)| stars * count).sum();
        let shown = enough(rated);
        let decisions = enough(self.waited.len() as u64);
        Row {
            code,
            names,
            cases: enough(self.decided),
            otherwise: enough(self.otherwise),
            rated: shown,
            average_hundredths: shown.map(|count| (100 * sum + count / 2) / count),
            stars: shown.map(|_| self.stars),
            case_ms: enough(self.decided).and_then(|_| median(self.lasted)),
            decisions,
            decision_ms: decisions.and_then(|_| median(self.waited)),
            overdue_permille: decisions.map(|count| (1_000 * self.late + count / 2) / count),
        }
    }
}

/// The one in the middle, or the mean of the two there.
fn median(mut spans: Vec<SpanMs>) -> Option<u64> {
    spans.sort_unstable();
    let upper = spans.get(spans.len() / 2)?.0;
    let lower = spans.get(spans.len().checked_sub(1)? / 2)?.0;
    Some(lower + (upper - lower) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(stars: [u64; 5], decided: u64, waited: &[u64], late: u64) -> Cell {
        let waited = waited.iter().map(|ms| SpanMs(*ms)).collect();
        let lasted = (0..decided).map(|ms| SpanMs(10 * ms)).collect();
        Cell { decided, otherwise: 0, stars, lasted, waited, late }
    }

    #[test]
    fn figures_are_those_of_the_counts() {
        let row = cell([1, 0, 0, 2, 3], 6, &[5, 1, 3, 9, 100, 7], 1).into_row("x".to_owned(), None);
        assert_eq!((row.cases, row.rated, row.average_hundredths), (Some(6), Some(6), Some(400)));
        assert_eq!((row.stars, row.case_ms), (Some([1, 0, 0, 2, 3]), Some(25)));
        assert_eq!((row.decisions, row.decision_ms, row.overdue_permille), (Some(6), Some(6), Some(167)));
        assert_eq!(median(vec![SpanMs(3), SpanMs(1), SpanMs(2)]), Some(2));
    }

    #[test]
    fn a_group_below_the_minimum_is_not_shown() {
        let row = cell([0, 0, 0, 0, 4], 4, &[1; 4], 0).into_row("x".to_owned(), None);
        let nothing = Row {
            code: "x".to_owned(),
            names: None,
            cases: None,
            otherwise: None,
            rated: None,
            average_hundredths: None,
            stars: None,
            case_ms: None,
            decisions: None,
            decision_ms: None,
            overdue_permille: None,
        };
        assert_eq!(row, nothing);
        let row = cell([0, 0, 0, 0, 4], 5, &[1; 5], 5).into_row("x".to_owned(), None);
        assert_eq!((row.cases, row.rated, row.stars, row.overdue_permille), (Some(5), None, None, Some(1_000)));
    }
}
