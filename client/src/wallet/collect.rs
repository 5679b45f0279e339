//! Collecting licences from their issuer, sealed on the whole way.
//!
//! A request is signed by the application's first key, so that neither a node nor whoever saw the application or the
//! code on its way gets the licence. A pickup code is kept with its application before it leaves: asked again, the same
//! key comes with it, and the issuer gives the same answer.

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::codec;
use kanhe_proto::exchange::{Answer, Ask, EXCHANGE_VERSION, HolderRequest, Outcome, RequestBody};
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::mail::{MailAnswer, MailId, MailRequest};
use kanhe_proto::pickup::PickupCode;
use kanhe_proto::seal::SealingSecret;

use super::records::{APPLICATIONS, KEYS, PICKUPS};
use super::{ApplicationRecord, Delivery, LicenceRecord, Standing, Wallet, Wish};
use crate::clock;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure};

/// A request on its way. Its one-time key opens the answer and is kept in memory alone: whoever loses it asks again.
pub struct Asked {
    /// Names request and answer.
    pub id: MailId,
    /// Who was asked.
    pub issuer: Uscc,
    /// The application that it is about.
    pub application: KeyId,
    /// The envelope.
    pub envelope: Vec<u8>,
    chain: ChainId,
    secret: SealingSecret,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({})", self.id)
    }
}

impl Wallet {
    /// The application that goes with a pickup code: that of the first time, or a new one.
    pub fn application_for(&self, code: &PickupCode, wish: &Wish, now: TimeMs) -> Result<ApplicationRecord, Failure> {
        let row = code.shown();
        let kept: Option<KeyId> = self.vault.get(&PICKUPS, &row)?;
        let kept = match kept {
            Some(id) => self.vault.get(&APPLICATIONS, &id.to_string())?,
            None => None,
        };
        if let Some(record) = kept {
            if record.issuer == wish.issuer && record.vct == wish.vct {
                return Ok(record);
            }
            let args: &[(&str, &dyn std::fmt::Display)] = &[("issuer", &record.issuer), ("type", &record.vct)];
            return Err(Failure::of(ExitCode::Usage, "pickup_code_other", args));
        }
        let made = self.apply(wish, 1, now)?.into_iter().next();
        let id = made.ok_or_else(|| Failure::of(ExitCode::Usage, "no_copies", &[]))?.id;
        self.vault.put(&PICKUPS, &row, &id)?;
        let record = self.vault.get(&APPLICATIONS, &id.to_string())?;
        record.ok_or_else(|| Failure::of(ExitCode::Failure, "not_our_key", &[]))
    }

    /// Applications whose licence is not here, or only in a version that is known to be superseded; all of them if
    /// asked for `again`.
    pub fn uncollected(&self, again: bool) -> Result<Vec<ApplicationRecord>, Failure> {
        let mut collected = std::collections::BTreeSet::new();
        if !again {
            let now = clock::now();
            for record in self.licences()? {
                let superseded = Standing::of(&record, now)
                    .is_ok_and(|standing| standing.status == kanhe_proto::status::Status::Superseded);
                if let Some(key) = self.key(&record.holding()?.fixed().holder)?.filter(|_| !superseded) {
                    collected.insert(key.application);
                }
            }
        }
        let mut all = self.applications()?;
        all.retain(|record| !collected.contains(&record.id));
        Ok(all)
    }

    /// A request for the licence of an application, with the code if that is how it is picked up.
    pub fn ask(
        &self,
        record: &ApplicationRecord,
        code: Option<&PickupCode>,
        chain: ChainId,
        sealing_key: &PublicKey,
        now: TimeMs,
    ) -> Result<Asked, Failure> {
        let key = self.vault.get(&KEYS, &record.id.to_string())?;
        let key = key.ok_or_else(|| Failure::of(ExitCode::Failure, "not_our_key", &[]))?.seed.key();
        let wrong = |code: &str, error: &dyn std::fmt::Display| Failure::reported(ExitCode::Failure, code, error);
        let ask = match code {
            Some(code) => Ask::Pickup {
                code: code.clone(),
                application: Text::new(&*record.text).map_err(|error| wrong("application_too_long", &error))?,
            },
            None => Ask::Collect { key: kanhe_proto::key::Signer::public_key(&key) },
        };
        let secret = SealingSecret::from_seed(clock::random()?);
        let (version, answer) = (EXCHANGE_VERSION, secret.public_key());
        let body = RequestBody { version, chain, issuer: record.issuer, time: now, answer, ask };
        let request = HolderRequest::sign(body, &key).map_err(|error| wrong("not_signed", &error))?;
        let envelope = MailRequest::seal(&request, sealing_key, clock::random()?);
        let envelope = envelope.map_err(|error| wrong(error.code(), &error))?;
        Ok(Asked {
            id: envelope.id,
            issuer: record.issuer,
            application: record.id,
            envelope: codec::encode(&envelope),
            chain,
            secret,
        })
    }

    /// Takes what came for an application in, each licence proved as any other; what they take the place of gets fresh
    /// evidence, so that the old version is not shown any more.
    pub fn receive(&self, deliveries: &[Delivery], follower: &mut Follower) -> Result<Vec<LicenceRecord>, Failure> {
        let mut taken = Vec::new();
        for delivery in deliveries {
            taken.push(self.take(delivery, follower)?);
        }
        let holders = taken.iter().map(|record| Ok(record.holding()?.fixed().holder.id()));
        let holders = holders.collect::<Result<Vec<KeyId>, Failure>>()?;
        for record in self.licences()? {
            let is_new = taken.iter().any(|new| new.digest == record.digest);
            if !is_new && holders.contains(&record.holding()?.fixed().holder.id()) {
                self.refresh(&record, follower)?;
            }
        }
        Ok(taken)
    }
}

impl Asked {
    /// Opens the issuer's answer.
    pub fn open(&self, bytes: &[u8]) -> Result<Result<Vec<Delivery>, kanhe_proto::exchange::Refusal>, Failure> {
        let answer = MailAnswer::decode(bytes, &self.chain).and_then(|mail| mail.open(&self.secret, &self.issuer));
        let answer: Answer = answer.map_err(|error| {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("issuer", &self.issuer), ("cause", &error)];
            Failure::of(ExitCode::Invalid, "answer_unreadable", args)
        })?;
        match answer.outcome {
            Outcome::Refused(refusal) => Ok(Err(refusal)),
            Outcome::Licences(licences) => {
                let delivery = |licence: kanhe_proto::exchange::DeliveredLicence| {
                    let path = Blob::new(licence.path.into_vec());
                    let path = path.map_err(|error| Failure::reported(ExitCode::Invalid, "path_malformed", error))?;
                    Ok(Delivery { sd_jwt: licence.sd_jwt.as_str().to_owned(), path })
                };
                licences.into_vec().into_iter().map(delivery).collect::<Result<_, _>>().map(Ok)
            }
        }
    }
}
