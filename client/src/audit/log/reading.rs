//! An export as it grows: each line is held against what came before, and all records lead to one root.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use kanhe_proto::codec;
use kanhe_proto::log_range::{LogRange, LogRangeError};
use kanhe_proto::merkle::log::Frontier;
use kanhe_proto::proof::CertifiedHeader;

use super::line::{FORMAT, Head, LINE_BYTES_MAX, LeftOut, Line, RecordLine};
use crate::talk::{ExitCode, Failure};

const CERTIFIED_BYTES_MAX: usize = 32 << 10;
const FRONTIER_BYTES_MAX: usize = 4 << 10;

/// What is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Stable code.
    pub code: &'static str,
    /// Whether it cannot be told rather than being false.
    pub undecided: bool,
    /// In which line.
    pub line: u64,
    /// What.
    pub cause: String,
}

impl Wrong {
    /// A line that is none, or not where it may be.
    pub fn line(cause: impl ToString) -> Self {
        Self::of("audit_file_line", cause)
    }
    /// A record that is not what it is said to be.
    pub fn record(cause: impl ToString) -> Self {
        Self::of("audit_file_record", cause)
    }
    /// Records that do not lead to the root.
    pub fn root(cause: impl ToString) -> Self {
        Self::of("audit_file_root", cause)
    }
    /// Another fault.
    pub fn of(code: &'static str, cause: impl ToString) -> Self {
        Self { code, undecided: false, line: 0, cause: cause.to_string() }
    }
    /// What nobody can tell here.
    pub fn unknown(code: &'static str, cause: impl ToString) -> Self {
        Self { undecided: true, ..Self::of(code, cause) }
    }
    /// The failure of a command.
    pub fn failure(&self) -> Failure {
        let exit = if self.undecided { ExitCode::Undecided } else { ExitCode::Invalid };
        let (code, args): (_, [(&str, &dyn std::fmt::Display); 2]) =
            (self.code, [("line", &self.line), ("cause", &self.cause)]);
        Failure::of(exit, code, &args)
    }
}

/// What was read of an export.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What it is.
    pub head: Head,
    /// The header before, not yet believed.
    pub before: Option<CertifiedHeader>,
    /// Its records.
    pub range: LogRange,
    /// Records shown.
    pub shown: u64,
    /// Records left out.
    pub left_out: u64,
    /// Records shown, by kind.
    pub kinds: BTreeMap<String, u64>,
}

impl Reading {
    /// Begins with the first line.
    pub fn begin(head: Head) -> Result<Self, Wrong> {
        if head.format != FORMAT {
            return Err(Wrong::unknown("audit_file_line", format!("format {}", head.format)));
        }
        let before = head.before.as_ref().map(|bytes| certified(bytes)).transpose()?;
        let frontier: Frontier = codec::decode(&head.frontier, FRONTIER_BYTES_MAX).map_err(Wrong::line)?;
        let from = before.as_ref().map_or(1, |before| before.header.height.0.saturating_add(1));
        if head.from_height.0 != from || head.to_height < head.from_height {
            return Err(Wrong::line("blocks that are not those of the header before"));
        }
        let range = LogRange::begin(before.as_ref().map(|before| &before.header), frontier).map_err(Wrong::root)?;
        if range.first() != head.first {
            return Err(Wrong::line("another first record than that after the header before"));
        }
        Ok(Self { head, before, range, shown: 0, left_out: 0, kinds: BTreeMap::new() })
    }

    /// Takes a record that is shown.
    pub fn record(&mut self, line: &RecordLine) -> Result<(), Wrong> {
        let index = self.range.next();
        if line.index != index {
            return Err(Wrong::record(format!("record {} where {index} must be", line.index)));
        }
        let record = self.range.push(&line.bytes).map_err(Wrong::record)?;
        if *line != RecordLine::of(index, &line.bytes, &record) {
            return Err(Wrong::record(format!("record {index} does not say what its bytes say")));
        }
        if !self.head.shown.shows(&line.bytes, &record) {
            return Err(Wrong::record(format!("record {index} is of those that are not shown")));
        }
        self.shown += 1;
        *self.kinds.entry(line.kind.clone()).or_default() += 1;
        Ok(())
    }

    /// Takes records that are not shown.
    pub fn leave_out(&mut self, line: &LeftOut) -> Result<(), Wrong> {
        if self.head.shown.is_all() {
            return Err(Wrong::record("records are left out of an export that shows all"));
        }
        if line.first != self.range.next() || !line.is_whole() {
            return Err(Wrong::record(format!("records left out where {} must be", self.range.next())));
        }
        for hash in line.each() {
            self.range.push_hash(hash);
            self.left_out += 1;
        }
        Ok(())
    }

    /// Checks that these are all records up to the last header.
    pub fn finish(&self, last: &CertifiedHeader) -> Result<(), Wrong> {
        if last.header.height != self.head.to_height {
            return Err(Wrong::line("the last header is not that of the last block"));
        }
        self.range.finish(&last.header).map_err(|error| match error {
            LogRangeError::Place(_) => Wrong::record(error),
            other => Wrong::root(other),
        })
    }
}

/// A certified header of an export, not yet believed.
pub fn certified(bytes: &[u8]) -> Result<CertifiedHeader, Wrong> {
    codec::decode(bytes, CERTIFIED_BYTES_MAX).map_err(Wrong::line)
}

/// The next line, and its bytes with the end of line; none at the end, and also if the last line has no end.
pub fn next_line(reader: &mut impl BufRead) -> Result<Option<(Line, u64)>, Wrong> {
    let mut bytes = Vec::new();
    let read = reader.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes).map_err(Wrong::line)?;
    if bytes.pop() != Some(b'\n') {
        return match bytes.len() {
            0..=LINE_BYTES_MAX => Ok(None),
            _ => Err(Wrong::line(format!("more than {LINE_BYTES_MAX} bytes"))),
        };
    }
    let line = serde_json::from_slice(&bytes).map_err(Wrong::line)?;
    Ok(Some((line, read as u64)))
}
