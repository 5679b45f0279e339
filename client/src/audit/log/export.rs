//! Writing an export, or going on with one that was begun.
//!
//! Records are written page by page, each page after it was proved. What a broken run left is read again, must lead to a
//! root from which the last header's log is proved to have grown, and is gone on with from there; a line that was cut is
//! written anew.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kanhe_proto::api::CertifiedBytes;
use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::log_record::LogRecord;
use kanhe_proto::merkle::log::{Frontier, leaf_hash};
use kanhe_proto::proof::CertifiedHeader;
use schemars::JsonSchema;
use serde::Serialize;

use super::filter::Filter;
use super::line::{End, FORMAT, Head, LeftOut, Line, RecordLine};
use super::pages::Pages;
use super::range::{Bound, Range};
use super::reading::{Reading, Wrong, next_line};
use super::source::{LogSource, PassedOver, RecordBytes};
use crate::talk::{ExitCode, Failure, Output, say};

/// What is exported.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// From here on; without it from the first block on.
    pub from: Option<Bound>,
    /// Up to here; without it up to the newest block.
    pub to: Option<Bound>,
    /// What is shown.
    pub filter: Filter,
    /// Where it is written; without it to stdout.
    pub out: Option<PathBuf>,
}

/// An export that was written to a file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Exported {
    /// The file.
    pub file: Option<String>,
    /// The first block.
    pub from_height: u64,
    /// The last block.
    pub to_height: u64,
    /// Time of the last block, in milliseconds since 1970.
    pub to_ms: u64,
    /// Index of the first record.
    pub first: u64,
    /// Records of these blocks, all of them proved.
    pub size: u64,
    /// Records shown.
    pub records: u64,
    /// Records shown, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Records that were in the file already, and were checked again.
    pub kept: u64,
    /// Block under whose header all of it is proved.
    pub as_of_height: u64,
    /// Time of that block, in milliseconds since 1970.
    pub as_of_ms: u64,
    /// Nodes that were passed over: they have not what was asked for, or it was not what the headers commit to.
    pub passed_over: Vec<PassedOver>,
}

/// Where lines go.
enum Sink<'a> {
    File(BufWriter<File>, &'a Path),
    Output(&'a Output),
}

impl Sink<'_> {
    fn write(&mut self, line: &Line) -> Result<(), Failure> {
        let text = line.to_text();
        match self {
            Self::File(file, path) => writeln!(file, "{text}").map_err(|error| not_written(path, &error)),
            Self::Output(output) => output.written::<Line>(&text),
        }
    }
    fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::File(file, path) => file.flush().map_err(|error| not_written(path, &error)),
            Self::Output(_) => Ok(()),
        }
    }
    fn sync(&mut self) -> Result<(), Failure> {
        self.flush()?;
        match self {
            Self::File(file, path) => file.get_ref().sync_all().map_err(|error| not_written(path, &error)),
            Self::Output(_) => Ok(()),
        }
    }
}

/// Proves and writes all records of a range.
pub fn export(source: &mut LogSource<'_>, wanted: &Wanted, output: &Output) -> Result<Exported, Failure> {
    let begun = match &wanted.out {
        Some(path) => begun(path)?,
        None => None,
    };
    let (range, mut reading, mut sink, kept) = match (begun, &wanted.out) {
        (Some((file, reading, end)), Some(path)) => {
            let range = go_on(source, wanted, &reading, path)?;
            let kept = reading.range.next().0 - reading.head.first.0;
            (range, reading, Sink::File(cut_at(file, end, path)?, path), kept)
        }
        (_, out) => {
            let range = Range::find(source, wanted.from, wanted.to)?;
            let head = head_of(source, &range, wanted)?;
            let mut sink = match out {
                Some(path) => Sink::File(BufWriter::new(create(path)?), path),
                None => Sink::Output(output),
            };
            sink.write(&Line::Log(Box::new(head.clone())))?;
            (range, Reading::begin(head).map_err(|wrong| wrong.failure())?, sink, 0)
        }
    };
    write_records(source, &range.last.header, &mut reading, &mut sink, output)?;
    reading.finish(&range.last).map_err(|wrong| wrong.failure())?;
    write_end(source, &range, &reading, &mut sink)?;
    sink.sync()?;
    let (last, newest) = (&range.last.header, &range.newest.header);
    Ok(Exported {
        file: wanted.out.as_ref().map(|path| path.display().to_string()),
        from_height: reading.head.from_height.0,
        to_height: last.height.0,
        to_ms: last.time.0,
        first: reading.head.first.0,
        size: last.log_size - reading.head.first.0,
        records: reading.shown,
        kinds: reading.kinds,
        kept,
        as_of_height: newest.height.0,
        as_of_ms: newest.time.0,
        passed_over: source.passed_over().to_vec(),
    })
}

