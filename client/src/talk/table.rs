//! Tables whose columns line up with Chinese text in them.

use comfy_table::{Cell, ContentArrangement, presets};
use unicode_width::UnicodeWidthStr;

/// Columns that a terminal shows a text in (a Chinese character takes two).
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// A table for people. Programs get the data as JSON instead.
#[derive(Debug)]
pub struct Table(comfy_table::Table);

impl Table {
    /// A table with these headings.
    pub fn new<S: AsRef<str>>(headings: &[S]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings.iter().map(|heading| Cell::new(clean(heading.as_ref()))));
        Self(table)
    }

    /// Adds a row.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) -> &mut Self {
        self.0.add_row(cells.iter().map(|cell| Cell::new(clean(cell.as_ref()))));
        self
    }
}

/// Control characters of foreign text could move the cursor or hide a line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_equally_wide_also_with_chinese() {
        let mut table = Table::new(&["名称", "status"]);
        table.row(&["济南泉城软件有限公司", "active"]).row(&["x\u{1b}[2J", "暂停"]);
        let text = table.to_string();
        let widths: Vec<usize> = text.lines().map(width).collect();
        assert!(widths.len() >= 5 && widths.iter().all(|w| *w == widths[0]), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
