//! `kanhe case open --from`: one row of a spreadsheet is one case, each under keys of its own.
//!
//! A case remembers sheet and line, so the same sheet again goes on where it stopped and opens none twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kanhe_proto::hash::sha256;
use kanhe_proto::item::{ItemCode, PartName};
use kanhe_proto::text;
use schemars::JsonSchema;
use serde::Serialize;

use super::case::{Desk, idle_desk};
use super::case_open::{Giving, Named, Open, announcement, begin, give, newest_in_force};
use super::{Context, licence};
use crate::case::{InvitationShown, Kind, KnownItem, Maker, OwnCase, field_value, settle, store_all};
use crate::clock;
use crate::home;
use crate::sheet::limits::FILE_BYTES_MAX;
use crate::sheet::{RawRow, Sheet, Writer};
use crate::talk::{ExitCode, Failure, say};

/// Rows whose files are stored and whose acts are sent together.
const PORTION: usize = 128;

/// What came of a sheet.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OpenedMany {
    /// The sheet.
    sheet: PathBuf,
    /// Where cases and invitations were written.
    out: PathBuf,
    /// Cases that are open on the chain.
    opened: usize,
    /// Rows, each a case.
    rows: Vec<RowOpened>,
}

/// A row.
#[derive(Debug, Serialize, JsonSchema)]
struct RowOpened {
    /// Its line in the sheet.
    line: u32,
    /// Its case, in hexadecimal.
    case: String,
    /// Code by which the chain refused it; nothing if it is open.
    refused: Option<String>,
    /// Codes for those who are invited.
    invitations: Vec<InvitationShown>,
}

/// A sheet whose headings are of the item.
struct Rows {
    /// SHA-256 of the file: a row of it is one case.
    digest: String,
    sheet: Sheet,
    /// Relative paths in it begin here.
    folder: PathBuf,
}

impl Rows {
    fn read(path: &Path, known: &KnownItem, party: &PartName) -> Result<Self, Failure> {
        let bytes = home::read_given(path, usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX))?;
        let digest = text::hex(&sha256(&[&bytes]));
        let sheet = Sheet::of_bytes(bytes).map_err(|error| error.failure(path))?;
        let fields = known.item.field.iter().filter(|field| field.of == *party).map(|field| field.code.to_string());
        let papers = known.item.attachment.iter().filter(|paper| paper.of == *party);
        let codes: Vec<String> = fields.chain(papers.map(|paper| paper.code.to_string())).collect();
        if let Some(unknown) = sheet.headings.iter().find(|heading| !codes.contains(heading)) {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("name", unknown), ("known", &codes.join(", "))];
            return Err(Failure::of(ExitCode::Usage, "case_part_unknown", args));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let rows = Self { digest, sheet, folder };
        rows.sheet.rows.iter().try_for_each(|row| rows.check(row, known))?;
        Ok(rows)
    }

    /// What a row gives: fields, and files by their paths.
    fn cells(&self, row: &RawRow) -> BTreeMap<String, String> {
        let cells = self.sheet.headings.iter().zip(&row.cells).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(heading, cell)| (heading.clone(), cell.shown())).collect()
    }

    /// All rows are looked at before any is opened.
    fn check(&self, row: &RawRow, known: &KnownItem) -> Result<(), Failure> {
        let wrong = |failure: Failure| {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("line", &row.line), ("cause", &failure.message)];
            let told = Failure::of(ExitCode::Usage, "case_row_wrong", args);
            Failure { hint: failure.hint.or(told.hint.clone()), ..told }
        };
        for (code, value) in self.cells(row) {
            if let Some(field) = known.item.field.iter().find(|field| field.code.as_str() == code) {
                field_value(field, &value).map_err(wrong)?;
            } else if !self.folder.join(&value).is_file() {
                let missing = Failure::of(ExitCode::Usage, "case_paper_missing", &[("paper", &code)]);
                return Err(wrong(missing));
            }
        }
        Ok(())
    }

    /// What a row gives besides what all rows give.
    fn giving(&self, row: &RawRow, common: &Giving, known: &KnownItem) -> Giving {
        let mut giving = Giving { quiet: true, ..common.clone() };
        for (code, value) in self.cells(row) {
            let is_field = known.item.field.iter().any(|field| field.code.as_str() == code);
            let value = if is_field { value } else { self.folder.join(value).display().to_string() };
            let named = Named { name: code, value: Some(value) };
            if is_field { giving.field.push(named) } else { giving.attach.push(named) }
        }
        giving
    }
}

