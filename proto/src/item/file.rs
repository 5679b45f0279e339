//! What an item says, part by part; the same names in TOML and in the canonical JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ItemCode, ItemVersion, PartName, TypeRef, Words};
use crate::bounded::{List, Text};
use crate::limits::{
    CODE_BYTES_MAX, ITEM_ASKS_MAX, ITEM_ATTACHMENTS_MAX, ITEM_CLAIMS_MAX, ITEM_FIELDS_MAX, ITEM_PARTIES_MAX,
    ITEM_READS_MAX, ITEM_ROLES_MAX, ITEM_RULES_MAX, ITEM_SAMPLES_MAX, ITEM_STEPS_MAX, ITEM_TYPES_MAX, ITEM_YIELDS_MAX,
    NAME_BYTES_MAX, RULE_BYTES_MAX,
};
use crate::registry::{HolderKind, Names, PurposeCode};

/// CEL source.
pub type RuleText = Text<RULE_BYTES_MAX>;

const fn is_false(value: &bool) -> bool {
    !*value
}

/// A service item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Layout: 1.
    pub format: u8,
    /// Its code.
    pub code: ItemCode,
    /// Its version, from 1.
    pub version: ItemVersion,
    /// Administrative division that it is for (GB/T 2260).
    pub region: Text<CODE_BYTES_MAX>,
    /// Its name.
    pub names: Names,
    /// What it is for, in plain words.
    pub about: Words,
    /// Purpose of all that is asked and read; of public benefit.
    pub purpose: PurposeCode,
    /// Days after which a case that is not done expires.
    pub life_days: u32,
    /// People and enterprises that take part.
    pub party: List<Party, ITEM_PARTIES_MAX>,
    /// Roles of bureaus; who plays them is said when the item is registered.
    pub bureau: List<BureauRole, ITEM_ROLES_MAX>,
    /// Licences that are asked for.
    #[serde(default, skip_serializing_if = "<[Ask]>::is_empty")]
    pub ask: List<Ask, ITEM_ASKS_MAX>,
    /// What is filled in.
    #[serde(default, skip_serializing_if = "<[Field]>::is_empty")]
    pub field: List<Field, ITEM_FIELDS_MAX>,
    /// Files that are handed in.
    #[serde(default, skip_serializing_if = "<[Attachment]>::is_empty")]
    pub attachment: List<Attachment, ITEM_ATTACHMENTS_MAX>,
    /// What one bureau reads of another.
    #[serde(default, skip_serializing_if = "<[SharedRead]>::is_empty")]
    pub read: List<SharedRead, ITEM_READS_MAX>,
    /// The graph.
    pub step: List<Step, ITEM_STEPS_MAX>,
    /// Rules that steps name.
    #[serde(default, skip_serializing_if = "<[Rule]>::is_empty")]
    pub rule: List<Rule, ITEM_RULES_MAX>,
    /// Licences that come of it.
    #[serde(default, rename = "yield", skip_serializing_if = "<[Yield]>::is_empty")]
    pub yields: List<Yield, ITEM_YIELDS_MAX>,
    /// Inputs to try the rules on. They are no part of the item: the canonical form leaves them out.
    #[serde(default, skip_serializing)]
    pub sample: List<Sample, ITEM_SAMPLES_MAX>,
}

/// Who takes part besides bureaus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its name in this item.
    pub code: PartName,
    /// As people say.
    pub names: Names,
    /// A person or an enterprise.
    pub kind: HolderKind,
    /// Opens the case; exactly one does.
    #[serde(default, skip_serializing_if = "is_false")]
    pub opens: bool,
    /// The case is for it, and it rates; exactly one is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub applicant: bool,
    /// The case may go without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// All its licences must be of one person.
    #[serde(default, skip_serializing_if = "is_false")]
    pub same_holder: bool,
}

/// A role that a bureau plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BureauRole {
    /// Its name in this item.
    pub code: PartName,
    /// As people say.
    pub names: Names,
}

/// A licence asked of a party, for some bureaus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Rules find its claims under `given.<code>`.
    pub code: PartName,
    /// Who shows it.
    pub of: PartName,
    /// Which bureaus see it.
    pub to: List<PartName, ITEM_ROLES_MAX>,
    /// Any of these does.
    pub types: List<TypeRef, ITEM_TYPES_MAX>,
    /// Claims, as `NAME`, `NAME.INNER` or `NAME[0]`; no others are shown.
    pub claims: List<Text<CODE_BYTES_MAX>, ITEM_CLAIMS_MAX>,
    /// Why, for who is asked.
    pub why: Words,
    /// The case may go without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Text of at most 1,000 characters.
    Text,
    /// A whole number.
    Whole,
    /// A day, `2026-01-31`.
    Day,
    /// An amount with two places, `1234.50`; rules read it with `cents`.
    Amount,
    /// One of `choices`.
    Choice,
}

