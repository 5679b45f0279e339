//! What a wallet keeps of its consents. It is durable before anything leaves.

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::codec;
use kanhe_proto::consent::{Scope, SignedAct};
use kanhe_proto::hash::{CaseId, ConsentId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::PartName;
use kanhe_proto::limits::CONSENT_PAYLOAD_BYTES_MAX;
use kanhe_proto::registry::{Names, PurposeCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ticket::{TICKET_TEXT_BYTES_MAX, Ticket};
use crate::talk::{ExitCode, Failure};
use crate::vault::{Table, Vault};
use crate::wallet::{Seed, Wallet};

const CONSENTS: Table<OwnConsent> = Table::new("consents");

/// How far a consent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is kept here and not proved to be on the chain.
    Begun,
    /// The chain has it.
    Given,
    /// The chain refused it: nobody can read under it.
    Refused,
    /// It was taken back.
    Withdrawn,
}

/// An act on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Encoding of the signed act: these bytes are sent and no others.
    pub act: Blob<CONSENT_PAYLOAD_BYTES_MAX>,
}

impl Pending {
    /// The act.
    pub fn act(&self) -> Result<SignedAct, Failure> {
        codec::decode(&self.act, CONSENT_PAYLOAD_BYTES_MAX)
            .map_err(|error| Failure::reported(ExitCode::Failure, "vault_damaged", error))
    }
}

/// A consent of this wallet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwnConsent {
    /// Which.
    pub id: ConsentId,
    /// Its key, for this consent alone.
    pub key: Seed,
    /// Who may read.
    pub grantee: Uscc,
    /// Its name.
    pub grantee_names: Names,
    /// What for.
    pub purpose: PurposeCode,
    /// Whose data.
    pub source: Uscc,
    /// Its name.
    pub source_names: Names,
    /// Which.
    pub scope: Scope,
    /// How often.
    pub reads: u32,
    /// Until when.
    pub not_after: TimeMs,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// What is handed over, as text.
    pub ticket: Text<TICKET_TEXT_BYTES_MAX>,
    /// How far it is.
    pub state: State,
    /// Code by which the chain refused it.
    pub refused: Option<String>,
    /// Unfinished.
    pub pending: Option<Pending>,
    /// The case that it is for, and which of the item's reads.
    pub case: Option<(CaseId, PartName)>,
}

impl OwnConsent {
    /// Its name for people: the first characters of its id.
    pub fn short(&self) -> String {
        self.id.to_string()[..8].to_owned()
    }
    /// What is handed over.
    pub fn ticket(&self) -> Result<Ticket, Failure> {
        Ticket::parse(&self.ticket)
    }
}

/// Rows of consents in a wallet's vault.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'a>(&'a Vault);

impl<'a> Shelf<'a> {
    /// Of a wallet.
    pub const fn of(wallet: &'a Wallet) -> Self {
        Self(wallet.vault())
    }
    /// All consents, oldest first.
    pub fn all(&self) -> Result<Vec<OwnConsent>, Failure> {
        let mut all: Vec<OwnConsent> = self.0.scan(&CONSENTS)?.into_iter().map(|(_, consent)| consent).collect();
        all.sort_by_key(|consent| (consent.made_ms, consent.id));
        Ok(all)
    }
    /// The consent that a person means: its id, or the first characters of it.
    pub fn find(&self, id: &str) -> Result<OwnConsent, Failure> {
        let id = id.trim().to_lowercase();
        let mut found = self.all()?;
        found.retain(|consent| !id.is_empty() && consent.id.to_string().starts_with(&id));
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::of(ExitCode::Usage, "consent_not_here", &[("id", &id)])),
            count => Err(Failure::of(ExitCode::Usage, "consent_ambiguous", &[("id", &id), ("count", &count)])),
        }
    }
    /// A consent by its id.
    pub fn get(&self, id: &ConsentId) -> Result<Option<OwnConsent>, Failure> {
        Ok(self.0.get(&CONSENTS, &id.to_string())?)
    }
    /// Keeps a consent; it is durable when this returns.
    pub fn put(&self, consent: &OwnConsent) -> Result<(), Failure> {
        Ok(self.0.put(&CONSENTS, &consent.id.to_string(), consent)?)
    }
}
