//! Rows in the register: encrypted, durable, and in its backups.

use std::collections::BTreeMap;

use kanhe_proto::hash::CaseId;

use super::mandate::Acted;
use super::row::{Row, RowKey};
use crate::issuer::Register;
use crate::talk::Failure;
use crate::vault::Table;

const ROWS: Table<Row> = Table::new("desk");

/// In which cases delegates acted, by enterprise, key and number of the act that set its limits.
const ACTED: Table<()> = Table::new("desk_acted");

fn acted_row(acted: &Acted) -> String {
    format!("{}/{}/{:010}/", acted.uscc, acted.key, acted.since)
}

impl Register {
    /// Counts a case of each of these delegates, once.
    pub fn note_acted(&self, case: &CaseId, all: &[Acted]) -> Result<(), Failure> {
        for acted in all {
            self.vault().put(&ACTED, &format!("{}{case}", acted_row(acted)), &())?;
        }
        Ok(())
    }
    /// In how many other cases a delegate acted.
    pub fn acted_before(&self, case: &CaseId, acted: &Acted) -> Result<u32, Failure> {
        let (prefix, this) = (acted_row(acted), case.to_string());
        let other = |key: &str| key.strip_prefix(&prefix).is_some_and(|case| case != this);
        let count = self.vault().scan(&ACTED)?.iter().filter(|(key, ())| other(key)).count();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
    /// Keeps a row; it is durable when this returns.
    pub fn put_row(&self, row: &Row) -> Result<(), Failure> {
        Ok(self.vault().put(&ROWS, &row.key.to_string(), row)?)
    }
    /// A round of a step.
    pub fn row(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        Ok(self.vault().get(&ROWS, &key.to_string())?)
    }
    /// All of them.
    pub fn rows(&self) -> Result<BTreeMap<RowKey, Row>, Failure> {
        Ok(self.vault().scan(&ROWS)?.into_iter().map(|(_, row)| (row.key, row)).collect())
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
            transaction.put(&ROWS, &key.to_string(), &row)?;
            Ok(row)
        })
    }
}
