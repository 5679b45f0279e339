//! Rows in the register: encrypted, durable, and in its backups. Beside them an index of those on which something is left
//! to do, so that nobody reads all that ever were; of those whose passed files or letters are still looked after; and how
//! many cases each delegate acted in.

use std::collections::BTreeMap;

use kanhe_proto::hash::CaseId;
use kanhe_proto::ids::TimeMs;
use serde::{Deserialize, Serialize};

use super::mandate::Acted;
use super::row::{Row, RowKey, State};
use crate::issuer::Register;
use crate::talk::{ExitCode, Failure};
use crate::vault::{Table, Transaction};

const ROWS: Table<Row> = Table::new("desk");
const OPEN: Table<OpenRow> = Table::new("desk_open");
/// There once the index is: a register that an earlier version wrote has none, or one with less in it.
const INDEXED: Table<u32> = Table::new("desk_index");
const INDEX: &str = "version";
const INDEX_VERSION: u32 = 2;

/// Rows that have passed files on which may not be there yet.
const ON_WAY: Table<RowKey> = Table::new("desk_on_way");
/// Rows with letters, and when the officer spoke.
const LETTERS: Table<(RowKey, TimeMs)> = Table::new("desk_letters");

/// What the index says of a row on which something is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRow {
    /// Which.
    pub key: RowKey,
    /// How far it is.
    pub state: State,
    /// By when it is to be decided.
    pub due: Option<TimeMs>,
    /// Whether an officer has spoken.
    pub is_ruled: bool,
}

impl OpenRow {
    fn of(row: &Row) -> Self {
        Self { key: row.key, state: row.state, due: row.due, is_ruled: row.ruling.is_some() }
    }
}

fn put(transaction: &mut Transaction<'_, '_>, row: &Row) -> Result<(), Failure> {
    let id = row.key.to_string();
    transaction.put(&ROWS, &id, row)?;
    index(transaction, &id, row)
}

fn index(transaction: &mut Transaction<'_, '_>, id: &str, row: &Row) -> Result<(), Failure> {
    if row.is_done() {
        transaction.delete(&OPEN, id)?;
    } else {
        transaction.put(&OPEN, id, &OpenRow::of(row))?;
    }
    if !row.on_way().is_empty() {
        transaction.put(&ON_WAY, id, &row.key)?;
    } else if row.state >= State::Recorded {
        transaction.delete(&ON_WAY, id)?;
    }
    let has_letters = row.decision.as_ref().is_some_and(|decision| !decision.letters.is_empty());
    if let Some(ruling) = row.ruling.as_ref().filter(|_| has_letters) {
        transaction.put(&LETTERS, id, &(row.key, ruling.at))?;
    }
    Ok(())
}

/// While the register was closed an officer may have spoken: that is never written over. A row that was signed before could
/// not be spoken on any more.
fn take_ruling(transaction: &Transaction<'_, '_>, row: &mut Row) -> Result<(), Failure> {
    let id = row.key.to_string();
    if row.ruling.is_some() || !transaction.get(&OPEN, &id)?.is_some_and(|open| open.is_ruled) {
        return Ok(());
    }
    let stored = transaction.get(&ROWS, &id)?;
    row.ruling = stored.and_then(|stored| stored.ruling);
    match row.is_open() || row.state == State::Lost {
        true => Ok(()),
        false => Err(Failure::of(ExitCode::Failure, "desk_ruled", &[("case", &row.key.case)])),
    }
}

/// In which cases delegates acted, by enterprise, key and number of the act that set its limits.
const ACTED: Table<()> = Table::new("desk_acted");
/// In how many, by the same without the case.
const ACTED_COUNT: Table<u32> = Table::new("desk_acted_count");

fn acted_by(acted: &Acted) -> String {
    format!("{}/{}/{:010}", acted.uscc, acted.key, acted.since)
}

fn acted_in(delegate: &str, case: &CaseId) -> String {
    format!("{delegate}/{case}")
}

