//! Applications: fresh keys, one per copy, and the line that is handed to the issuer.

use kanhe_proto::application::Application as Signed;
use kanhe_proto::bounded::List;
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::{Uscc, Vct};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{KeyId, PublicKey, SecretKey, Signer};
use schemars::JsonSchema;
use serde::Serialize;

use super::records::{APPLICATIONS, KEYS, Seed};
use super::{ApplicationRecord, KeyRecord, Wallet};
use crate::clock;
use crate::talk::{ExitCode, Failure};

/// What is applied for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The chain.
    pub chain: ChainId,
    /// The bureau.
    pub issuer: Uscc,
    /// The type.
    pub vct: Vct,
    /// One-time copies.
    pub copies: u8,
    /// For a natural person: the key to which its secret is sealed.
    pub sealing_key: Option<PublicKey>,
}

/// An application that was made and kept.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Application {
    /// Names it.
    #[schemars(with = "String")]
    pub id: KeyId,
    /// The line for the issuer.
    pub application: String,
}

impl Wallet {
    /// Makes applications; their keys are durable before anything is handed over.
    pub fn apply(&self, wish: &Wish, count: u32, now: TimeMs) -> Result<Vec<Application>, Failure> {
        let person = self.person()?;
        let mut made = Vec::new();
        for _ in 0..count {
            made.push(application(wish, &person, now)?);
        }
        self.vault.write::<_, Failure>(|transaction| {
            for (record, keys) in &made {
                for (key, record) in keys {
                    transaction.put(&KEYS, &key.to_string(), record)?;
                }
                transaction.put(&APPLICATIONS, &record.id.to_string(), record)?;
            }
            Ok(())
        })?;
        Ok(made.into_iter().map(|(record, _)| Application { id: record.id, application: record.text }).collect())
    }
}

type Keys = Vec<(KeyId, KeyRecord)>;

fn application(wish: &Wish, person: &Seed, now: TimeMs) -> Result<(ApplicationRecord, Keys), Failure> {
    let seeds = (0..wish.copies).map(|_| Seed::random()).collect::<Result<Vec<_>, _>>()?;
    let secrets: Vec<SecretKey> = seeds.iter().map(Seed::key).collect();
    let keys: Vec<PublicKey> = secrets.iter().map(Signer::public_key).collect();
    let first = keys.first().ok_or_else(|| Failure::of(ExitCode::Usage, "no_copies", &[]))?.clone();
    let wrong =
        |error: kanhe_proto::application::ApplicationError| Failure::reported(ExitCode::Failure, error.code(), error);
    let secret = match &wish.sealing_key {
        Some(key) => {
            Some(Signed::seal_secret(person.bytes(), wish.chain, &first, key, clock::random()?).map_err(wrong)?)
        }
        None => None,
    };
    let ids: Vec<KeyId> = keys.iter().map(PublicKey::id).collect();
    let signed = Signed {
        chain: wish.chain,
        issuer: wish.issuer,
        vct: wish.vct.clone(),
        time: now,
        keys: List::new(keys).map_err(|error| Failure::reported(ExitCode::Usage, "application_copies", error))?,
        secret,
    };
    let signers: Vec<&dyn Signer> = secrets.iter().map(|key| key as &dyn Signer).collect();
    let text = signed.sign(&signers).map_err(wrong)?;
    let record = ApplicationRecord {
        id: ids[0],
        vct: wish.vct.clone(),
        issuer: wish.issuer,
        copies: u32::from(wish.copies),
        made_ms: now.0,
        text,
    };
    let keys = ids.iter().zip(seeds).enumerate().map(|(place, (id, seed))| {
        let place = u32::try_from(place).expect("at most 16 copies");
        (*id, KeyRecord { seed, application: ids[0], place })
    });
    Ok((record, keys.collect()))
}
