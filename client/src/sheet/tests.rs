//! Whole files: what offices send, and what comes back.

use std::convert::Infallible;
use std::time::Instant;

use rust_xlsxwriter::{Format as Style, Formula, Workbook};
use serde_json::json;

use super::*;
use crate::sample::Subject;
use crate::talk::{Lang, say_in};

fn columns(subject: Subject) -> Columns {
    subject.type_file().columns().unwrap()
}

fn checked(sheet: &Sheet, columns: &Columns) -> Report {
    check(sheet, columns, |_, _| Ok::<_, Infallible>(false)).unwrap()
}

/// A CSV of identity cards with some cells changed: (row from 0, column, value).
fn cards(count: usize, changes: &[(usize, usize, &str)]) -> Sheet {
    let mut rows = Subject::IdentityCard.rows(3, count);
    for (row, column, value) in changes {
        rows[*row][*column] = (*value).to_string();
    }
    let headings = columns(Subject::IdentityCard).list().iter().filter(|c| c.claim).map(|c| c.code.clone()).collect();
    let mut writer = Writer::new(Format::Csv, headings);
    rows.into_iter().for_each(|row| writer.row(row));
    Sheet::of_bytes(writer.bytes().unwrap()).unwrap()
}

fn codes(report: &Report) -> Vec<(u32, &str)> {
    report.problems.iter().map(|problem| (problem.line, problem.fault.code())).collect()
}

#[test]
fn every_fault_says_what_and_what_to_do_in_both_languages() {
    for fault in Fault::all() {
        for (lang, part) in [Lang::Zh, Lang::En].into_iter().flat_map(|l| [(l, "message"), (l, "hint")]) {
            let key = format!("sheet.{}.{part}", fault.code());
            assert!(!say_in(lang, &key, &[]).ends_with(&key), "{key} in {}", lang.tag());
        }
        assert!(!fault.reason(Lang::Zh).contains("%{"));
    }
    for form in ["text", "uscc", "person_id", "date", "end_date", "amount", "application", "code", "form"] {
        let key = format!("template.{form}");
        assert!(!say_in(Lang::Zh, &key, &[]).ends_with(&key), "{key}");
    }
}

#[test]
fn all_faults_of_all_rows_are_told_with_their_lines() {
    let sheet = cards(
        6,
        &[(0, 1, "3.70102E+17"), (1, 4, "1990/1/5"), (1, 0, ""), (2, 2, "未知"), (3, 0, "王伟 "), (4, 0, "王＝Ａ")],
    );
    let report = checked(&sheet, &columns(Subject::IdentityCard));
    let expected =
        [(2, "number_mangled"), (3, "missing"), (3, "date_form"), (4, "choice"), (5, "spaces"), (6, "full_width")];
    assert_eq!(codes(&report), expected);
    assert_eq!((report.rows, report.good.len()), (6, 1));
    assert_eq!(report.good[0].line, 7);
    assert_eq!(report.problems[2].fault, Fault::DateForm(Some("1990-01-05".to_string())));
    let shown = report.shown(2);
    assert!(shown.contains("6 problems in 5 lines, 6 rows read; 2 shown"), "{shown}");
    assert_eq!(shown.matches("hint:").count(), 2);
}

#[test]
fn duplicates_in_file_and_register_are_found() {
    let first = Subject::IdentityCard.rows(3, 1)[0][1].clone();
    let sheet = cards(4, &[(2, 1, &first)]);
    let columns = columns(Subject::IdentityCard);
    let taken = Subject::IdentityCard.rows(3, 4)[3][1].clone();
    let known = |field: &str, value: &str| Ok::<_, Infallible>(field == "CZZTDM" && value == taken);
    let report = check(&sheet, &columns, known).unwrap();
    assert_eq!(codes(&report), [(2, "duplicate_in_file"), (4, "duplicate_in_file"), (5, "in_register")]);
    assert_eq!(report.problems[0].fault, Fault::DuplicateInFile(4));
    assert_eq!(report.good.len(), 1);
    assert_eq!(check(&sheet, &columns, |_, _| Err("the register is busy")).unwrap_err(), "the register is busy");
}

#[test]
fn headings_are_checked_before_rows() {
    let text = "姓名,姓名,Citizen id number,电话\n王伟,王伟,1,2\n";
    let sheet = Sheet::of_bytes(text.as_bytes().to_vec()).unwrap();
    let report = checked(&sheet, &columns(Subject::IdentityCard));
    assert!(report.headings_bad && report.good.is_empty());
    let codes = codes(&report);
    assert_eq!(codes[..2], [(1, "column_twice"), (1, "unknown_column")]);
    assert_eq!(codes.len(), 2 + 7);
    let wide = Sheet::of_bytes(b"CZZT\na,b\n".to_vec()).unwrap();
    assert!(checked(&wide, &columns(Subject::IdentityCard)).headings_bad);
}