fn head_of(source: &mut LogSource<'_>, range: &Range, wanted: &Wanted) -> Result<Head, Failure> {
    let frontier = match &range.before {
        Some(before) => source.frontier(&before.header)?,
        None => Frontier::default(),
    };
    let trust = source.follower().trust();
    Ok(Head {
        format: FORMAT,
        chain: trust.chain_ref().to_string(),
        chain_id: trust.chain.chain_id.to_string(),
        from_height: range.from(),
        to_height: range.last.header.height,
        from_day: wanted.from.and_then(Bound::day),
        to_day: wanted.to.and_then(Bound::day),
        shown: wanted.filter.clone(),
        first: LogIndex(range.first()),
        before: range.before.as_ref().map(bytes_of),
        frontier: bounded(codec::encode(&frontier)),
    })
}

/// What an earlier run has written, up to the last whole line of records; none if there is no file, or nothing in it.
fn begun(path: &Path) -> Result<Option<(File, Reading, u64)>, Failure> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(not_written(path, &error)),
    };
    let mut reader = BufReader::new(&file);
    let mut number = 1;
    let mut read = || -> Result<Option<(Reading, u64)>, Wrong> {
        let (head, mut end) = match next_line(&mut reader)? {
            Some((Line::Log(head), bytes)) => (head, bytes),
            Some(_) => return Err(Wrong::line("it does not begin with `log`")),
            None => return Ok(None),
        };
        let mut reading = Reading::begin(*head)?;
        while let Some((line, bytes)) = next_line(&mut reader)? {
            number += 1;
            match line {
                Line::Record(line) => reading.record(&line)?,
                Line::LeftOut(line) => reading.leave_out(&line)?,
                // What proves the records is made anew, as of now.
                Line::HandOver(_) | Line::End(_) => break,
                Line::Log(_) => return Err(Wrong::line("a second beginning")),
            }
            end += bytes;
        }
        Ok(Some((reading, end)))
    };
    let found = read();
    let found = found.map_err(|wrong| Wrong { line: number, ..wrong }.failure())?;
    match found {
        Some((reading, end)) => Ok(Some((file, reading, end))),
        None if file.metadata().is_ok_and(|known| known.len() == 0) => Ok(None),
        None => Err(Wrong { line: 1, ..Wrong::line("no whole line") }.failure()),
    }
}

/// The range of an export that was begun, which must be the one wanted now, and its records those of the chain.
fn go_on(source: &mut LogSource<'_>, wanted: &Wanted, reading: &Reading, path: &Path) -> Result<Range, Failure> {
    let head = &reading.head;
    let fits = |bound: Option<Bound>, height: Height, day| match bound {
        None => true,
        Some(Bound::Height(asked)) => asked.max(Height(1)) == height,
        Some(Bound::Day(asked)) => day == Some(asked),
    };
    let same = fits(wanted.from, head.from_height, head.from_day)
        && fits(wanted.to, head.to_height, head.to_day)
        && wanted.filter == head.shown
        && head.chain_id == source.follower().trust().chain.chain_id.to_string();
    if !same {
        return Err(Failure::of(ExitCode::Usage, "audit_out_other", &[("path", &path.display())]));
    }
    let newest = source.newest()?;
    let range = Range::between(source, head.from_height, head.to_height, newest)?;
    let differs = || Failure::of(ExitCode::Invalid, "audit_out_differs", &[("path", &path.display())]);
    if range.before.as_ref().map(|before| before.header.hash())
        != reading.before.as_ref().map(|before| before.header.hash())
    {
        return Err(differs());
    }
    if let Some(day) = head.to_day
        && range.last.header.height < range.newest.header.height
        && source.header(range.last.header.height.next())?.header.time < day.end()
    {
        // The day has gone on since.
        return Err(Failure::of(ExitCode::Usage, "audit_out_other", &[("path", &path.display())]));
    }
    let (last, here) = (&range.last.header, reading.range.next().0);
    if here > last.log_size {
        return Err(differs());
    }
    // A node that answers at all answers with a proof of what the chain has: of anything else there is none.
    let shown = source.consistency(here, &reading.range.root(), last);
    shown.map_err(|failure| if failure.code == "node_malformed" { differs() } else { failure })?;
    Ok(range)
}

