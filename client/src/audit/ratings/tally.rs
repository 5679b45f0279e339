//! Counting all cases of the log.

use std::collections::BTreeMap;

use kanhe_proto::case::CaseRecord;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::item::{ItemCode, ItemVersion};
use kanhe_proto::log_range::LogRange;
use kanhe_proto::log_record::LogRecord;
use kanhe_proto::merkle::log::Frontier;
use kanhe_proto::registry::{Bureau, Names};
use kanhe_proto::vote::ChainContext;
use schemars::JsonSchema;
use serde::Serialize;

use super::cell::{Cell, GROUP_MIN, Row};
use super::course::Course;
use crate::audit::log::{Bound, LogSource, Pages, PassedOver, Range};
use crate::case::Items;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, Output, say};

/// What is counted.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Cases that ended from here on.
    pub from: Option<Bound>,
    /// Cases that ended up to here.
    pub to: Option<Bound>,
    /// Cases of this item alone.
    pub item: Option<String>,
    /// Cases that this bureau decided a step of, and its decisions alone.
    pub bureau: Option<Uscc>,
}

/// How cases were rated, and how long they took.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Ratings {
    /// The first block of the range.
    pub from_height: u64,
    /// The last block of the range.
    pub to_height: u64,
    /// Time of the last block, in milliseconds since 1970.
    pub to_ms: u64,
    /// Least number of a group that is shown.
    pub group_min: u64,
    /// Records that were proved.
    pub records: u64,
    /// By item.
    pub items: Vec<Row>,
    /// By bureau: a case counts for each that decided a step of it.
    pub bureaus: Vec<Row>,
    /// Ratings that do not count: not of the applicant, before the end, or a second one.
    pub not_counted: u64,
    /// Block under whose header all of it is proved.
    pub as_of_height: u64,
    /// Nodes that were passed over: they have not what was asked for, or it was not what the headers commit to.
    pub passed_over: Vec<PassedOver>,
}

/// Counts.
pub fn ratings(source: &mut LogSource<'_>, asked: &Asked, output: &Output) -> Result<Ratings, Failure> {
    let range = Range::find(source, asked.from, asked.to)?;
    let last = &range.last.header;
    let mut tally = Tally::new(source.follower().trust().chain, range.from());
    let mut log = LogRange::begin(None, Frontier::default()).map_err(unproved)?;
    let mut progress = output.progress(&say("audit.log.progress", &[]), last.log_size);
    let mut pages = Pages::of(source, last, 0)?;
    while let Some((first, records)) = pages.next(source)? {
        for (index, bytes) in (first.0..).zip(&records) {
            if let LogRecord::Case(record) = log.push(bytes).map_err(unproved)? {
                tally.take(source, LogIndex(index), &record)?;
            }
        }
        progress.add(records.len() as u64);
    }
    log.finish(last).map_err(unproved)?;
    let records = last.log_size;
    let (items, bureaus, not_counted) = tally.into_cells(asked);
    Ok(Ratings {
        from_height: range.from().0,
        to_height: last.height.0,
        to_ms: last.time.0,
        group_min: GROUP_MIN,
        records,
        items: item_rows(source, items)?,
        bureaus: bureau_rows(source, bureaus)?,
        not_counted,
        as_of_height: range.newest.header.height.0,
        passed_over: source.passed_over().to_vec(),
    })
}

fn unproved(error: impl std::fmt::Display) -> Failure {
    Failure::of(ExitCode::Invalid, "audit_log_wrong", &[("cause", &error)])
}

/// By item, with the newest version seen of it.
type ByItem = BTreeMap<ItemCode, (ItemVersion, Cell)>;
type ByBureau = BTreeMap<Uscc, Cell>;

struct Tally {
    chain: ChainContext,
    from: Height,
    known: Items,
    courses: BTreeMap<CaseId, (ItemVersion, Course)>,
}

impl Tally {
    fn new(chain: ChainContext, from: Height) -> Self {
        Self { chain, from, known: Items::default(), courses: BTreeMap::new() }
    }

    fn take(&mut self, source: &mut LogSource<'_>, index: LogIndex, record: &CaseRecord) -> Result<(), Failure> {
        if record.number == 0 {
            let known = self.known.get(source.follower(), &record.item, record.version)?;
            let course = Course::new(self.chain, known, record.case);
            self.courses.insert(record.case, (record.version, course));
        }
        // What is not here ended before the range.
        let Some((_, course)) = self.courses.get_mut(&record.case) else { return Ok(()) };
        course.take(index, record);
        if course.ended.is_some_and(|(height, _)| height < self.from) {
            self.courses.remove(&record.case);
        }
        Ok(())
    }

    fn into_cells(self, asked: &Asked) -> (ByItem, ByBureau, u64) {
        let (mut items, mut bureaus, mut not_counted) = (ByItem::new(), ByBureau::new(), 0);
        for (version, course) in self.courses.into_values() {
            if asked.item.as_ref().is_some_and(|item| item != course.item.as_str()) {
                continue;
            }
            let of_bureau = |bureau: &Uscc| asked.bureau.is_none_or(|asked| asked == *bureau);
            let decisions = || course.decisions.iter().filter(|decision| of_bureau(&decision.bureau));
            if asked.bureau.is_some() && decisions().next().is_none() {
                continue;
            }
            not_counted += course.not_counted;
            if course.ended.is_none() {
                continue;
            }
            let entry = items.entry(course.item.clone());
            let (newest, cell) = entry.or_insert_with(|| (version, Cell::default()));
            *newest = version.max(*newest);
            cell.add(&course, decisions());
            let mut theirs: Vec<Uscc> = decisions().map(|decision| decision.bureau).collect();
            theirs.sort_unstable();
            theirs.dedup();
            for bureau in theirs {
                let own = course.decisions.iter().filter(|decision| decision.bureau == bureau);
                bureaus.entry(bureau).or_default().add(&course, own);
            }
        }
        (items, bureaus, not_counted)
    }
}

fn item_rows(source: &mut LogSource<'_>, cells: ByItem) -> Result<Vec<Row>, Failure> {
    let mut known = Items::default();
    let mut rows = Vec::with_capacity(cells.len());
    for (code, (version, cell)) in cells {
        let names = known.get(source.follower(), &code, version)?.public.names.clone();
        rows.push(cell.into_row(code.to_string(), Some(names)));
    }
    Ok(rows)
}

fn bureau_rows(source: &mut LogSource<'_>, cells: ByBureau) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::with_capacity(cells.len());
    for (uscc, cell) in cells {
        let found = source.follower().registry::<Bureau>(&uscc, |node: &NodeClient| node.bureau(&uscc))?;
        let names: Option<Names> = found.value.map(|bureau| bureau.names);
        rows.push(cell.into_row(uscc.to_string(), names));
    }
    Ok(rows)
}