/// Opens a case for each row.
pub fn open(options: &Open, path: &Path, context: &Context) -> Result<ExitCode, Failure> {
    options.giving.check_alone()?;
    let out = options.out.clone().ok_or_else(|| Failure::of(ExitCode::Usage, "case_out_missing", &[]))?;
    let format = licence::format_of(&out)?;
    // Told before all the work, and not after it.
    if out.exists() {
        return Err(Failure::of(ExitCode::Failure, "file_exists", &[("path", &out.display())]));
    }
    // What is unfinished of this sheet goes on together, and not one by one before.
    let mut desk = idle_desk(context)?;
    let known = newest_in_force(&options.item, &mut desk)?;
    let first = begin(&known, options, &mut desk, context)?;
    let rows = Rows::read(path, &known, &first.party)?;
    let mut cases = made(&rows, &known.item.code, &desk)?;
    let new: Vec<&RawRow> = rows.sheet.rows.iter().filter(|row| !cases.contains_key(&row.line)).collect();
    if let Some(row) = new.first() {
        make(&mut desk, &known, (&rows, row, &new), (options, first), &mut cases, context)?;
    }
    finish(&mut desk, &mut cases, context)?;
    let shown: Vec<RowOpened> = cases.iter().map(|(line, own)| shown(*line, own)).collect();
    write(&shown, Writer::new(format, headings(&cases)), &out)?;
    let refused = shown.iter().filter(|row| row.refused.is_some()).count();
    let opened = shown.len() - refused;
    let many = OpenedMany { sheet: path.to_owned(), out, opened, rows: shown };
    context.output.data(&many, || {
        say("case.many_opened", &[("opened", &many.opened), ("count", &many.rows.len()), ("path", &many.out.display())])
    })?;
    match refused {
        0 => Ok(ExitCode::Ok),
        count => Err(Failure::of(ExitCode::Refused, "case_rows_refused", &[("count", &count)])),
    }
}

/// Cases of the item that were made of the sheet before, by line; those that the chain refused are made anew, once what was
/// refused is void: a row is never opened twice.
fn made(rows: &Rows, item: &ItemCode, desk: &Desk) -> Result<BTreeMap<u32, OwnCase>, Failure> {
    let all = desk.shelf().all()?.into_iter().filter(|own| own.item == *item);
    let ours = all.filter_map(|own| match &own.row {
        Some((digest, line)) if *digest == rows.digest && (own.refused.is_none() || own.pending.is_some()) => {
            Some((*line, own))
        }
        _ => None,
    });
    Ok(ours.collect())
}

type New<'a> = (&'a Rows, &'a RawRow, &'a [&'a RawRow]);

/// Shows the first, asks once for all, and makes each with its files.
fn make(
    desk: &mut Desk,
    known: &KnownItem,
    (rows, example, new): New<'_>,
    (options, first): (&Open, OwnCase),
    cases: &mut BTreeMap<u32, OwnCase>,
    context: &Context,
) -> Result<(), Failure> {
    let mut own = first.clone();
    give(known, &mut own, &rows.giving(example, &options.giving, known), &desk.wallet, context)?;
    let maker = Maker::new(&desk.wallet, known, &own, &mut desk.follower)?;
    context.output.talk(announcement(known, &own, &maker, &maker.seen(&own)?, &mut desk.follower)?);
    context.confirm(&say("case.confirm_many", &[("count", &new.len())]))?;
    let chain = desk.follower.trust().chain.chain_id;
    let mut progress = context.output.progress(&say("case.making", &[]), new.len() as u64);
    for row in new {
        let mut own = first.again(&chain, clock::now())?;
        own.row = Some((rows.digest.clone(), row.line));
        give(known, &mut own, &rows.giving(row, &options.giving, known), &desk.wallet, context)?;
        maker.make(&mut own, Kind::Open, clock::now())?;
        cases.insert(row.line, own);
        progress.add(1);
    }
    Ok(())
}

/// Stores the files, then brings the acts onto the chain, a portion after the other: whoever is killed goes on with the same.
fn finish(desk: &mut Desk, cases: &mut BTreeMap<u32, OwnCase>, context: &Context) -> Result<(), Failure> {
    let lines: Vec<u32> = cases.iter().filter(|(_, own)| own.pending.is_some()).map(|(line, _)| *line).collect();
    let mut progress = context.output.progress(&say("case.opening", &[]), lines.len() as u64);
    for portion in lines.chunks(PORTION) {
        let mut owns: Vec<OwnCase> = portion.iter().filter_map(|line| cases.get(line).cloned()).collect();
        store_all(&desk.wallet, &mut desk.follower, &mut desk.items, &mut owns)?;
        settle(&desk.wallet, &mut desk.follower, &mut owns)?;
        progress.add(portion.len() as u64);
        cases.extend(portion.iter().copied().zip(owns));
    }
    Ok(())
}

fn shown(line: u32, own: &OwnCase) -> RowOpened {
    let invitations = own.invitations.iter().map(|invited| InvitationShown::of(own, invited)).collect();
    RowOpened { line, case: own.id.to_string(), refused: own.refused.clone(), invitations }
}

fn headings(cases: &BTreeMap<u32, OwnCase>) -> Vec<String> {
    let invited = cases.values().next().map(|own| own.invitations.as_slice()).unwrap_or_default();
    let fixed = [say("case.column_line", &[]), say("case.column_id", &[]), say("case.column_status", &[])];
    fixed.into_iter().chain(invited.iter().map(|invited| invited.party.to_string())).collect()
}

fn write(rows: &[RowOpened], mut writer: Writer, out: &Path) -> Result<(), Failure> {
    for row in rows {
        let status = row.refused.clone().unwrap_or_else(|| say("case.open", &[]));
        let fixed = [row.line.to_string(), row.case.clone(), status];
        writer.row(fixed.into_iter().chain(row.invitations.iter().map(|invited| invited.code.clone())).collect());
    }
    writer.save(out)
}
