//! An export checked again without any node, against the chain that is pinned here.

use std::collections::BTreeMap;
use std::io::BufRead;

use kanhe_proto::codec;
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::merkle::log::{ConsistencyProof, verify_consistency};
use kanhe_proto::proof::CertifiedHeader;
use kanhe_proto::trust::{Trust, TrustError};
use schemars::JsonSchema;
use serde::Serialize;

use super::filter::Filter;
use super::line::{End, Head, Line};
use super::reading::{Reading, Wrong, certified, next_line};

const PROOF_BYTES_MAX: usize = 4 << 10;

/// An export that is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Checked {
    /// The chain as in DIDs.
    pub chain: String,
    /// The first block.
    pub from_height: u64,
    /// The last block.
    pub to_height: u64,
    /// The first day, if it was asked for by days: nothing of it is missing.
    pub from_day: Option<String>,
    /// The last day, if it was asked for by days.
    pub to_day: Option<String>,
    /// Time of the last block, in milliseconds since 1970.
    pub to_ms: u64,
    /// Whether the chain had no later block when it was made: the last day may have gone on.
    pub up_to_newest: bool,
    /// Index of the first record.
    pub first: u64,
    /// Records of these blocks.
    pub size: u64,
    /// Records shown.
    pub records: u64,
    /// Records shown, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// What is shown.
    pub shown: Filter,
    /// Whether every record is here. If not, the others are known by hash alone: that none of them belongs here is the
    /// word of whoever made the export.
    pub complete: bool,
    /// Block under whose header all of it is proved.
    pub as_of_height: u64,
    /// Time of that block, in milliseconds since 1970.
    pub as_of_ms: u64,
}

/// Checks an export to its end. Validators that are not known here are followed from what it holds.
pub fn check(reader: &mut impl BufRead, trust: &Trust, now: TimeMs) -> Result<Checked, Wrong> {
    let mut lines = Lines { reader, number: 0 };
    let checked = check_lines(&mut lines, trust, now);
    checked.map_err(|wrong| Wrong { line: lines.number, ..wrong })
}

fn check_lines(lines: &mut Lines<'_, impl BufRead>, trust: &Trust, now: TimeMs) -> Result<Checked, Wrong> {
    let Line::Log(head) = lines.next()? else { return Err(Wrong::line("it does not begin with `log`")) };
    let mut reading = begin(*head, trust)?;
    let mut trust = trust.clone();
    loop {
        match lines.next()? {
            Line::Record(line) => reading.record(&line)?,
            Line::LeftOut(line) => reading.leave_out(&line)?,
            Line::HandOver(bytes) => follow(&mut trust, &bytes, now)?,
            Line::End(end) => {
                let checked = finish(&reading, &end, &trust, now)?;
                return if lines.is_over()? { Ok(checked) } else { Err(Wrong::line("something follows the end")) };
            }
            Line::Log(_) => return Err(Wrong::line("a second beginning")),
        }
    }
}

struct Lines<'a, R> {
    reader: &'a mut R,
    /// Lines that were read.
    number: u64,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<Line, Wrong> {
        self.number += 1;
        next_line(self.reader)?.map(|(line, _)| line).ok_or_else(|| Wrong::of("audit_file_cut", "no end"))
    }
    fn is_over(&mut self) -> Result<bool, Wrong> {
        self.reader.fill_buf().map(<[u8]>::is_empty).map_err(Wrong::line)
    }
}

fn begin(head: Head, trust: &Trust) -> Result<Reading, Wrong> {
    if head.chain_id != trust.chain.chain_id.to_string() {
        return Err(Wrong::unknown("audit_file_chain", &head.chain));
    }
    Reading::begin(head)
}

/// Follows a change of validators, unless what is believed here is newer.
fn follow(trust: &mut Trust, bytes: &[u8], now: TimeMs) -> Result<(), Wrong> {
    let hand_over = HandOver::from_bytes(bytes).map_err(Wrong::line)?;
    if hand_over.certified.header.height < trust.height() {
        return Ok(());
    }
    trust.hand_over(&hand_over, now).map(drop).map_err(disbelieved)
}

fn finish(reading: &Reading, end: &End, trust: &Trust, now: TimeMs) -> Result<Checked, Wrong> {
    if (end.records, end.left_out) != (reading.shown, reading.left_out) {
        return Err(Wrong::line("other counts than there are records"));
    }
    let (last, newest) = (certified(&end.last)?, certified(&end.newest)?);
    let next = end.next.as_ref().map(|bytes| certified(bytes)).transpose()?;
    reading.finish(&last)?;
    for header in reading.before.iter().chain([&last, &newest]).chain(&next) {
        trust.check(header, now).map_err(disbelieved)?;
    }
    let proof: ConsistencyProof = codec::decode(&end.consistency, PROOF_BYTES_MAX).map_err(Wrong::line)?;
    let (old, new) = (&last.header, &newest.header);
    if new.height < old.height {
        return Err(Wrong::line("the newest header is older than the last block"));
    }
    verify_consistency(old.log_size, &old.log_root, new.log_size, &new.log_root, &proof).map_err(Wrong::root)?;
    check_days(reading, &last, next.as_ref(), &newest)?;
    Ok(told(reading, &last, &newest))
}

/// Days that were asked for are here whole: the block before is of an earlier day, the one after of a later one.
fn check_days(
    reading: &Reading,
    last: &CertifiedHeader,
    next: Option<&CertifiedHeader>,
    newest: &CertifiedHeader,
) -> Result<(), Wrong> {
    let head = &reading.head;
    let wrong = |cause: &str| Err(Wrong::of("audit_file_day", cause));
    if let (Some(day), Some(before)) = (head.from_day, &reading.before)
        && before.header.time >= day.start()
    {
        return wrong("a block of the first day is before the first block here");
    }
    let Some(day) = head.to_day else { return Ok(()) };
    if last.header.time >= day.end() {
        return wrong("the last block is of a later day");
    }
    match next {
        Some(next) if next.header.height != last.header.height.next() || next.header.time < day.end() => {
            wrong("the block after the last one is of the last day")
        }
        None if newest.header.height != last.header.height => wrong("the block after the last one is missing"),
        _ => Ok(()),
    }
}

fn told(reading: &Reading, last: &CertifiedHeader, newest: &CertifiedHeader) -> Checked {
    let head = &reading.head;
    Checked {
        chain: head.chain.clone(),
        from_height: head.from_height.0,
        to_height: head.to_height.0,
        from_day: head.from_day.map(|day| day.to_string()),
        to_day: head.to_day.map(|day| day.to_string()),
        to_ms: last.header.time.0,
        up_to_newest: last.header.height == newest.header.height,
        first: head.first.0,
        size: reading.range.next().0 - head.first.0,
        records: reading.shown,
        kinds: reading.kinds.clone(),
        shown: head.shown.clone(),
        complete: reading.left_out == 0,
        as_of_height: newest.header.height.0,
        as_of_ms: newest.header.time.0,
    }
}

/// Validators that are not known, or trust that is too old, say nothing about the export.
fn disbelieved(error: TrustError) -> Wrong {
    match error {
        TrustError::UnknownValidators | TrustError::Stale | TrustError::Ahead(_) => {
            Wrong::unknown("audit_file_trust", error)
        }
        _ => Wrong::of("audit_file_header", error),
    }
}
