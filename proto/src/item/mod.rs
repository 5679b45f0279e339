//! Service items (事项): what can be applied for, what it needs, who decides, what it yields.
//!
//! People write an item as TOML; what is registered is its canonical JSON ([`Item::to_json`]), so that one item has one
//! digest. The registry keeps a public part that is derived from that text alone ([`Item::service_item`]): the ledger
//! and whoever reads the file can never mean different graphs. Rules are CEL, opaque here: only desks run them.
//!
//! What [`Item::faults`] refuses no ledger registers, so its rules are part of the protocol version.

mod canonical;
mod check;
mod fault;
mod file;
mod graph;
mod name;
mod public;
mod words;

pub use canonical::ItemTextError;
pub use fault::{At, Fault, FaultKind, Place};
pub use file::{
    Ask, Attachment, Basis, BureauRole, Field, FieldKind, Item, Otherwise, Outcome, Party, Rule, Sample, SharedRead,
    Step, Yield,
};
pub(crate) use name::is_item_code;
pub use name::{ItemCode, ItemVersion, PartName, TypeRef, is_part_name};
pub use public::{BindError, BoundRole};
pub use words::Words;

/// Layout of items that is written and read.
pub const ITEM_FORMAT: u8 = 1;
