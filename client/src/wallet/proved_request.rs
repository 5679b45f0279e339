//! Who asks: proved by the registry before anything is shown.

use kanhe_proto::api::LeafAnswer;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::registry::RelyingParty;
use kanhe_proto::request::{Request, RequestError, UnverifiedRequest};
use kanhe_proto::sd_jwt::json;
use kanhe_proto::text;

use crate::clock;
use crate::follow::{Follower, Found};
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// How long a relying party's registration, once proved, is believed without a node: 30 days.
pub const REGISTRATION_AGE_MAX: SpanMs = SpanMs(30 * 24 * 3_600_000);

/// A request and who made it.
#[derive(Debug)]
pub struct ProvedRequest {
    /// What is asked.
    pub request: Request,
    /// Who asks, from the registry; none: not registered, and let through by `--allow-unknown`.
    pub party: Option<RelyingParty>,
    /// Time of the header that proves the registration.
    pub as_of: Option<TimeMs>,
}

/// Proves who made a request and that it may ask for all of it.
pub fn prove_request(
    text: &str,
    follower: &mut Follower,
    home: &crate::home::Home,
    allow_unknown: bool,
) -> Result<ProvedRequest, Failure> {
    let refused = |error: RequestError| Failure::reported(ExitCode::Invalid, error.code(), error);
    let unverified = UnverifiedRequest::parse(text).map_err(refused)?;
    let kid = unverified.kid().clone();
    let (found, expected) = (&kid.did.chain, follower.trust().chain_ref());
    if *found != expected {
        return Err(Failure::of(ExitCode::Invalid, "other_chain", &[("found", found), ("expected", &expected)]));
    }
    let found = registration(kid.did.uscc, follower, home)?;
    let header = &found.header.header;
    let party = found.value.filter(|party| party.intervals.hold_at(header.height));
    let (request, as_of) = match &party {
        Some(party) => {
            let request = unverified.verify(&party.request_key).map_err(refused)?;
            request.check_right(party).map_err(refused)?;
            (request, Some(header.time))
        }
        None if allow_unknown => (unproved(text, &kid.did).map_err(refused)?, None),
        None => {
            return Err(Failure::of(ExitCode::Invalid, "asker_not_registered", &[("party", &kid.did)]));
        }
    };
    request.check_time(clock::now()).map_err(refused)?;
    Ok(ProvedRequest { request, party, as_of })
}

/// The registration as of now, else as last proved.
fn registration(uscc: Uscc, follower: &mut Follower, home: &crate::home::Home) -> Result<Found<RelyingParty>, Failure> {
    let name = format!("relying-parties/{uscc}.json");
    match follower.registry::<RelyingParty>(&uscc, |node: &NodeClient| node.relying_party(&uscc)) {
        Ok(found) => {
            let bytes = serde_json::to_vec(&found.answer)
                .map_err(|error| Failure::reported(ExitCode::Failure, "registration_not_kept", error))?;
            home.write_file(&name, &bytes)?;
            Ok(found)
        }
        Err(error) => {
            let failure = error.failure();
            if failure.exit != ExitCode::Unreachable && failure.code != "no_node" {
                return Err(failure);
            }
            let kept = home.read(&name)?.and_then(|bytes| serde_json::from_slice::<LeafAnswer>(&bytes).ok());
            let found = kept.and_then(|answer| follower.registry_kept::<RelyingParty>(&uscc, answer).ok());
            found.filter(|found| clock::now().since(found.header.header.time) <= REGISTRATION_AGE_MAX).ok_or(failure)
        }
    }
}

/// A request of somebody without a registered key: read, and nothing of it proved.
fn unproved(text: &str, did: &kanhe_proto::identifiers::Did) -> Result<Request, RequestError> {
    let malformed = |what: &str| RequestError::Malformed(what.to_owned());
    let payload = text.split('.').nth(1).and_then(|part| text::from_base64url(part).ok());
    let payload = payload.ok_or_else(|| malformed("its payload is not base64url"))?;
    let payload = json::parse_object(&payload).map_err(|error| malformed(&error.to_string()))?;
    let request: Request = serde_json::from_value(serde_json::Value::Object(payload))
        .map_err(|error| RequestError::Malformed(error.to_string()))?;
    request.check()?;
    if request.client_id == *did { Ok(request) } else { Err(RequestError::NotOfAsker) }
}
