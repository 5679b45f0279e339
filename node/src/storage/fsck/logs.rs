//! The log of records and the log of headers: root at every height, and every stored node.

use kanhe_proto::ids::Height;
use kanhe_proto::merkle::log::{Frontier, LogNode, leaf_hash};

use super::Fsck;
use crate::storage::{Column, layout};

impl Fsck<'_> {
    pub(super) fn log(&mut self) {
        const COLUMN: Column = Column::Records;
        let mut frontier = Frontier::default();
        let mut height = Height(0);
        let mut nodes = 0;
        self.each(COLUMN, |fsck, key, value| {
            if key != frontier.size().to_be_bytes() {
                return fsck.problem(COLUMN, key, "is not the record that follows");
            }
            fsck.settle(&frontier, &mut height);
            nodes += fsck.append(Column::LogNodes, &mut frontier, value);
        });
        self.settle(&frontier, &mut height);
        if height <= self.tip {
            self.problem(COLUMN, &[], format!("ends before the log of height {height} does"));
        }
        let found = self.count(Column::LogNodes);
        self.expect_count(Column::LogNodes, found, nodes);
    }

    /// Compares the root with all headers that have a log of this size.
    fn settle(&mut self, frontier: &Frontier, height: &mut Height) {
        while *height <= self.tip {
            let next = self.next_height(*height);
            let Some(header) = self.header(*height) else { return *height = next };
            if header.log_size > frontier.size() {
                return;
            }
            if header.log_size != frontier.size() || header.log_root != frontier.root() {
                let what = format!("records lead to another root than header {height} has");
                self.problem(Column::Records, &header.log_size.to_be_bytes(), what);
            }
            *height = next;
        }
    }

    /// Appends a leaf, compares the nodes that it completes with those stored, and says how many they are.
    fn append(&mut self, column: Column, frontier: &mut Frontier, leaf: &[u8]) -> u64 {
        let mut completed: Vec<LogNode> = Vec::new();
        frontier.append(leaf_hash(leaf), &mut |node| completed.push(node));
        for node in &completed {
            self.expect(column, &layout::node(node.level, node.index), node.hash.bytes());
        }
        completed.len() as u64
    }

    pub(super) fn history(&mut self) {
        let mut frontier = Frontier::default();
        let mut nodes = 0;
        if self.base.0 > 0 {
            // The snapshot brought the roots of the largest subtrees alone; its header says whether they are right.
            match Frontier::read(self.base.0, &self.reader.history()) {
                Ok(read) => frontier = read,
                Err(error) => return self.problem(Column::HistoryNodes, &[], error.to_string()),
            }
            nodes = frontier.peaks().count() as u64;
        }
        for number in self.base.0..=self.tip.0 {
            let Some(header) = self.header(Height(number)) else { continue };
            if header.history_root != frontier.root() {
                self.problem(Column::Headers, &layout::height(header.height), "has another history root");
            }
            if header.height < self.tip {
                nodes += self.append(Column::HistoryNodes, &mut frontier, header.hash().bytes());
            }
        }
        let found = self.count(Column::HistoryNodes);
        self.expect_count(Column::HistoryNodes, found, nodes);
    }
}
