//! Rules of service items: CEL over what was disclosed, the same for ever.
//!
//! A rule sees one JSON document and nothing else: no clock, no double, no regular expression, no map whose order could
//! differ. [`check()`] refuses what cannot be so by its form. Rules run in a process of their own ([`Runner`]) that is killed
//! after a second; what cannot be evaluated is never taken for yes or no. What [`run_of`] gives names the rules, the engine and the
//! inputs, so that whoever has the inputs runs it again and compares.

mod check;
mod decide;
mod engine;
mod facts;
mod functions;
mod job;
mod process;
mod run;
mod scope;

pub use check::{RULE_DEPTH_MAX, RULE_LIST_MAX, RULE_LOOPS_MAX, RuleFault, RuleFaultKind, check};
pub use decide::{Decided, decide};
pub use engine::evaluate;
pub use functions::{cents, is_amount};
pub use job::{Answer, Holds, Job, JobError, Made, Source};
pub use process::{Runner, RunnerError, TIME_LIMIT, work};
pub use run::{ENGINE, Salts, rules_digest, run_of};
pub use scope::Scope;
