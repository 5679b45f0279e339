//! Fresh evidence for what is presented: the path that the holder sends says where to ask.

use std::collections::BTreeMap;

use kanhe_proto::api::EvidenceQuery;
use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::limits::EVIDENCE_BYTES_MAX;
use kanhe_proto::response::{PATH_BYTES_MAX, Response};
use kanhe_proto::sd_jwt::UnverifiedSdJwt;

use crate::follow::Follower;
use crate::talk::{ExitCode, Failure};

/// Encoded evidence by query.
pub type Evidences = BTreeMap<String, Blob<EVIDENCE_BYTES_MAX>>;

/// Fetches evidence as of now for every licence of a response that says where it is anchored. What a node does not
/// know is left to the stapled evidence; that no node answers, or that all answer wrongly, is said.
pub fn fresh(response: &Response, follower: &mut Follower) -> Result<(Evidences, Option<Failure>), Failure> {
    let mut found = Evidences::new();
    let mut trouble = None;
    for (query, tokens) in &response.vp_token {
        let token = tokens.first().and_then(|text| UnverifiedSdJwt::parse(text).ok());
        let path = response.evidence.get(query);
        let path = path.and_then(|stapled| codec::decode::<LicencePath>(&stapled.path, PATH_BYTES_MAX).ok());
        let (Some(token), Some(path)) = (token, path) else { continue };
        match follower.evidence(path.batch, &token.digest()) {
            Ok(evidence) => {
                if let Ok(bytes) = Blob::new(evidence.to_bytes()) {
                    found.insert(query.clone(), bytes);
                }
            }
            Err(error) => {
                let failure = error.failure();
                // An alarm, or trust that is too old, is no matter of one node.
                if failure.exit == ExitCode::Failure {
                    return Err(failure);
                }
                trouble = Some(failure);
            }
        }
    }
    Ok((found, trouble))
}

/// The same for several responses, in few questions.
pub fn fresh_many(
    responses: &[Option<Response>],
    follower: &mut Follower,
) -> Result<Vec<(Evidences, Option<Failure>)>, Failure> {
    let (mut wanted, mut questions) = (Vec::new(), Vec::new());
    for (at, response) in responses.iter().enumerate() {
        for (query, tokens) in response.iter().flat_map(|response| &response.vp_token) {
            let token = tokens.first().and_then(|text| UnverifiedSdJwt::parse(text).ok());
            let path = response.as_ref().and_then(|response| response.evidence.get(query));
            let path = path.and_then(|stapled| codec::decode::<LicencePath>(&stapled.path, PATH_BYTES_MAX).ok());
            if let (Some(token), Some(path)) = (token, path) {
                wanted.push((at, query.clone()));
                questions.push(EvidenceQuery { batch: path.batch, digest: token.digest() });
            }
        }
    }
    let mut found = vec![(Evidences::new(), None); responses.len()];
    let all = match follower.evidence_many(&questions) {
        Ok(all) => all,
        Err(error) => {
            let failure = error.failure();
            if failure.exit == ExitCode::Failure {
                return Err(failure);
            }
            for (at, _) in wanted {
                found[at].1 = Some(failure.clone());
            }
            return Ok(found);
        }
    };
    for ((at, query), evidence) in wanted.into_iter().zip(all) {
        match evidence.and_then(|evidence| Blob::new(evidence.to_bytes()).ok()) {
            Some(bytes) => drop(found[at].0.insert(query, bytes)),
            None => found[at].1 = Some(Failure::of(ExitCode::Refused, "evidence_unknown", &[("query", &query)])),
        }
    }
    Ok(found)
}

/// The response with fresh evidence in place of the stapled one.
pub fn replaced(response: &Response, fresh: &Evidences) -> Response {
    let mut response = response.clone();
    for (query, evidence) in fresh {
        if let Some(stapled) = response.evidence.get_mut(query) {
            stapled.evidence = evidence.clone();
        }
    }
    response
}
