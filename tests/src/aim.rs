//! Kills at named points: a process ends itself by SIGKILL at the n-th write, sync or rename of a file.
//!
//! [`Aimer`] is `shim/aimed.c`, compiled here; nothing of it is in the programs. [`NODE_POINTS`], [`CASE_FILE_POINTS`],
//! [`DELIVERED_POINTS`] and [`ISSUER_POINTS`] are the places where something that was promised comes onto the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

use crate::dice::Dice;
use crate::power::compile;

/// What the process is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `write` and its kind.
    Write,
    /// `fsync` or `fdatasync`.
    Sync,
    /// `rename` to this name.
    Rename,
}

/// When it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the call.
    Before,
    /// With half of the bytes written.
    Half,
    /// After the call.
    After,
}

/// A place to die at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// What happens there.
    pub name: &'static str,
    /// The file, below the process's folder; `*` stands for anything.
    pub file: &'static str,
    /// What a write must hold, as `shim/aimed.c` has it.
    pub bytes: Option<&'static str>,
    /// The call.
    pub call: Call,
    /// When.
    pub when: When,
    /// The n-th such call since the start, n from 1 to this, is the one.
    pub nth_max: u64,
}

impl Point {
    const fn new(name: &'static str, file: &'static str, (call, when): (Call, When), nth_max: u64) -> Self {
        Self { name, file, bytes: None, call, when, nth_max }
    }
    const fn holding(self, bytes: &'static str) -> Self {
        Self { bytes: Some(bytes), ..self }
    }
}

const UNSENT: (Call, When) = (Call::Write, When::Before);
const TORN: (Call, When) = (Call::Write, When::Half);
const UNSYNCED: (Call, When) = (Call::Sync, When::Before);
const SYNCED: (Call, When) = (Call::Sync, When::After);
const UNNAMED: (Call, When) = (Call::Rename, When::Before);
const NAMED: (Call, When) = (Call::Rename, When::After);

/// Bytes of an entry of the signing guard after its two lengths: "signed", and what.
const PROPOSAL: &str = "8=0101";
const PREVOTE: &str = "8=0102";
const PRECOMMIT: &str = "8=0103";
/// The number of changes in RocksDB's log record: a body is one, a committed block many.
const BODY: &str = "15=01000000";
const BLOCK: &str = "15!01000000";

/// Where a node dies: proposing, voting, keeping a body, committing, and opening or flushing its database.
pub const NODE_POINTS: [Point; 33] = [
    Point::new("propose: not written", "guard", UNSENT, 3).holding(PROPOSAL),
    Point::new("propose: torn", "guard", TORN, 3).holding(PROPOSAL),
    Point::new("propose: not synced", "guard", UNSYNCED, 3).holding(PROPOSAL),
    Point::new("propose: synced, not sent", "guard", SYNCED, 3).holding(PROPOSAL),
    Point::new("prevote: not written", "guard", UNSENT, 6).holding(PREVOTE),
    Point::new("prevote: torn", "guard", TORN, 6).holding(PREVOTE),
    Point::new("prevote: not synced", "guard", UNSYNCED, 6).holding(PREVOTE),
    Point::new("prevote: synced, not sent", "guard", SYNCED, 6).holding(PREVOTE),
    Point::new("precommit: not written", "guard", UNSENT, 6).holding(PRECOMMIT),
    Point::new("precommit: torn", "guard", TORN, 6).holding(PRECOMMIT),
    Point::new("precommit: not synced", "guard", UNSYNCED, 6).holding(PRECOMMIT),
    Point::new("precommit: synced, not sent", "guard", SYNCED, 6).holding(PRECOMMIT),
    Point::new("engine's log: not written", "consensus.wal", UNSENT, 40),
    Point::new("engine's log: torn", "consensus.wal", TORN, 40),
    Point::new("engine's log: not synced", "consensus.wal", UNSYNCED, 20),
    Point::new("engine's log: synced", "consensus.wal", SYNCED, 20),
    Point::new("body: not written", "chain/*.log", UNSENT, 6).holding(BODY),
    Point::new("body: torn", "chain/*.log", TORN, 6).holding(BODY),
    Point::new("body: not synced", "chain/*.log", UNSYNCED, 6).holding(BODY),
    Point::new("body: synced, not answered", "chain/*.log", SYNCED, 6).holding(BODY),
    Point::new("commit: not written", "chain/*.log", UNSENT, 6).holding(BLOCK),
    Point::new("commit: torn", "chain/*.log", TORN, 6).holding(BLOCK),
    Point::new("commit: not synced", "chain/*.log", UNSYNCED, 6).holding(BLOCK),
    Point::new("commit: synced, not reported", "chain/*.log", SYNCED, 6).holding(BLOCK),
    Point::new("manifest: not written", "chain/*MANIFEST-*", UNSENT, 2),
    Point::new("manifest: torn", "chain/*MANIFEST-*", TORN, 2),
    Point::new("manifest: not synced", "chain/*MANIFEST-*", UNSYNCED, 2),
    Point::new("manifest: synced", "chain/*MANIFEST-*", SYNCED, 2),
    Point::new("current manifest: not named", "chain/*CURRENT", UNNAMED, 1),
    Point::new("current manifest: named", "chain/*CURRENT", NAMED, 1),
    Point::new("table: torn", "chain/*.sst", TORN, 3),
    Point::new("table: not synced", "chain/*.sst", UNSYNCED, 3),
    Point::new("table: synced, not listed", "chain/*.sst", SYNCED, 3),
];

