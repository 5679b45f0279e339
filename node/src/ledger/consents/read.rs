//! A read is recorded, before data leaves its source.

use kanhe_proto::consent::{Basis, Consent, ReadRequest, SignedRead, Statutory, is_refusal_code};
use kanhe_proto::hash::CaseId;

use super::require;
use super::turn::Turn;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

pub(super) fn read<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedRead) -> Result<(), Refusal> {
    let request = signed.request();
    request.check_time(turn.time()).map_err(Code::from)?;
    if let Some(code) = signed.read.refused() {
        return refused(turn, signed, code);
    }
    turn.require_public(&request.purpose)?;
    let consent = match &request.basis {
        Basis::Consent(under) => {
            let consent = turn.known(&under.id)?;
            consent.check_read(request, turn.time()).map_err(Code::from)?;
            Some(Consent { left: consent.left - 1, ..consent })
        }
        Basis::Statutory(statutory) => {
            check_statutory(turn, request, statutory)?;
            None
        }
    };
    check_signatures(turn, signed)?;
    turn.record_read(consent, signed)
}

/// That a source refused: whatever was asked for, as long as reader and source are who they say. It uses nothing of a consent.
fn refused<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedRead, code: &str) -> Result<(), Refusal> {
    require(is_refusal_code(code), Code::ReadCode)?;
    let request = signed.request();
    turn.require_known(&request.purpose)?;
    if let Basis::Statutory(statutory) = &request.basis {
        turn.require_known(&statutory.ground)?;
    }
    turn.spend(request.id(&turn.context().chain), request.good_until())?;
    check_signatures(turn, signed)?;
    turn.record_read(None, signed)
}

fn check_statutory<V: View>(
    turn: &mut Turn<'_, '_, V>,
    request: &ReadRequest,
    statutory: &Statutory,
) -> Result<(), Refusal> {
    turn.require_public(&statutory.ground)?;
    if let Some(case) = &statutory.case {
        check_case(turn, request, case)?;
    }
    // Under a consent the number of the read keeps a request from being recorded twice; here only this does.
    let id = request.id(&turn.context().chain);
    turn.spend(id, request.good_until())
}

/// The case is open, and one of both plays a role in it.
fn check_case<V: View>(turn: &mut Turn<'_, '_, V>, request: &ReadRequest, case: &CaseId) -> Result<(), Refusal> {
    let time = turn.time();
    let execution = &mut *turn.execution;
    let case = execution.cases.get(execution.view, case)?;
    let fits = case.is_some_and(|case| {
        case.runs_at(time) && (case.chosen.contains(&request.reader) || case.chosen.contains(&request.source))
    });
    require(fits, Code::ReadCase)
}

/// The request is signed under an issuing key of the reader, and all of it under one of the source.
fn check_signatures<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedRead) -> Result<(), Refusal> {
    let request = signed.request();
    let reader = turn.issuing_key(request.reader, request.key)?;
    let source = turn.issuing_key(request.source, signed.read.key)?;
    let chain = &turn.context().chain;
    let verified = signed.read.request.verify(chain, &reader).and_then(|()| signed.verify(chain, &source));
    verified.map_err(|_| Code::ReadSignature.into())
}
