//! `kanhe gov key list`.

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::{Due, KeyRole};
use serde::Serialize;

use crate::cli::Context;
use crate::clock;
use crate::governance::{BureauKey, KeyState, keys};
use crate::talk::{ExitCode, Failure, Table, moment, say};

/// A key of a bureau; proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
struct Listed {
    #[schemars(with = "String")]
    id: KeyId,
    #[schemars(with = "String")]
    role: KeyRole,
    #[schemars(with = "String")]
    key: PublicKey,
    state: KeyState,
    /// First height at which it held.
    #[schemars(with = "Option<u64>")]
    from_height: Option<Height>,
    /// First height at which it no longer holds.
    #[schemars(with = "Option<u64>")]
    to_height: Option<Height>,
    /// Batches recorded at this height or later are doubted.
    #[schemars(with = "Option<u64>")]
    distrusted_from: Option<Height>,
    /// When it begins or ends, if that is decided and lies ahead, in milliseconds since 1970.
    #[schemars(with = "Option<u64>")]
    due_ms: Option<TimeMs>,
}

/// The keys of a bureau. That there is no other is a node's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct KeysShown {
    #[schemars(with = "String")]
    bureau: Uscc,
    /// As of this height.
    #[schemars(with = "u64")]
    height: Height,
    keys: Vec<Listed>,
}

/// Lists the keys of a bureau that hold or wait; with `old` all.
pub(super) fn list(bureau: Uscc, old: bool, context: &Context) -> Result<ExitCode, Failure> {
    let found = keys(&mut context.follower()?, &bureau)?;
    let current = |key: &&BureauKey| old || matches!(key.state, KeyState::Holds | KeyState::Waits);
    let keys = found.keys.iter().filter(current).map(listed).collect();
    let shown = KeysShown { bureau, height: found.height, keys };
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

fn listed(key: &BureauKey) -> Listed {
    let all = key.entry.intervals.all();
    let due_ms = match key.due {
        Some(Due::Time(time)) => Some(time),
        _ => None,
    };
    Listed {
        id: key.entry.key.id(),
        role: key.entry.role,
        key: key.entry.key.clone(),
        state: key.state,
        from_height: all.first().map(|first| first.from_height),
        to_height: all.last().and_then(|last| last.to_height),
        distrusted_from: key.entry.distrusted_from,
        due_ms,
    }
}

fn text(shown: &KeysShown) -> String {
    let head = ["role", "id", "state", "from", "to", "due"].map(|column| say(&format!("gov.keys.{column}"), &[]));
    let mut table = Table::new(&head);
    let height = |height: Option<Height>| height.map_or_else(String::new, |height| height.to_string());
    for key in &shown.keys {
        let state = match key.state {
            KeyState::Holds => "gov.keys.holds",
            KeyState::Waits => "gov.keys.waits",
            KeyState::Ended => "gov.keys.ended",
            KeyState::Distrusted => "gov.keys.distrusted",
            KeyState::NeverBegan => "gov.keys.never_began",
        };
        let due = key.due_ms.map_or_else(String::new, |due| moment(due.0, clock::now().0));
        let role = super::words::role(key.role);
        table.row(&[
            role,
            key.id.to_string(),
            say(state, &[]),
            height(key.from_height),
            height(key.to_height.into_iter().chain(key.distrusted_from).min()),
            due,
        ]);
    }
    format!("{table}\n{}", say("gov.keys.as_of", &[("height", &shown.height)]))
}