/// Something that a party fills in; nobody vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Rules find it under `form.<code>`.
    pub code: PartName,
    /// Who fills it in.
    pub of: PartName,
    /// Which bureaus see it.
    pub to: List<PartName, ITEM_ROLES_MAX>,
    /// As people say.
    pub names: Names,
    /// What it holds.
    pub kind: FieldKind,
    /// For a choice: from what.
    #[serde(default, skip_serializing_if = "<[Text<NAME_BYTES_MAX>]>::is_empty")]
    pub choices: List<Text<NAME_BYTES_MAX>, ITEM_CLAIMS_MAX>,
    /// May be left empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// A file that a party hands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its name in this item.
    pub code: PartName,
    /// Who hands it in.
    pub of: PartName,
    /// Which bureaus see it.
    pub to: List<PartName, ITEM_ROLES_MAX>,
    /// As people say.
    pub names: Names,
    /// Most bytes.
    pub bytes_max: u32,
    /// May be left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// On what ground a bureau reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The party's consent, given for this read.
    Consent,
    /// A statute, by the item's purpose.
    Statute,
}

/// What one bureau reads of another, recorded before data leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedRead {
    /// Rules find its claims under `read.<code>`.
    pub code: PartName,
    /// About whom.
    pub of: PartName,
    /// Who reads.
    pub by: PartName,
    /// Who has it.
    pub from: PartName,
    /// The type of licence that carries it.
    #[serde(rename = "type")]
    pub type_ref: TypeRef,
    /// Claims; no others are read.
    pub claims: List<Text<CODE_BYTES_MAX>, ITEM_CLAIMS_MAX>,
    /// On what ground.
    pub basis: Basis,
    /// Why, for whom it is about.
    pub why: Words,
    /// The case may go without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// A decision of one bureau.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name in this item.
    pub code: PartName,
    /// As people say.
    pub names: Names,
    /// The bureau that decides.
    pub by: PartName,
    /// Steps that must be approved before.
    #[serde(default, skip_serializing_if = "<[PartName]>::is_empty")]
    pub needs: List<PartName, ITEM_STEPS_MAX>,
    /// Parties that must have presented before; those that are optional, if they take part.
    #[serde(default, skip_serializing_if = "<[PartName]>::is_empty")]
    pub waits_for: List<PartName, ITEM_PARTIES_MAX>,
    /// Rules that must hold.
    #[serde(default, skip_serializing_if = "<[PartName]>::is_empty")]
    pub rules: List<PartName, ITEM_RULES_MAX>,
    /// Approved by the rules alone, with no officer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto: bool,
    /// Days within which it is to be decided, once it is ready.
    pub limit_days: u32,
    /// What later steps may know of it: a name and how it is made (CEL).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passes: BTreeMap<PartName, RuleText>,
    /// The case closes when all final steps are approved.
    #[serde(default, rename = "final", skip_serializing_if = "is_false")]
    pub is_final: bool,
}

/// What follows if a rule does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// The case is rejected.
    Reject,
    /// It goes back to be corrected.
    Return,
    /// An officer decides.
    Officer,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in this item, and the reason that a decision names.
    pub code: PartName,
    /// What must hold (CEL, true or false).
    pub holds: RuleText,
    /// What follows if it does not.
    pub otherwise: Otherwise,
    /// What the applicant is told then.
    pub say: Words,
}

/// A licence that a step issues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yield {
    /// Its name in this item.
    pub code: PartName,
    /// The step whose bureau issues it once it is approved.
    pub step: PartName,
    /// The type.
    #[serde(rename = "type")]
    pub type_ref: TypeRef,
    /// Who gets it.
    pub to: PartName,
    /// How each claim is made (CEL, a text).
    pub claims: BTreeMap<Text<CODE_BYTES_MAX>, RuleText>,
    /// The claim that names an enterprise, whose account on the ledger is opened with the licence: the licence's key becomes the
    /// account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Text<CODE_BYTES_MAX>>,
}

/// How a step ends on a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All rules hold, with no officer.
    Approved,
    /// A rule rejects.
    Rejected,
    /// A rule sends it back.
    Returned,
    /// An officer decides.
    Officer,
}

/// An input to try a step's rules on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// What it shows.
    pub name: Text<NAME_BYTES_MAX>,
    /// The step.
    pub step: PartName,
    /// How it ends.
    pub expect: Outcome,
    /// The rule that decides so, if one does.
    #[serde(default)]
    pub rule: Option<PartName>,
    /// What the rules see: `given`, `evidence`, `form`, `read`, `passed`, `case`.
    pub input: serde_json::Map<String, Value>,
    /// Claims of the licences that come of it, by the yield's code.
    #[serde(default)]
    pub yields: BTreeMap<PartName, BTreeMap<Text<CODE_BYTES_MAX>, String>>,
}