#[test]
fn bad_rows_come_back_to_be_mended() {
    let dir = tempfile::tempdir().unwrap();
    let columns = columns(Subject::IdentityCard);
    let sheet = cards(5, &[(1, 4, "1990/1/5"), (3, 0, "")]);
    let report = checked(&sheet, &columns);
    let path = dir.path().join("bad.csv");
    write_bad_rows(&sheet, &report, Lang::Zh, &path).unwrap();
    assert_eq!(write_bad_rows(&sheet, &report, Lang::Zh, &path).unwrap_err().code, "file_exists");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("1990-01-05") && text.contains(REASON_HEADING));
    // Read again as it is: the same faults, and the reasons are no data.
    let again = Sheet::read(&path).unwrap();
    let report = checked(&again, &columns);
    assert_eq!(codes(&report), [(2, "date_form"), (3, "missing")]);
    let mended = text.replace("1990/1/5", "1990-01-05");
    std::fs::write(dir.path().join("mended.csv"), mended).unwrap();
    let report = checked(&Sheet::read(&dir.path().join("mended.csv")).unwrap(), &columns);
    assert_eq!(codes(&report), [(3, "missing")]);
}

#[test]
fn a_template_explains_itself_and_its_example_is_never_issued() {
    for subject in Subject::ALL {
        let columns = columns(subject);
        for (format, lang) in [(Format::Xlsx, Lang::Zh), (Format::Csv, Lang::En)] {
            let sheet = Sheet::of_bytes(template(&columns, format, lang).bytes().unwrap()).unwrap();
            assert_eq!(sheet.headings.len(), columns.list().len());
            let report = checked(&sheet, &columns);
            assert_eq!(codes(&report), [(2, "example")], "{}", subject.name());
        }
    }
}

#[test]
fn examples_are_valid_but_for_being_examples() {
    for subject in Subject::ALL {
        let columns = columns(subject);
        let mut writer = Writer::new(Format::Csv, columns.list().iter().map(|c| c.code.clone()).collect());
        // One cell differs, so it is a row like any other.
        let cell = |c: &Column| if c.code == "CZZT" { "另一主体".to_string() } else { c.example.clone() };
        writer.row(columns.list().iter().map(cell).collect());
        let report = checked(&Sheet::of_bytes(writer.bytes().unwrap()).unwrap(), &columns);
        assert!(report.is_clean(), "{}: {}", subject.name(), report.shown(9));
    }
}

#[test]
fn workbooks_with_dates_numbers_and_formulas() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let day = Style::new().set_num_format("yyyy-mm-dd");
    for (column, code) in ["NAME", "DAY", "SUM"].into_iter().enumerate() {
        sheet.write(0, column as u16, code).unwrap();
    }
    sheet.write(1, 0, "甲").unwrap();
    sheet.write_number_with_format(1, 1, 43346.0, &day).unwrap();
    sheet.write(1, 2, 12.5).unwrap();
    sheet.write(2, 0, "乙").unwrap();
    sheet.write_number_with_format(2, 1, 43346.5, &day).unwrap();
    sheet.write_formula(2, 2, Formula::new("=1+1").set_result("2")).unwrap();
    sheet.write(4, 0, true).unwrap();
    sheet.write(4, 1, 43346.0).unwrap();
    let sheet = Sheet::of_bytes(book.save_to_buffer().unwrap()).unwrap();
    let property = |place: u64, kind: &str| {
        json!({"type": "string", "title": format!("列{place}"), "x-kanhe-title-en": format!("Column {place}"),
            "x-kanhe-column": place, "x-kanhe-kind": kind})
    };
    let schema = json!({"type": "object", "required": ["NAME", "DAY"], "properties": {
        "SUM": property(3, "amount"), "DAY": property(2, "date"), "NAME": property(1, "text"),
        "ZZBS": {"type": "string"}}});
    let columns = Columns::of_schema(&schema).unwrap();
    let order: Vec<&str> = columns.list().iter().map(|column| column.code.as_str()).collect();
    assert_eq!(order, ["NAME", "DAY", "SUM", APPLICATION]);
    let report = checked(&sheet, &columns);
    assert_eq!(codes(&report), [(3, "date_time"), (3, "formula"), (5, "boolean"), (5, "date_serial")]);
    let claims = json!({"NAME": "甲", "DAY": "2018-09-03", "SUM": "12.5"});
    assert_eq!(serde_json::Value::Object(report.good[0].claims.clone()), claims);
}

#[test]
fn schemas_that_break_the_convention_are_refused() {
    let of = |property: serde_json::Value| {
        Columns::of_schema(&json!({"type": "object", "properties": {"A": property}})).map(|_| ())
    };
    let good = json!({"type": "string", "title": "甲", "x-kanhe-title-en": "A1", "x-kanhe-column": 1});
    assert_eq!(of(good.clone()), Ok(()));
    let changes = [
        ("type", json!("number")),
        ("title", json!("")),
        ("x-kanhe-title-en", json!(null)),
        ("x-kanhe-column", json!("1")),
        ("x-kanhe-kind", json!("colour")),
        ("x-kanhe-unique", json!(1)),
        ("title", json!("申请编号")),
        ("pattern", json!("(")),
        ("$ref", json!("https://example.org/schema")),
    ];
    for (keyword, value) in changes {
        let mut property = good.clone();
        property[keyword] = value;
        assert!(of(property).is_err(), "{keyword}");
    }
    assert_eq!(Columns::of_schema(&json!({"properties": {}})).unwrap_err(), SchemaError::Count);
    assert!(Columns::of_schema(&json!([])).is_err());
}

