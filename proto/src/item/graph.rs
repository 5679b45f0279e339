//! The steps as a graph: no step waits for itself, and each leads to the end.

use super::file::{Item, Step};
use super::{Fault, FaultKind, Place};

/// Faults of the graph; names that nothing has are left to others.
pub(super) fn faults(item: &Item) -> Vec<Fault> {
    let steps = &item.step;
    let mut found = Vec::new();
    let fault = |at: usize, kind| Fault {
        at: Place::of("step").element(at).member("code"),
        kind,
        name: steps[at].code.to_string(),
    };
    if !steps.iter().any(|step| step.is_final) {
        found.push(Fault { at: Place::of("step"), kind: FaultKind::NoFinal, name: item.code.to_string() });
    }
    let needed = |step: &Step| steps.iter().any(|other| other.needs.contains(&step.code));
    for (at, step) in steps.iter().enumerate() {
        if step.is_final && needed(step) {
            found.push(fault(at, FaultKind::FinalNeeded));
        }
    }
    let needs: Vec<Vec<usize>> = steps.iter().map(|step| places(steps, step)).collect();
    let on_cycle: Vec<usize> = (0..steps.len()).filter(|at| reached(&needs, &needs[*at])[*at]).collect();
    if let Some(first) = on_cycle.first() {
        let names: Vec<&str> = on_cycle.iter().map(|at| steps[*at].code.as_str()).collect();
        found.push(Fault { name: names.join(", "), ..fault(*first, FaultKind::Cycle) });
    }
    let finals: Vec<usize> = (0..steps.len()).filter(|at| steps[*at].is_final).collect();
    let leads = reached(&needs, &finals);
    if !finals.is_empty() {
        found.extend((0..steps.len()).filter(|at| !leads[*at]).map(|at| fault(at, FaultKind::Nowhere)));
    }
    found
}

fn places(steps: &[Step], step: &Step) -> Vec<usize> {
    step.needs.iter().filter_map(|need| steps.iter().position(|other| other.code == *need)).collect()
}

/// Which steps are these, or needed by these directly or not.
fn reached(needs: &[Vec<usize>], from: &[usize]) -> Vec<bool> {
    let mut seen = vec![false; needs.len()];
    let mut open = from.to_vec();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut seen[at], true) {
            open.extend(&needs[at]);
        }
    }
    seen
}