fn write_records(
    source: &mut LogSource<'_>,
    last: &Header,
    reading: &mut Reading,
    sink: &mut Sink<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let from = reading.range.next().0;
    let mut progress = output.progress(&say("audit.log.progress", &[]), last.log_size - from);
    let mut pages = Pages::of(source, last, from)?;
    while let Some((first, records)) = pages.next(source)? {
        for line in lines_of(&reading.head.shown, first, &records) {
            match &line {
                Line::Record(line) => reading.record(line),
                Line::LeftOut(line) => reading.leave_out(line),
                _ => Ok(()),
            }
            .map_err(|wrong| wrong.failure())?;
            sink.write(&line)?;
        }
        sink.flush()?;
        progress.add(records.len() as u64);
    }
    Ok(())
}

/// The lines of a page: records that are shown, and the hashes of those that are not.
fn lines_of(filter: &Filter, first: LogIndex, records: &[RecordBytes]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut hidden: Vec<u8> = Vec::new();
    let leave_out = |before: u64, hidden: &mut Vec<u8>| {
        let count = (hidden.len() / 32) as u64;
        let line = LeftOut { first: LogIndex(before - count), hashes: bounded(std::mem::take(hidden)) };
        (count > 0).then_some(Line::LeftOut(line))
    };
    for (index, bytes) in (first.0..).zip(records) {
        let record = LogRecord::read(bytes);
        if filter.shows(bytes, &record) {
            lines.extend(leave_out(index, &mut hidden));
            lines.push(Line::Record(RecordLine::of(LogIndex(index), bytes, &record)));
        } else {
            hidden.extend_from_slice(leaf_hash(bytes).bytes());
        }
    }
    lines.extend(leave_out(first.0 + records.len() as u64, &mut hidden));
    lines
}

fn write_end(source: &mut LogSource<'_>, range: &Range, reading: &Reading, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let genesis = source.follower().home().genesis()?;
    let (last, newest) = (&range.last.header, &range.newest.header);
    for hand_over in source.hand_overs(&genesis, newest.height)? {
        sink.write(&Line::HandOver(hand_over))?;
    }
    let next = match reading.head.to_day {
        Some(_) if last.height < newest.height => Some(source.header(last.height.next())?),
        _ => None,
    };
    let consistency = source.consistency(last.log_size, &last.log_root, newest)?;
    sink.write(&Line::End(Box::new(End {
        records: reading.shown,
        left_out: reading.left_out,
        last: bytes_of(&range.last),
        next: next.as_ref().map(bytes_of),
        newest: bytes_of(&range.newest),
        consistency,
    })))
}

fn bytes_of(header: &CertifiedHeader) -> CertifiedBytes {
    bounded(codec::encode(header))
}

/// What was decoded within the same limit.
fn bounded<const MAX: usize>(bytes: Vec<u8>) -> Blob<MAX> {
    Blob::new(bytes).expect("what was read within its limit")
}

fn create(path: &Path) -> Result<File, Failure> {
    let made = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
    made.map_err(|error| not_written(path, &error))
}

/// The file from its last whole record on.
fn cut_at(mut file: File, end: u64, path: &Path) -> Result<BufWriter<File>, Failure> {
    let cut = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
    cut.map_err(|error| not_written(path, &error))?;
    Ok(BufWriter::new(file))
}

fn not_written(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::of(ExitCode::Failure, "file_not_written", &[("path", &path.display()), ("cause", cause)])
}
