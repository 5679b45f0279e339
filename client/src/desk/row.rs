//! A round of a step as the desk keeps it.

use std::collections::BTreeMap;
use std::fmt;

use kanhe_proto::bounded::Blob;
use kanhe_proto::case::Outcome;
use kanhe_proto::case_file::PART_ENCODED_BYTES_MAX;
use kanhe_proto::hash::{CaseId, Commitment, LicenceDigest};
use kanhe_proto::identifiers::{Uscc, Vct};
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::item::{ItemCode, ItemVersion, PartName, Words};
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::CASE_PAYLOAD_BYTES_MAX;
use kanhe_proto::mail::MAIL_BYTES_MAX;
use kanhe_proto::registry::Names;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::mandate::Acted;
use crate::issuer::Grant;
use crate::rules::{Answer, Holds, Made, Source};
use crate::talk::shape;

/// Longest file that a bureau passes on: names and values alone.
pub const PASSED_BYTES_MAX: usize = 1 << 20;

/// How far the desk is with a step. In this order; each is durable before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is the bureau's turn; files are on their way.
    Seen,
    /// Everything was verified and the rules were run.
    Checked,
    /// An officer decides.
    Waiting,
    /// The decision is signed, and sent until it is proved.
    Signed,
    /// The decision is on the chain, and it is this desk's.
    Recorded,
    /// What the step yields goes onto the chain.
    Issuing,
    /// It is there, and the case says so.
    Issued,
    /// Somebody else decided, or there is nothing left to decide.
    Lost,
}

/// Which round of which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowKey {
    /// The case.
    pub case: CaseId,
    /// Place of the step in the item.
    pub step: u8,
    /// The step's round.
    pub round: u32,
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:03}/{:010}", self.case, self.step, self.round)
    }
}

/// A round of a step.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    /// Which.
    pub key: RowKey,
    /// How far it is.
    pub state: State,
    /// The item.
    pub item: ItemCode,
    /// Its version.
    pub version: ItemVersion,
    /// The item's name.
    pub item_names: Names,
    /// The step's name in the item.
    pub step_code: PartName,
    /// As people say.
    pub step_names: Names,
    /// Since when it is the bureau's turn.
    pub since: TimeMs,
    /// By when it is to be decided.
    pub due: Option<TimeMs>,
    /// Whether anybody could present anew.
    pub can_return: bool,
    /// Codes of the step's rules, which are reasons too.
    pub rules: Vec<PartName>,
    /// Why it does not go on by itself.
    pub trouble: Option<Trouble>,
    /// What was found, from [`State::Checked`] on.
    pub checked: Option<Box<Checked>>,
    /// What an officer said.
    pub ruling: Option<Ruling>,
    /// What was signed, from [`State::Signed`] on.
    pub decision: Option<Box<Decision>>,
    /// Where the chain has it.
    pub recorded: Option<LogIndex>,
    /// Time of the block that has it.
    #[serde(default)]
    pub decided: Option<TimeMs>,
    /// What was issued and said of it.
    pub issued: Option<Box<Issued>>,
    /// Why there is nothing to decide any more.
    pub lost: Option<String>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "Row({}, {:?})", self.key, self.state)
    }
}

impl Row {
    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        match self.state {
            State::Issued | State::Lost => true,
            State::Recorded => !self.has_to_issue(),
            _ => false,
        }
    }
    /// Files that the bureaus of later steps may not have yet.
    pub fn on_way(&self) -> &[OnWay] {
        // Before it is recorded the decision itself sees to them.
        let recorded = matches!(self.state, State::Recorded | State::Issuing | State::Issued);
        self.decision.as_ref().filter(|_| recorded).map_or(&[][..], |decision| &decision.on_way[..])
    }
    /// Whether the step was approved and yields something.
    pub fn has_to_issue(&self) -> bool {
        let approved = self.decision.as_ref().is_some_and(|decision| decision.outcome == Outcome::Approved);
        approved && self.checked.as_ref().is_some_and(|checked| !checked.yields.is_empty())
    }
    /// Whether an officer may still decide.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Seen | State::Checked | State::Waiting)
    }
    /// Whether it was to be decided before this time.
    pub fn is_overdue(&self, now: TimeMs) -> bool {
        self.is_open() && self.due.is_some_and(|due| due < now)
    }
}

