//! What a source gives: licences out of its register, each with the asked claims disclosed and its evidence.

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::codec;
use kanhe_proto::consent::{Subject, TypeClaims};
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::exchange::PATH_BYTES_MAX;
use kanhe_proto::sd_jwt::{ClaimPath, Holding};
use kanhe_proto::sharing::{PARCEL_BYTES_MAX, Parcel, ReadLetter, SHARING_VERSION, SharedLicence};
use kanhe_proto::status::Status;

use super::serving::WithRegister;
use crate::clock;
use crate::follow::Follower;
use crate::issuer::{HeldAbout, LicenceEntry};
use crate::talk::{ExitCode, Failure};
use crate::wallet;

/// The encoded parcel for a letter, or the code why there can be none.
pub(super) fn put_together(
    serving: &WithRegister<'_>,
    letter: &ReadLetter,
    about: &Subject,
    follower: &mut Follower,
) -> Result<Result<Blob<PARCEL_BYTES_MAX>, &'static str>, Failure> {
    let office = serving.office;
    let mut licences = Vec::new();
    for of_type in &letter.asked.scope {
        for held in serving.register.held_about(&of_type.type_code, about)? {
            let licence = match held {
                HeldAbout::Signed(licence) => licence,
                HeldAbout::Awaiting(awaiting) => super::extract::extract(serving, &awaiting, follower)?,
            };
            licences.extend(shared(serving, &licence, of_type, follower)?);
        }
    }
    let Ok(licences) = List::new(licences) else { return Ok(Err("read_too_many")) };
    let parcel = Parcel {
        version: SHARING_VERSION,
        chain: office.chain.chain_id,
        request: letter.request.request.id(&office.chain),
        source: office.issuer,
        time: clock::now(),
        licences,
    };
    Ok(Blob::new(codec::encode(&parcel)).map_err(|_| "read_too_long"))
}

/// A licence as it is given; nothing if it is not good now: what was withdrawn is said no more.
fn shared(
    serving: &WithRegister<'_>,
    licence: &LicenceEntry,
    of_type: &TypeClaims,
    follower: &mut Follower,
) -> Result<Option<SharedLicence>, Failure> {
    let Some(copy) = licence.copies.first() else { return Ok(None) };
    let Some(path) = serving.register.path(&copy.digest)? else { return Ok(None) };
    let wrong = |error: &dyn std::fmt::Display| Failure::reported(ExitCode::Failure, "register_damaged", error);
    let inclusion: LicencePath = codec::decode(&path, PATH_BYTES_MAX).map_err(|error| wrong(&error))?;
    let evidence = follower.evidence(inclusion.batch, &copy.digest)?;
    let proved = wallet::subject(&copy.sd_jwt, &inclusion, &evidence)?;
    if proved.facts.status_at(proved.facts.as_of).status != Status::Active {
        return Ok(None);
    }
    let holding = Holding::open(&copy.sd_jwt).map_err(|error| wrong(&error))?;
    let has = |claim: &&kanhe_proto::registry::ClaimName| holding.claims().contains_key(claim.as_str());
    let paths: Vec<ClaimPath> = of_type.claims.iter().filter(has).map(|claim| ClaimPath::name(claim)).collect();
    let presentation = holding.present(&paths).map_err(|error| wrong(&error))?;
    Ok(Some(SharedLicence {
        sd_jwt: Text::new(presentation.text()).map_err(|error| wrong(&error))?,
        path: Blob::new(path.into_vec()).map_err(|error| wrong(&error))?,
        evidence: Blob::new(evidence.to_bytes()).map_err(|error| wrong(&error))?,
    }))
}