/// Counts what was noted before anybody counted.
fn count_acted(transaction: &mut Transaction<'_, '_>) -> Result<(), Failure> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (row, ()) in transaction.scan(&ACTED)? {
        let delegate = row.rsplit_once('/').map_or(row.as_str(), |(delegate, _)| delegate);
        *counts.entry(delegate.to_owned()).or_default() += 1;
    }
    for (delegate, count) in counts {
        transaction.put(&ACTED_COUNT, &delegate, &count)?;
    }
    Ok(())
}

impl Register {
    /// Counts a case of each of these delegates, once.
    pub fn note_acted(&self, case: &CaseId, all: &[Acted]) -> Result<(), Failure> {
        if all.is_empty() {
            return Ok(());
        }
        self.see_to_index()?;
        self.vault().write::<_, Failure>(|transaction| {
            for acted in all {
                let delegate = acted_by(acted);
                let row = acted_in(&delegate, case);
                if transaction.get(&ACTED, &row)?.is_none() {
                    let count = transaction.get(&ACTED_COUNT, &delegate)?.unwrap_or_default();
                    transaction.put(&ACTED, &row, &())?;
                    transaction.put(&ACTED_COUNT, &delegate, &count.saturating_add(1))?;
                }
            }
            Ok(())
        })
    }
    /// In how many other cases a delegate acted.
    pub fn acted_before(&self, case: &CaseId, acted: &Acted) -> Result<u32, Failure> {
        self.see_to_index()?;
        let (delegate, reader) = (acted_by(acted), self.vault().read()?);
        let count = reader.get(&ACTED_COUNT, &delegate)?.unwrap_or_default();
        let this = reader.get(&ACTED, &acted_in(&delegate, case))?.is_some();
        Ok(count.saturating_sub(u32::from(this)))
    }
    /// Keeps a row; it is durable when this returns.
    pub fn put_row(&self, row: &Row) -> Result<(), Failure> {
        self.put_rows([&mut row.clone()].into_iter())
    }
    /// Keeps rows, in one durable step. Each has what an officer said meanwhile when this returns.
    pub fn put_rows<'a>(&self, rows: impl Iterator<Item = &'a mut Row>) -> Result<(), Failure> {
        self.vault().write::<_, Failure>(|transaction| {
            for row in rows {
                take_ruling(transaction, row)?;
                put(transaction, row)?;
            }
            Ok(())
        })
    }
    /// A round of a step.
    pub fn row(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        Ok(self.vault().get(&ROWS, &key.to_string())?)
    }
    /// Those that are there of several, in their order.
    pub fn rows_of(&self, keys: &[RowKey]) -> Result<Vec<Row>, Failure> {
        let keys: Vec<String> = keys.iter().map(RowKey::to_string).collect();
        Ok(self.vault().read()?.get_many(&ROWS, &keys)?.into_iter().flatten().collect())
    }
    /// All of them, also those that are done.
    pub fn rows(&self) -> Result<BTreeMap<RowKey, Row>, Failure> {
        Ok(self.vault().scan(&ROWS)?.into_iter().map(|(_, row)| (row.key, row)).collect())
    }
    /// What the index says of each row on which something is left to do.
    pub fn open_rows(&self) -> Result<BTreeMap<RowKey, OpenRow>, Failure> {
        self.see_to_index()?;
        Ok(self.vault().scan(&OPEN)?.into_iter().map(|(_, row)| (row.key, row)).collect())
    }
    /// Rows that have passed files on which may not be there yet.
    pub fn on_way(&self) -> Result<Vec<RowKey>, Failure> {
        self.see_to_index()?;
        Ok(self.vault().scan(&ON_WAY)?.into_iter().map(|(_, key)| key).collect())
    }
    /// Rows with letters, and when the officer spoke of each.
    pub fn with_letters(&self) -> Result<Vec<(RowKey, TimeMs)>, Failure> {
        self.see_to_index()?;
        Ok(self.vault().scan(&LETTERS)?.into_iter().map(|(_, found)| found).collect())
    }
    /// Looks after the letters of these rows no longer.
    pub fn forget_letters(&self, keys: &[RowKey]) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        self.vault().write::<_, Failure>(|transaction| {
            for key in keys {
                transaction.delete(&LETTERS, &key.to_string())?;
            }
            Ok(())
        })
    }
    fn see_to_index(&self) -> Result<(), Failure> {
        let version = self.vault().get(&INDEXED, INDEX)?.unwrap_or_default();
        if version >= INDEX_VERSION {
            return Ok(());
        }
        self.vault().write::<_, Failure>(|transaction| {
            if version < 1 {
                for (id, row) in transaction.scan(&ROWS)? {
                    index(transaction, &id, &row)?;
                }
            }
            count_acted(transaction)?;
            Ok(transaction.put(&INDEXED, INDEX, &INDEX_VERSION)?)
        })
    }
    /// Changes rows as they are now, in one durable step; those that are not there are passed over.
    pub fn change_rows<'a>(
        &self,
        keys: impl Iterator<Item = &'a RowKey>,
        change: impl Fn(&mut Row),
    ) -> Result<(), Failure> {
        self.vault().write::<_, Failure>(|transaction| {
            for key in keys {
                if let Some(mut row) = transaction.get(&ROWS, &key.to_string())? {
                    change(&mut row);
                    put(transaction, &row)?;
                }
            }
            Ok(())
        })
    }
    /// Changes a row as it is now, if the change allows it; it is durable when this returns.
    pub fn change_row(
        &self,
        key: &RowKey,
        change: impl FnOnce(&mut Row) -> Result<(), Failure>,
    ) -> Result<Row, Failure> {
        self.vault().write::<_, Failure>(|transaction| {
            let row = transaction.get(&ROWS, &key.to_string())?;
            let mut row: Row = row.ok_or_else(|| super::officer::unknown(&key.case))?;
            change(&mut row)?;
            put(transaction, &row)?;
            Ok(row)
        })
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::case::Outcome;

    use super::super::officer::rule;
    use super::super::row::tests::{checked, row};
    use super::*;
    use crate::talk::Passphrase;
    use crate::vault::Effort;

    fn register(dir: &tempfile::TempDir) -> Register {
        let passphrase = Passphrase::new("correct horse".to_owned());
        Register::open_or_create(&dir.path().join("register"), &passphrase, Effort::NONE).unwrap()
    }

    #[test]
    fn the_index_has_what_is_left_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let register = register(&dir);
        let states = [State::Seen, State::Waiting, State::Issued, State::Lost];
        let rows: Vec<Row> = (0..)
            .zip(states)
            .map(|(round, state)| {
                let mut row = row();
                (row.key.round, row.state) = (round, state);
                row
            })
            .collect();
        register.put_rows(rows.clone().iter_mut()).unwrap();
        let open =
            |register: &Register| register.open_rows().unwrap().into_values().map(|row| row.state).collect::<Vec<_>>();
        assert_eq!(open(&register), states[..2]);
        assert_eq!(
            (register.rows().unwrap().len(), register.rows_of(&[rows[3].key, rows[0].key]).unwrap().len()),
            (4, 2)
        );
        let mut lost = rows[0].clone();
        lost.state = State::Lost;
        register.put_row(&lost).unwrap();
        assert_eq!(open(&register), [State::Waiting]);
        // A register of an earlier version has rows and no index.
        register.vault().delete(&INDEXED, INDEX).unwrap();
        register.vault().delete(&OPEN, &rows[1].key.to_string()).unwrap();
        assert_eq!(open(&register), [State::Waiting]);
    }

    #[test]
    fn what_was_passed_on_and_letters_are_found_without_reading_all_rows() {
        use kanhe_proto::bounded::Blob;
        use kanhe_proto::hash::Commitment;
        use kanhe_proto::key::KeyId;

        use super::super::row::{Decision, OnWay};

        let dir = tempfile::tempdir().unwrap();
        let register = register(&dir);
        let (mut plain, ruled) = (row(), row());
        (plain.key.round, plain.state) = (1, State::Recorded);
        register.put_row(&ruled).unwrap();
        rule(&register, &ruled.key, Outcome::Returned, Some("file_wrong"), None, "7").unwrap();
        let mut row = register.row(&ruled.key).unwrap().unwrap();
        let file =
            OnWay { to: "91350100M000100Y43".parse().unwrap(), commitment: Commitment([1; 32]), parts: Vec::new() };
        row.decision = Some(Box::new(Decision {
            outcome: Outcome::Returned,
            reason: None,
            key: KeyId([1; 16]),
            act: Blob::new([]).unwrap(),
            officer_salt: None,
            passed: Vec::new(),
            on_way: vec![file],
            letter_random: None,
            letters: vec![Blob::new([1]).unwrap()],
        }));
        row.state = State::Signed;
        register.put_rows([&mut plain, &mut row].into_iter()).unwrap();
        assert_eq!(register.on_way().unwrap(), [], "until it is recorded the decision itself sees to it");
        assert_eq!(register.with_letters().unwrap(), [(row.key, row.ruling.as_ref().unwrap().at)]);
        row.state = State::Recorded;
        register.put_row(&row).unwrap();
        assert_eq!(register.on_way().unwrap(), [row.key]);
        // A register of an earlier version has rows and no index.
        register.vault().delete(&INDEXED, INDEX).unwrap();
        register.vault().delete(&ON_WAY, &row.key.to_string()).unwrap();
        register.vault().delete(&LETTERS, &row.key.to_string()).unwrap();
        assert_eq!((register.on_way().unwrap(), register.with_letters().unwrap().len()), (vec![row.key], 1));
        let keys = [row.key, plain.key];
        let there = |row: &mut Row| row.decision.iter_mut().for_each(|decision| decision.on_way.clear());
        register.change_rows(keys.iter(), there).unwrap();
        assert_eq!(register.on_way().unwrap(), []);
        assert!(register.row(&row.key).unwrap().unwrap().on_way().is_empty());
    }

    #[test]
    fn cases_of_a_delegate_are_counted_without_reading_those_of_others() {
        use kanhe_proto::key::KeyId;

        let dir = tempfile::tempdir().unwrap();
        let register = register(&dir);
        let of = |key: u8, since| Acted { uscc: "91350100M000100Y43".parse().unwrap(), key: KeyId([key; 16]), since };
        let case = |byte: u8| CaseId([byte; 32]);
        let (one, other, later) = (of(1, 4), of(2, 4), of(1, 40));
        for byte in [1, 2, 2, 3] {
            register.note_acted(&case(byte), &[one.clone(), other.clone()]).unwrap();
        }
        register.note_acted(&case(4), std::slice::from_ref(&later)).unwrap();
        let before = |byte, acted: &Acted| register.acted_before(&case(byte), acted).unwrap();
        assert_eq!([before(9, &one), before(2, &one), before(9, &other), before(9, &later)], [3, 2, 3, 1]);
        assert_eq!((before(4, &later), before(9, &of(3, 4))), (0, 0));
        // How many are counted is read, not the cases.
        register.vault().put(&ACTED_COUNT, &acted_by(&one), &70).unwrap();
        assert_eq!((before(9, &one), before(1, &one)), (70, 69));
        // A register of an earlier version has the cases alone.
        register.vault().put(&INDEXED, INDEX, &1).unwrap();
        for acted in [&one, &other, &later] {
            register.vault().delete(&ACTED_COUNT, &acted_by(acted)).unwrap();
        }
        assert_eq!([before(9, &one), before(2, &one), before(9, &other), before(9, &later)], [3, 2, 3, 1]);
    }

    #[test]
    fn what_an_officer_says_meanwhile_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let register = register(&dir);
        let mut kept = row();
        register.put_row(&kept).unwrap();
        // The desk looks at the files while the officer hands the step back.
        rule(&register, &kept.key, Outcome::Returned, Some("file_wrong"), None, "7").unwrap();
        (kept.state, kept.checked) = (State::Checked, Some(Box::new(checked(Some(Outcome::Approved)))));
        register.put_rows([&mut kept].into_iter()).unwrap();
        assert_eq!(kept.ruling.as_ref().unwrap().outcome, Outcome::Returned);
        assert_eq!(register.row(&kept.key).unwrap().unwrap().ruling, kept.ruling);
        assert!(register.open_rows().unwrap()[&kept.key].is_ruled);
        // What was signed without it is not kept: it has not left.
        (kept.ruling, kept.state) = (None, State::Signed);
        assert_eq!(register.put_rows([&mut kept].into_iter()).unwrap_err().code, "desk_ruled");
        assert_eq!(register.row(&kept.key).unwrap().unwrap().state, State::Checked);
    }
}