/// Why a row rests that should go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// Stable code.
    pub code: String,
    /// In words, as they were when it was found.
    pub message: String,
}

/// Something that keeps the rules alone from deciding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Stable code.
    pub code: String,
    /// The party whose file it is about; nothing if it is about none.
    pub party: Option<String>,
    /// What it is about: a field, an ask, a yield, or the code of what was found.
    pub about: String,
}

impl Fault {
    /// A fault.
    pub fn of(code: &str, party: Option<&str>, about: impl Into<String>) -> Self {
        Self { code: code.to_owned(), party: party.map(str::to_owned), about: about.into() }
    }
}

/// What a presentation was worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictSeen {
    /// Who showed it.
    pub party: String,
    /// Its slot.
    pub slot: u8,
    /// The ask that it answers.
    pub ask: String,
    /// What it is worth, as of the block of the act.
    #[schemars(with = "shape::Outcome")]
    pub outcome: kanhe_proto::verdict::Outcome,
    /// Stable reason code.
    pub code: String,
}

/// An attachment, which stays at the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentSeen {
    /// Who handed it in.
    pub party: String,
    /// Its slot.
    pub slot: u8,
    /// Which of the item's.
    pub code: String,
    /// Its file's name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The case file that it is in.
    pub file: Commitment,
    /// The key that signed that file.
    #[serde(default)]
    pub author: Option<KeyId>,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSeen {
    /// Its code.
    pub code: PartName,
    /// What the applicant is told.
    pub say: Words,
    /// Whether it holds.
    pub holds: Holds,
}

/// A licence that the step yields: how its claims came out, and whose application it answers.
#[derive(Clone, Serialize, Deserialize)]
pub struct Granted {
    /// Its name in the item.
    pub code: PartName,
    /// Who gets it.
    pub slot: u8,
    /// What is issued, as the journal takes it.
    pub grant: Grant,
    /// The enterprise whose account is opened with it.
    #[serde(default)]
    pub account: Option<Uscc>,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Granted({}, {:?})", self.code, self.grant)
    }
}

/// What the desk found.
#[derive(Clone, Serialize, Deserialize)]
pub struct Checked {
    /// When it was found, by this machine's clock.
    pub at: TimeMs,
    /// Verdicts, by slot and ask.
    pub verdicts: Vec<VerdictSeen>,
    /// Attachments.
    pub attachments: Vec<AttachmentSeen>,
    /// What keeps the rules alone from deciding.
    pub faults: Vec<Fault>,
    /// What the rules saw.
    pub input: Map<String, Value>,
    /// Rules and values that were run.
    pub sources: (Vec<Source>, Vec<Source>),
    /// What came out; nothing if they gave no answer.
    pub answer: Option<Answer>,
    /// Each rule.
    pub rules: Vec<RuleSeen>,
    /// Random bytes of the commitments to input and answer.
    pub salts: (Blob<32>, Blob<32>),
    /// The rule that decides, or could not be evaluated.
    pub rule: Option<PartName>,
    /// What follows without an officer; nothing if one decides.
    pub automatic: Option<Outcome>,
    /// What later steps get to know.
    pub passes: BTreeMap<String, Made>,
    /// What it yields, if it is approved.
    pub yields: Vec<Granted>,
    /// Why what it yields could not be issued, or who acts for an enterprise may not: it is not to be approved then.
    pub blocked: Vec<Fault>,
    /// Delegates that act in it, to be counted.
    #[serde(default)]
    pub acted: Vec<Acted>,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Personal claims stay out of logs.
        f.debug_struct("Checked")
            .field("faults", &self.faults)
            .field("automatic", &self.automatic)
            .finish_non_exhaustive()
    }
}

/// What an officer said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// What.
    pub outcome: Outcome,
    /// Why not.
    pub reason: Option<PartName>,
    /// In the officer's own words, for those whom it concerns.
    #[serde(default)]
    pub words: Option<String>,
    /// The bureau's own number of the officer.
    pub officer: String,
    /// When, by this machine's clock.
    pub at: TimeMs,
}

