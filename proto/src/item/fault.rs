//! What is wrong with an item, and where.

use std::fmt;

/// One step to the place of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The member of this name.
    Member(String),
    /// The element at this place, from 0.
    Element(usize),
}

/// Where a fault is, from the top.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place(pub Vec<At>);

impl Place {
    /// A member of the item.
    pub fn of(member: &str) -> Self {
        Self(vec![At::Member(member.to_owned())])
    }
    /// A member further in.
    #[must_use]
    pub fn member(&self, member: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(At::Member(member.to_owned()));
        Self(steps)
    }
    /// An element further in.
    #[must_use]
    pub fn element(&self, place: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(At::Element(place));
        Self(steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                At::Member(name) if place == 0 => f.write_str(name)?,
                At::Member(name) => write!(f, ".{name}")?,
                At::Element(at) => write!(f, "[{at}]")?,
            }
        }
        Ok(())
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $code:literal: $text:literal,)+) => {
        /// What is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultKind { $($(#[doc = $doc])* $kind,)+ }

        impl FaultKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The stable name of the fault.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)+ }
            }
            const fn text(self) -> &'static str {
                match self { $(Self::$kind => $text,)+ }
            }
        }
    };
}

kinds! {
    /// Layout that is not known.
    Format = "format": "unknown layout",
    /// Not a code of an item.
    Code = "code": "a code is 1 to 64 of a-z, 0-9 and -",
    /// Versions begin at 1.
    Version = "version": "versions begin at 1",
    /// Not a name of a part.
    Name = "name": "a name is a letter a-z, then letters, digits and _, at most 32, and no word of CEL",
    /// Words are missing in one language.
    Words = "words": "words are needed in both languages",
    /// A number out of its range.
    Range = "range": "out of range",
    /// A name twice.
    Twice = "twice": "is there twice",
    /// A name that nothing has.
    Unknown = "unknown": "nothing has this name",
    /// Nothing is there where something must be.
    Empty = "empty": "something must be here",
    /// Not exactly one party opens.
    Opener = "opener": "exactly one party opens the case, and it is not optional",
    /// Not exactly one party is the applicant.
    Applicant = "applicant": "exactly one party is the applicant, and it is not optional",
    /// Steps that wait for each other.
    Cycle = "cycle": "these steps need each other",
    /// A step on which no final step depends.
    Nowhere = "nowhere": "no final step depends on this step",
    /// No step closes the case.
    NoFinal = "no_final": "no step is final",
    /// A final step that another needs.
    FinalNeeded = "final_needed": "a final step is needed by another",
    /// Decided by rules, and there are none.
    NoRules = "no_rules": "a step without an officer needs rules",
    /// A rule that no step names.
    Unused = "unused": "no step uses this",
    /// What a bureau gets of a party that no step of it waits for.
    NotAwaited = "not_awaited": "the bureau has no step that waits for this party",
    /// Not a claim.
    Claim = "claim": "not a claim as NAME, NAME.INNER or NAME[0] that may be shown",
    /// A bureau that reads its own.
    OwnRead = "own_read": "a bureau does not read its own data",
    /// A choice without choices, or choices of something else.
    Choices = "choices": "choices belong to a field of kind choice",
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: `{name}`: {}", kind.text())]
pub struct Fault {
    /// Where.
    pub at: Place,
    /// What.
    pub kind: FaultKind,
    /// The name or value that it is about.
    pub name: String,
}