#[test]
fn hostile_files_are_refused_within_limits() {
    assert!(matches!(Sheet::of_bytes(vec![0; 10]), Err(SheetError::NotText)));
    assert!(matches!(Sheet::of_bytes(b"PK\x03\x04garbage".to_vec()), Err(SheetError::NotXlsx(_))));
    assert!(matches!(Sheet::of_bytes(vec![0xd0, 0xcf, 0x11, 0xe0, 1]), Err(SheetError::OldFormat)));
    let wide = vec!["x"; limits::COLUMNS_MAX + 1].join(",");
    assert!(matches!(Sheet::of_bytes(wide.into_bytes()), Err(SheetError::TooManyColumns)));
    let long = format!("a\n{}", "长".repeat(limits::CELL_CHARS_MAX + 1));
    assert!(matches!(Sheet::of_bytes(long.into_bytes()), Err(SheetError::CellTooLong { line: 2 })));
    let tall = format!("a\n{}", "x\n".repeat(limits::ROWS_MAX + 1));
    assert!(matches!(Sheet::of_bytes(tall.into_bytes()), Err(SheetError::TooManyRows)));
    // A cell in the last corner of a sheet.
    let mut book = Workbook::new();
    book.add_worksheet().write(1_048_575, 0, "x").unwrap().write(0, 0, "a").unwrap();
    assert_eq!(Sheet::of_bytes(book.save_to_buffer().unwrap()).unwrap().rows.len(), 1);
    let mut book = Workbook::new();
    book.add_worksheet().write(1_048_575, 16_383, "x").unwrap();
    assert!(matches!(Sheet::of_bytes(book.save_to_buffer().unwrap()), Err(SheetError::TooManyColumns)));
    // Any cut or changed workbook is refused or read, and never a panic.
    let whole = template(&columns(Subject::IdentityCard), Format::Xlsx, Lang::Zh).bytes().unwrap();
    for at in (0..whole.len()).step_by(31) {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        let _ = Sheet::of_bytes(changed);
        let _ = Sheet::of_bytes(whole[..at].to_vec());
    }
}

/// A workbook with this for rows.
fn workbook(rows: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut whole = Workbook::new();
    whole.add_worksheet().write(0, 0, 1).unwrap();
    let mut parts = zip::ZipArchive::new(std::io::Cursor::new(whole.save_to_buffer().unwrap())).unwrap();
    let mut changed = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let name = "xl/worksheets/sheet1.xml";
    for index in 0..parts.len() {
        let part = parts.by_index_raw(index).unwrap();
        if part.name().unwrap() != name {
            changed.raw_copy_file(part).unwrap();
        }
    }
    changed.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    let space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    write!(changed, r#"<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>"#).unwrap();
    changed.finish().unwrap().into_inner()
}

#[test]
fn cells_that_are_nowhere_are_refused() {
    let good = workbook(r#"<row r="1"><c r="A1"><v>1</v></c></row><row><c><v>2</v></c></row>"#);
    assert_eq!(Sheet::of_bytes(good).unwrap().rows[0].line, 2, "control");
    for (row, cell) in [("4294967295", "A1"), ("4294967296", "A1"), ("1", "ZZZZZZZZZ1"), ("1", "A4294967295")] {
        let wrong = workbook(&format!(r#"<row r="{row}"><c r="{cell}"><v>1</v></c></row><row><c><v>2</v></c></row>"#));
        let read = Sheet::of_bytes(wrong);
        assert!(matches!(read, Err(SheetError::NotXlsx(_))), "{row} {cell}: {read:?}");
    }
}

#[test]
fn an_archive_that_unpacks_without_end_is_refused() {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let block = vec![b' '; 1 << 20];
    for _ in 0..=(limits::UNPACKED_BYTES_MAX >> 20) {
        archive.write_all(&block).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    assert!((bytes.len() as u64) < limits::FILE_BYTES_MAX);
    assert!(matches!(Sheet::of_bytes(bytes), Err(SheetError::UnpacksTooLarge)));
}

#[test]
fn ten_thousand_rows_are_checked_within_a_second() {
    let bytes = Subject::BusinessLicence.sheet(1, 10_000, Lang::Zh, Format::Xlsx).bytes().unwrap();
    let columns = columns(Subject::BusinessLicence);
    let sheet = Sheet::of_bytes(bytes).unwrap();
    let start = Instant::now();
    let report = checked(&sheet, &columns);
    let took = start.elapsed();
    assert_eq!(report.good.len(), 10_000, "{}", report.shown(3));
    // Measured: a small part of this; a busy machine gets four times the promise.
    assert!(took.as_secs() < 4, "{took:?}");
    eprintln!("10,000 rows checked in {took:?}");
}
