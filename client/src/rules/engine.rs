//! Evaluation itself. It may take any time and memory: only the process made for it calls it.

use cel::common::types::{CelBool, CelInt, CelString};
use cel::common::value::Val;
use cel::{Context, Value};

use super::check::{check, parse};
use super::facts::Facts;
use super::functions;
use super::job::{Answer, Holds, Job, Made, Source};

/// Longest text that a value may be, in bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Finds all rules and values of a job.
pub fn evaluate(job: &Job) -> Answer {
    let whole = |message: &str| Answer {
        rules: vec![Holds::Unknown(message.to_owned()); job.rules.len()],
        values: vec![Made::Unknown(message.to_owned()); job.values.len()],
    };
    if let Err(error) = job.check() {
        return whole(&error.to_string());
    }
    let facts = Facts::of(&job.input);
    let mut context = Context::default();
    if let Err(error) = functions::declare(&mut context) {
        return whole(&error.to_string());
    }
    for (name, value) in facts.members() {
        context.add_variable_as_val(name.as_str(), value);
    }
    Answer {
        rules: job.rules.iter().map(|rule| holds(rule, &context)).collect(),
        values: job.values.iter().map(|value| made(value, &context)).collect(),
    }
}

fn find<T>(
    source: &Source,
    context: &Context<'_, '_>,
    read: impl FnOnce(&dyn Val) -> Result<T, String>,
) -> Result<T, String> {
    // Whoever sent the job should have looked; a rule that may not be is not run all the same.
    if let Some(fault) = check(&source.cel, None).into_iter().next() {
        return Err(format!("{}: {}", fault.kind.code(), fault.name));
    }
    let program = parse(&source.cel).map_err(|_| "rule_syntax".to_owned())?;
    let found = Value::resolve_val(program.expression(), context).map_err(|error| error.to_string())?;
    read(found.as_ref())
}

fn holds(rule: &Source, context: &Context<'_, '_>) -> Holds {
    let truth = |value: &dyn Val| {
        let truth = value.downcast_ref::<CelBool>().map(|truth| *truth.inner());
        truth.ok_or_else(|| format!("a {} is neither true nor false", value.get_type().name()))
    };
    match find(rule, context, truth) {
        Ok(true) => Holds::Yes,
        Ok(false) => Holds::No,
        Err(reason) => Holds::Unknown(reason),
    }
}

fn made(source: &Source, context: &Context<'_, '_>) -> Made {
    let read = |value: &dyn Val| {
        if let Some(text) = value.downcast_ref::<CelString<'_>>() {
            let text = text.inner();
            return if text.len() <= TEXT_BYTES_MAX {
                Ok(Made::Text(text.to_owned()))
            } else {
                Err(format!("a text of {} bytes is too long", text.len()))
            };
        }
        let whole = value.downcast_ref::<CelInt>().map(|number| Made::Whole(*number.inner()));
        let truth = || value.downcast_ref::<CelBool>().map(|truth| Made::Truth(*truth.inner()));
        whole.or_else(truth).ok_or_else(|| format!("a {} is neither text, number nor truth", value.get_type().name()))
    };
    find(source, context, read).unwrap_or_else(Made::Unknown)
}
