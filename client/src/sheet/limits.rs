//! What a spreadsheet may be.

/// Largest file, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an .xlsx may unpack to, in bytes: three times what 100,000 rows of the sample types do. The parser needs up to
/// 3.4 times as much memory (0.9 GB, measured with nothing but one-letter shared strings).
pub const UNPACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Most parts of an .xlsx archive.
pub const PARTS_MAX: usize = 1_000;
/// Most rows below the headings: as many as the largest batch has licences.
pub const ROWS_MAX: usize = 100_000;
/// Most columns.
pub const COLUMNS_MAX: usize = 64;
/// Longest cell, in characters.
pub const CELL_CHARS_MAX: usize = 4_000;
/// Longest line of separated values, in bytes: twice what cells of four bytes a character take.
pub const LINE_BYTES_MAX: usize = 8 * COLUMNS_MAX * CELL_CHARS_MAX;
/// Faults kept for one row; a row with more is bad anyway.
pub const FAULTS_PER_ROW_MAX: usize = 8;
