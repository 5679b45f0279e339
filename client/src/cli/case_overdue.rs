//! `kanhe case overdue`: steps that are not decided in time, whoever's cases they are of.

use kanhe_proto::case::StepState;
use kanhe_proto::identifiers::Uscc;
use schemars::JsonSchema;
use serde::Serialize;

use super::case_open::bureau_names;
use super::{Context, name, show};
use crate::case::{self, Items};
use crate::clock;
use crate::talk::{ExitCode, Failure, Table, age, say, shape};

/// Most pages of steps that are asked for.
const PAGES_MAX: usize = 16;

/// A step that is late.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Late {
    /// Its case, in hexadecimal.
    case: String,
    /// The item and its version.
    item: String,
    /// The item's name.
    #[schemars(with = "shape::Names")]
    names: kanhe_proto::registry::Names,
    /// The step's name in the item.
    step: String,
    /// As people say.
    #[schemars(with = "shape::Names")]
    step_names: kanhe_proto::registry::Names,
    /// Who is to decide.
    bureau: String,
    /// When it was due, in milliseconds since 1970.
    due_ms: u64,
    /// Time of the header that proves that it is not decided, in milliseconds since 1970.
    as_of_ms: u64,
}

/// Lists them, the longest overdue first. Each is proved by the leaf of its case; that none is left out is the node's word.
pub fn run(bureau: Option<Uscc>, context: &Context) -> Result<ExitCode, Failure> {
    let (mut follower, mut items) = (context.follower()?, Items::default());
    let (mut late, mut after) = (Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let page = follower.ask(|_, node| Ok(node.cases_overdue(after.as_deref())?))?;
        for told in page.steps.iter().filter(|told| bureau.is_none_or(|bureau| bureau == told.bureau)) {
            let Some(proved) = case::read(&mut follower, &mut items, &told.case)? else { continue };
            let stands = proved.case.steps.get(usize::from(told.step));
            let due = stands.filter(|step| step.state == StepState::Ready).and_then(|step| step.due);
            let asked = proved.item.item.step.get(usize::from(told.step));
            let by = proved.case.bureau_of(&proved.item.public, told.step);
            let is_late = due.filter(|due| *due < proved.time && proved.case.runs_at(proved.time));
            let (Some(due), Some(asked), Some(by)) = (is_late, asked, by) else { continue };
            late.push(Late {
                case: told.case.to_string(),
                item: format!("{}:{}", proved.case.item, proved.case.version),
                names: proved.item.item.names.clone(),
                step: asked.code.to_string(),
                step_names: asked.names.clone(),
                bureau: by.to_string(),
                due_ms: due.0,
                as_of_ms: proved.time.0,
            });
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    late.sort_by(|one, other| (one.due_ms, &one.case).cmp(&(other.due_ms, &other.case)));
    let mut known = std::collections::BTreeMap::new();
    for line in &late {
        if let Some(names) = line.bureau.parse().ok().and_then(|uscc| bureau_names(&mut follower, uscc)) {
            known.insert(line.bureau.clone(), names);
        }
    }
    context.output.data(&late, || {
        if late.is_empty() {
            return say("case.none_overdue", &[]);
        }
        let columns =
            ["case.column_id", "case.column_item", "case.column_step", "case.column_bureau", "case.column_due"];
        let mut table = Table::new(&columns.map(|column| say(column, &[])));
        for line in &late {
            let bureau = known.get(&line.bureau).map_or_else(|| line.bureau.clone(), |names| show::clean(name(names)));
            let (item, step) = (show::clean(name(&line.names)), show::clean(name(&line.step_names)));
            let due = age(line.due_ms, clock::now().0);
            table.row(&[line.case[..8].to_owned(), item, format!("{step} [{}]", line.step), bureau, due]);
        }
        table.to_string()
    })?;
    Ok(ExitCode::Ok)
}