/// Where an issuer dies: writing register and journal, and handing licences over.
pub const ISSUER_POINTS: [Point; 7] = [
    Point::new("register: not written", "home/register.redb*", UNSENT, 120),
    Point::new("register: torn", "home/register.redb*", TORN, 120),
    Point::new("register: not synced", "home/register.redb*", UNSYNCED, 12),
    Point::new("register: synced", "home/register.redb*", SYNCED, 12),
    Point::new("trusted header: torn", "home/trust.bin.new-*", TORN, 6),
    Point::new("deliveries: not named", "issued/deliveries-*.jsonl", UNNAMED, 1),
    Point::new("deliveries: named", "issued/deliveries-*.jsonl", NAMED, 1),
];

/// Where a node dies that takes parts of case files, by hand or from another node.
pub const CASE_FILE_POINTS: [Point; 5] = [
    Point::new("part: not written", "case-files/unfinished/new", UNSENT, 4),
    Point::new("part: torn", "case-files/unfinished/new", TORN, 4),
    Point::new("part: not synced", "case-files/unfinished/new", UNSYNCED, 4),
    Point::new("part: not named", "case-files/*", UNNAMED, 4),
    Point::new("part: named, not told", "case-files/*", NAMED, 4),
];

/// Where a node dies that writes down that a case file is delivered.
pub const DELIVERED_POINTS: [Point; 2] = [
    Point::new("delivered: not named", "case-files/*/delivered", UNNAMED, 1),
    Point::new("delivered: named", "case-files/*/delivered", NAMED, 1),
];

/// All points in an order that the dice give.
pub fn shuffled(points: &[Point], dice: &mut Dice) -> Vec<Point> {
    let mut points = points.to_vec();
    for place in (1..points.len()).rev() {
        points.swap(place, dice.place(place + 1));
    }
    points
}

/// The shim, compiled, and how often each point was hit.
#[derive(Debug)]
pub struct Aimer {
    folder: TempDir,
    library: PathBuf,
    shots: u64,
    hits: BTreeMap<&'static str, u32>,
}

/// A process that was started under an aim.
#[derive(Debug)]
pub struct Shot {
    point: Point,
    nth: u64,
    log: PathBuf,
}

impl Aimer {
    /// Compiles it.
    pub fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = compile("aimed", folder.path());
        Self { folder, library, shots: 0, hits: BTreeMap::new() }
    }

    /// Makes a command's process die at a point; the folder is the one that the point's file is named from.
    pub fn aim(&mut self, command: &mut Command, folder: &Path, point: Point, dice: &mut Dice) -> Shot {
        self.shots += 1;
        let log = self.folder.path().join(self.shots.to_string());
        let nth = 1 + dice.below(point.nth_max);
        let call = match point.call {
            Call::Write => "write",
            Call::Sync => "sync",
            Call::Rename => "rename",
        };
        let when = match point.when {
            When::Before => "before",
            When::Half => "half",
            When::After => "after",
        };
        // Another shim that is there already stays.
        let mut libraries = self.library.clone().into_os_string();
        for (name, value) in command.get_envs() {
            if let Some(other) = value.filter(|_| name == "LD_PRELOAD") {
                libraries.push(":");
                libraries.push(other);
            }
        }
        command.env("LD_PRELOAD", libraries).env("KANHE_AIM_FILE", folder.join(point.file));
        command.env("KANHE_AIM_CALL", call).env("KANHE_AIM_WHEN", when).env("KANHE_AIM_COUNT", nth.to_string());
        command.env("KANHE_AIM_LOG", &log);
        if let Some(bytes) = point.bytes {
            command.env("KANHE_AIM_BYTES", bytes);
        }
        Shot { point, nth, log }
    }

    /// Whether an ended process died at its point, which then counts.
    pub fn hit(&mut self, shot: &Shot, ended: ExitStatus) -> bool {
        use std::os::unix::process::ExitStatusExt;
        let struck = fs::read_to_string(&shot.log).is_ok_and(|text| text == "struck\n");
        let hit = struck && ended.signal() == Some(9);
        if hit {
            *self.hits.entry(shot.point.name).or_default() += 1;
        }
        hit
    }

    /// Prints each point with how often it was hit; gives the sum. A point that was never hit is a failure.
    pub fn table(&self, points: &[Point]) -> u64 {
        let mut sum = 0;
        for point in points {
            let hits = self.hits.get(point.name).copied().unwrap_or(0);
            println!("{:30} {hits:3}", point.name);
            assert!(hits > 0, "no process died at this point: {}", point.name);
            sum += u64::from(hits);
        }
        sum
    }
}

impl std::fmt::Display for Shot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (call {})", self.point.name, self.nth)
    }
}
