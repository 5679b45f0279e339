//! The input as CEL sees it. Objects can be asked by name and no more: nothing goes through their members, so that no order
//! of theirs can matter.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer};
use cel::common::types::{CelBool, CelInt, CelList, CelNull, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use serde_json::{Map, Value};

static FACTS: Type = Type::new_unspecified_type("facts");

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts(Arc<BTreeMap<String, Fact>>);

#[derive(Debug, Clone, PartialEq)]
enum Fact {
    Null,
    Truth(bool),
    Whole(i64),
    Text(Arc<String>),
    List(Arc<Vec<Fact>>),
    Object(Facts),
}

impl Facts {
    pub(super) fn of(members: &Map<String, Value>) -> Self {
        Self(Arc::new(members.iter().map(|(name, value)| (name.clone(), Fact::of(value))).collect()))
    }
    /// A member as a variable.
    pub(super) fn members(&self) -> impl Iterator<Item = (&String, Box<dyn Val>)> {
        self.0.iter().map(|(name, fact)| (name, fact.val()))
    }
}

impl Fact {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Truth(*truth),
            // Others were refused with the job.
            Value::Number(number) => Self::Whole(number.as_i64().unwrap_or_default()),
            Value::String(text) => Self::Text(Arc::new(text.clone())),
            Value::Array(items) => Self::List(Arc::new(items.iter().map(Self::of).collect())),
            Value::Object(members) => Self::Object(Facts::of(members)),
        }
    }
    fn val(&self) -> Box<dyn Val> {
        match self {
            Self::Null => Box::new(CelNull),
            Self::Truth(truth) => Box::new(CelBool::from(*truth)),
            Self::Whole(number) => Box::new(CelInt::from(*number)),
            Self::Text(text) => Box::new(CelString::from(Arc::clone(text))),
            Self::List(items) => Box::new(CelList::from(items.iter().map(Self::val).collect::<Vec<_>>())),
            Self::Object(facts) => Box::new(facts.clone()),
        }
    }
}

impl Val for Facts {
    fn get_type(&self) -> &Type {
        &FACTS
    }
    fn cel_type() -> &'static Type {
        &FACTS
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| self == other)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
impl StaticVal for Facts {}

impl Container for Facts {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.0.contains_key(text(name)?))
    }
}

impl Indexer for Facts {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = text(name)?;
        match self.0.get(name) {
            Some(fact) => Ok(CowVal::Owned(fact.val())),
            None => Err(ExecutionError::NoSuchKey(Arc::new(name.to_owned()))),
        }
    }
    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}

fn text(name: &dyn Val) -> Result<&str, ExecutionError> {
    let found = name.downcast_ref::<CelString<'_>>().map(CelString::inner);
    found.ok_or_else(|| ExecutionError::UnexpectedType {
        got: name.get_type().name().to_owned(),
        want: "string".to_owned(),
    })
}
