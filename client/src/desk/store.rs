//! Rows in the register: encrypted, durable, and in its backups.

use std::collections::BTreeMap;

use super::row::{Row, RowKey};
use crate::issuer::Register;
use crate::talk::Failure;
use crate::vault::Table;

const ROWS: Table<Row> = Table::new("desk");

impl Register {
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