/// What was signed, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What.
    pub outcome: Outcome,
    /// Why not.
    pub reason: Option<PartName>,
    /// The key that signed.
    pub key: KeyId,
    /// Encoding of the [`kanhe_proto::case::SignedAct`]: these bytes are sent and no others.
    pub act: Blob<CASE_PAYLOAD_BYTES_MAX>,
    /// Random bytes of the commitment to the officer's number.
    pub officer_salt: Option<Blob<32>>,
    /// Files for the bureaus of later steps, as [`kanhe_proto::case_file::BoundFile::to_bytes`] has them.
    pub passed: Vec<Blob<PASSED_BYTES_MAX>>,
    /// The same, sealed and signed, as long as it is not known that their recipients have them.
    #[serde(default)]
    pub on_way: Vec<OnWay>,
    /// Random bytes of the commitment to the letter.
    #[serde(default)]
    pub letter_random: Option<Blob<32>>,
    /// The letter in its envelopes, encodings of [`kanhe_proto::mail::MailAnswer`].
    #[serde(default)]
    pub letters: Vec<Blob<MAIL_BYTES_MAX>>,
}

/// A file on its way to the bureau of a later step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnWay {
    /// To whom.
    pub to: Uscc,
    /// To its content.
    pub commitment: Commitment,
    /// Its encoded parts: signed by the key that signed the decision, so they are not made anew.
    pub parts: Vec<Blob<PART_ENCODED_BYTES_MAX>>,
}

/// Copies of a licence under one root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The yield.
    pub code: PartName,
    /// Type and version.
    pub vct: Vct,
    /// Its batch.
    pub batch: LogIndex,
    /// Digests of its copies.
    pub digests: Vec<LicenceDigest>,
}

/// What was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The licences.
    pub licences: Vec<Kept>,
    /// Random bytes of the commitment to them.
    pub salt: Blob<32>,
    /// The key that signed.
    pub key: KeyId,
    /// Encoding of the [`kanhe_proto::case::SignedAct`].
    pub act: Blob<CASE_PAYLOAD_BYTES_MAX>,
}

#[cfg(test)]
pub(super) mod tests {
    use kanhe_proto::bounded::Text;

    use super::*;
    use crate::issuer::Way;

    fn names(zh: &str, en: &str) -> Names {
        Names { zh: Text::new(zh).unwrap(), en: Text::new(en).unwrap() }
    }

    /// A row of an automatic step that begins.
    pub(in crate::desk) fn row() -> Row {
        Row {
            key: RowKey { case: CaseId([7; 32]), step: 1, round: 0 },
            state: State::Seen,
            item: Text::new("flat-registration").unwrap(),
            version: ItemVersion(1),
            item_names: names("登记", "Registration"),
            step_code: Text::new("tax").unwrap(),
            step_names: names("契税", "Deed tax"),
            since: TimeMs(1),
            due: Some(TimeMs(1_000)),
            can_return: true,
            rules: vec![Text::new("home_counted").unwrap()],
            trouble: None,
            checked: None,
            ruling: None,
            decision: None,
            recorded: None,
            decided: None,
            issued: None,
            lost: None,
        }
    }

    /// What was found of a step that yields a licence.
    pub(in crate::desk) fn checked(automatic: Option<Outcome>) -> Checked {
        let salt = |byte: u8| Blob::new([byte; 32]).unwrap();
        let vct: Vct = "urn:kanhe:type:DEMO-1:1".parse().unwrap();
        let grant = Grant { vct, claims: Map::new(), way: Way::Application("a.b.c".to_owned()), as_of: TimeMs(1) };
        Checked {
            at: TimeMs(2),
            verdicts: Vec::new(),
            attachments: Vec::new(),
            faults: Vec::new(),
            input: Map::new(),
            sources: (Vec::new(), Vec::new()),
            answer: None,
            rules: Vec::new(),
            salts: (salt(1), salt(2)),
            rule: None,
            automatic,
            passes: BTreeMap::new(),
            yields: vec![Granted { code: Text::new("certificate").unwrap(), slot: 0, grant, account: None }],
            blocked: Vec::new(),
            acted: Vec::new(),
        }
    }

    #[test]
    fn rows_come_back_as_they_were_kept() {
        let mut row = row();
        row.checked = Some(Box::new(checked(Some(Outcome::Approved))));
        let text = serde_json::to_string(&row).unwrap();
        let back: Row = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        assert!(!format!("{row:?}{:?}", row.checked).contains("a.b.c"));
        assert!(row.is_open() && row.is_overdue(TimeMs(1_001)) && !row.is_overdue(TimeMs(1_000)));
        assert_eq!(row.key.to_string().len(), 64 + 1 + 3 + 1 + 10);
    }
}
