//! The registry: public facts about bureaus, their keys, licence types and who may do what.
//!
//! Records are append-only lists of intervals, so that one proof under today's header answers for any past height.
//! They hold no personal data.

mod accreditation;
mod bureau;
mod data_class;
mod interval;
mod key_entry;
mod licence_type;
mod membership;
mod parameters;
mod purpose;
mod relying_party;
mod schedule;
mod seats;
mod service_item;
mod supervision;

pub use accreditation::Accreditation;
pub use bureau::{Addresses, Bureau, Names};
pub use data_class::{DataCatalogue, DataClass, DataCode, DataDeclaration, DataEntry};
pub use interval::{Authority, Effect, Interval, IntervalError, Intervals};
pub use key_entry::{KeyEntry, KeyRole};
pub use licence_type::{HolderKind, LicenceType};
pub use membership::Membership;
pub use parameters::{Parameters, ParametersError, Threshold};
pub use purpose::{Purpose, PurposeClass, PurposeCode};
pub use relying_party::{AskRight, ClaimName, RelyingParty};
pub use schedule::{Due, Schedule, Scheduled, ScheduledWhat};
pub use seats::{Seat, SeatState, Seats};
pub use service_item::{CatalogueEntry, ItemBureau, ItemCatalogue, ItemParty, ItemStep, ItemYield, ServiceItem};
pub use supervision::Supervision;

use bincode::Encode;

use crate::hash::{self, MapKey};
use crate::map_value::{Kind, MapValue};
use crate::tags;

/// A registry record knows where in the map it belongs.
pub trait RegistryRecord: MapValue {
    /// What identifies it among its kind.
    type Id: Encode;

    /// Its identifier.
    fn id(&self) -> Self::Id;

    /// Where the record of an identifier is kept.
    fn key_of(id: &Self::Id) -> MapKey {
        registry_key(Self::KIND, id)
    }
    /// Where this record is kept.
    fn key(&self) -> MapKey {
        Self::key_of(&self.id())
    }
}

/// H(tag ‖ kind ‖ identifier).
fn registry_key<T: Encode>(kind: Kind, id: &T) -> MapKey {
    MapKey(hash::tagged(tags::REGISTRY_KEY, &(kind, id)))
}
