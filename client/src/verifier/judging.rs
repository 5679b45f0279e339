//! One judgement from beginning to end: the request that this home made, fresh evidence, the verdict, its receipt.

use kanhe_proto::ids::TimeMs;
use kanhe_proto::request::Request;
use kanhe_proto::response::Response;
use kanhe_proto::trust::Trust;

use super::fetch::{Evidences, fresh};
use super::{Checked, KeptRequest, Memory, Question, Receipt, Told, check};
use crate::clock;
use crate::follow::{Follower, conflict};
use crate::home::Home;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// What a holder presented, and how it is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The response as received.
    pub response: &'a [u8],
    /// The request that it answers, as sent.
    pub request: &'a str,
    /// Asks no node.
    pub offline: bool,
    /// The time asked for, if another than now.
    pub at: Option<TimeMs>,
}

/// A judgement, with all that a receipt needs.
#[derive(Debug)]
pub struct Judged {
    /// The verdict, and when it was first given.
    pub checked: Checked,
    /// Why no fresh evidence was had.
    pub trouble: Option<Failure>,
    /// When.
    pub now: TimeMs,
    response: Vec<u8>,
    request: Request,
    kept: KeptRequest,
    trust: Trust,
    fresh: Evidences,
    at: Option<TimeMs>,
}

/// Judges what was presented. Asks nodes first, unless told not to: an outage leaves the stapled evidence.
pub fn judge(home: &Home, nodes: Vec<NodeClient>, presented: &Presented<'_>) -> Result<Judged, Failure> {
    let memory = Memory::new(home);
    let (request, kept) = memory.own(presented.request)?;
    let (mut found, mut trouble) = (Evidences::default(), None);
    let trust = if presented.offline {
        home.trust()?
    } else {
        let mut follower = Follower::open(home, nodes)?;
        if let Ok(response) = Response::from_bytes(presented.response) {
            (found, trouble) = fresh(&response, &mut follower)?;
        }
        follower.trust().clone()
    };
    if let Some(met) = &trust.conflict {
        return Err(conflict(met.first.header.height));
    }
    let (now, at) = (clock::now(), presented.at);
    let question = Question { response: presented.response, request: &request, trust: &trust, fresh: &found, now, at };
    let checked = {
        // Two checks of one nonce must not both be the first.
        let _lock = home.lock()?;
        check(&question, &memory)?
    };
    let response = presented.response.to_vec();
    Ok(Judged { checked, trouble, now, response, request, kept, trust, fresh: found, at })
}

impl Judged {
    /// Names the request, and its receipt.
    pub fn id(&self) -> &str {
        &self.request.nonce
    }
    /// What is told of it.
    pub fn told(&self, show_claims: bool) -> Told {
        let told = Told::new(&self.checked.verdict, self.now, show_claims);
        let stapled_only = self.trouble.as_ref().map(|failure| failure.code.clone());
        Told { checked_before: self.checked.before, stapled_only, ..told }
    }

    /// Why it was judged so, to be judged anew later. A verdict that was only remembered, and that would not come out
    /// again now, has none: such a receipt would prove nothing.
    pub fn receipt(&self) -> Result<Receipt, Failure> {
        let question = Question {
            response: &self.response,
            request: &self.request,
            trust: &self.trust,
            fresh: &self.fresh,
            now: self.now,
            at: self.at,
        };
        let (verdict, given) = (question.judge(), &self.checked.verdict);
        if (verdict.outcome, &verdict.code) != (given.outcome, &given.code) {
            return Err(Failure::of(ExitCode::Failure, "receipt_late", &[]));
        }
        Receipt::new(&question, self.kept.clone(), &verdict)
    }
}
