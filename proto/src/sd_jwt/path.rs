//! Paths to claims, as in DCQL and SD-JWT VC type metadata: names, positions, and any element.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// One step into a claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The property of this name; in JSON a string.
    Name(String),
    /// The element at this position, from 0; in JSON a number.
    Index(u32),
    /// Every element; in JSON `null`.
    Any,
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}
impl From<u32> for Step {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

/// A path from the claims set to a claim; in JSON an array. Without [`Step::Any`] it names one claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClaimPath(Vec<Step>);

impl ClaimPath {
    /// A path of these steps.
    pub const fn new(steps: Vec<Step>) -> Self {
        Self(steps)
    }
    /// The path to a top-level claim.
    pub fn name(name: &str) -> Self {
        Self(vec![name.into()])
    }
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
    /// This path and a step more.
    #[must_use]
    pub fn join(&self, step: impl Into<Step>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }
    /// Whether it leads to the other path's claim or to one around it.
    pub fn leads_to(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
    /// Whether this pattern, in which [`Step::Any`] stands for every element, names that one claim.
    pub(super) fn matches(&self, concrete: &[Step]) -> bool {
        self.0.len() == concrete.len()
            && self.0.iter().zip(concrete).all(|(pattern, step)| match pattern {
                Step::Any => matches!(step, Step::Index(_)),
                _ => pattern == step,
            })
    }
    /// The claims that it names inside these, each by its own path.
    pub fn resolve(&self, claims: &Value) -> Vec<Self> {
        let mut found = vec![(Self::default(), claims)];
        for step in &self.0 {
            found = found.into_iter().flat_map(|(path, value)| enter(&path, value, step)).collect();
        }
        found.into_iter().map(|(path, _)| path).collect()
    }
}

/// A text that names no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a claim as NAME, NAME.INNER or NAME[0]")]
pub struct NotAPath;

impl std::str::FromStr for ClaimPath {
    type Err = NotAPath;
    /// `name.inner[0]`, `name[*]`, as claims are shown.
    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let mut pieces = part.split('[');
            let name = pieces.next().filter(|name| !name.is_empty() && !name.contains(']')).ok_or(NotAPath)?;
            steps.push(Step::from(name));
            for piece in pieces {
                let index = piece.strip_suffix(']').ok_or(NotAPath)?;
                let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
                steps.push(match index {
                    "*" => Step::Any,
                    number if digits => Step::Index(number.parse().map_err(|_| NotAPath)?),
                    _ => return Err(NotAPath),
                });
            }
        }
        Ok(Self(steps))
    }
}

fn enter<'a>(path: &ClaimPath, value: &'a Value, step: &Step) -> Vec<(ClaimPath, &'a Value)> {
    match (step, value) {
        (Step::Name(name), Value::Object(object)) => {
            object.get(name).map(|value| (path.join(name.as_str()), value)).into_iter().collect()
        }
        (Step::Index(index), Value::Array(array)) => {
            array.get(*index as usize).map(|value| (path.join(*index), value)).into_iter().collect()
        }
        (Step::Any, Value::Array(array)) => {
            (0..).zip(array).map(|(at, value): (u32, _)| (path.join(at), value)).collect()
        }
        _ => Vec::new(),
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if at == 0 => f.write_str(name)?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Any => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Index(index) => serializer.serialize_u32(*index),
            Self::Any => serializer.serialize_unit(),
        }
    }
}
impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WRONG: &str = "a step of a claim path is a string, a position or null";
        match Value::deserialize(deserializer)? {
            Value::String(name) => Ok(Self::Name(name)),
            Value::Null => Ok(Self::Any),
            Value::Number(number) => {
                let index = number.as_u64().and_then(|index| u32::try_from(index).ok());
                index.map(Self::Index).ok_or_else(|| serde::de::Error::custom(WRONG))
            }
            _ => Err(serde::de::Error::custom(WRONG)),
        }
    }
}
impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let steps = Vec::<Step>::deserialize(deserializer)?;
        if steps.is_empty() || steps.len() > super::DEPTH_MAX {
            return Err(serde::de::Error::custom("a claim path has 1 to 64 steps"));
        }
        Ok(Self(steps))
    }
}
