//! Taking licences in: each is proved before it is kept.

use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::evidence::{Evidence, LicencePath};
use kanhe_proto::response::PATH_BYTES_MAX;
use kanhe_proto::sd_jwt::Holding;
use serde::{Deserialize, Serialize};

use super::{LicenceRecord, Wallet, subject};
use crate::clock;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure};

/// What an issuer hands over: the licence, and its path in the batch, which the chain does not keep.
#[derive(Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// The SD-JWT with all its disclosures.
    pub sd_jwt: String,
    /// Encoding of its [`LicencePath`].
    pub path: Blob<PATH_BYTES_MAX>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delivery({} bytes)", self.sd_jwt.len())
    }
}

/// Reads a file of one delivery, of a list of them, or of one a line.
pub fn deliveries(text: &str) -> Result<Vec<Delivery>, Failure> {
    let found: Result<Vec<Delivery>, serde_json::Error> = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(text),
        false => serde_json::Deserializer::from_str(text).into_iter().collect(),
    };
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Failure::of(ExitCode::Usage, "delivery_empty", &[])),
        Err(error) => Err(Failure::of(ExitCode::Usage, "delivery_wrong", &[("cause", &error)])),
    }
}

impl Wallet {
    /// Takes a licence in, once its issuer's signature, its place in an anchored batch and its key are proved. A
    /// licence that is there already gets the new evidence.
    pub fn take(&self, delivery: &Delivery, follower: &mut Follower) -> Result<LicenceRecord, Failure> {
        let wrong = |code: &str, error: &dyn std::fmt::Display| Failure::reported(ExitCode::Invalid, code, error);
        let holding = Holding::open(&delivery.sd_jwt).map_err(|error| wrong(error.code(), &error))?;
        let (found, expected) = (&holding.kid().did.chain, follower.trust().chain_ref());
        if *found != expected {
            return Err(Failure::of(ExitCode::Invalid, "other_chain", &[("found", found), ("expected", &expected)]));
        }
        if self.key(&holding.fixed().holder)?.is_none() {
            return Err(Failure::of(ExitCode::Invalid, "not_our_key", &[]));
        }
        let path: LicencePath =
            codec::decode(&delivery.path, PATH_BYTES_MAX).map_err(|error| wrong("path_malformed", &error))?;
        let evidence = follower.evidence(path.batch, &holding.digest())?;
        let proved = subject(&delivery.sd_jwt, &path, &evidence)?;
        if let Some(code) = proved.facts.not_accredited() {
            return Err(Failure::of(ExitCode::Invalid, "issued_without_right", &[("code", &code)]));
        }
        let kept = self.licences()?.into_iter().find(|record| record.digest == holding.digest());
        let record = LicenceRecord {
            digest: holding.digest(),
            sd_jwt: delivery.sd_jwt.clone(),
            path: delivery.path.clone(),
            evidence: stored(&evidence)?,
            taken_ms: kept.as_ref().map_or_else(|| clock::now().0, |kept| kept.taken_ms),
            shown: kept.map_or(0, |kept| kept.shown),
        };
        self.put(&record)?;
        Ok(record)
    }

    /// Fetches, proves and keeps fresh evidence of a licence.
    pub fn refresh(&self, record: &LicenceRecord, follower: &mut Follower) -> Result<LicenceRecord, Failure> {
        let path = record.licence_path()?;
        let evidence = follower.evidence(path.batch, &record.digest)?;
        subject(&record.sd_jwt, &path, &evidence)?;
        let fresh = LicenceRecord { evidence: stored(&evidence)?, ..record.clone() };
        self.put(&fresh)?;
        Ok(fresh)
    }
}

fn stored<const MAX: usize>(evidence: &Evidence) -> Result<Blob<MAX>, Failure> {
    Blob::new(evidence.to_bytes()).map_err(|error| Failure::reported(ExitCode::Failure, "evidence_malformed", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_come_as_one_as_a_list_or_one_a_line() {
        let one = r#"{"sd_jwt":"a","path":"AA"}"#;
        for (text, count) in
            [(one.to_owned(), 1), (format!("\n[{one},{one}]\n"), 2), (format!("{one}\r\n\n{one}\n"), 2)]
        {
            assert_eq!(deliveries(&text).unwrap().len(), count, "{text}");
        }
        for empty in ["", " \n", "[]"] {
            assert_eq!(deliveries(empty).unwrap_err().code, "delivery_empty");
        }
        let deep = "[".repeat(1 << 20);
        for wrong in ["{}", "[0]", "x", &format!("[{one}]{one}"), &format!("{one}["), &deep] {
            assert_eq!(deliveries(wrong).unwrap_err().code, "delivery_wrong");
        }
    }
}
