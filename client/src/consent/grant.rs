//! Making a consent: its key, its terms, and whose it is.

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::codec;
use kanhe_proto::consent::{Act, Grant, Scope, Terms, TypeClaims, consent_id, consent_nonce};
use kanhe_proto::hash::{CaseId, Commitment, ConsentId};
use kanhe_proto::identifiers::{ChainRef, Did, TypeCode, Uscc};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::item::PartName;
use kanhe_proto::key::Signer as _;
use kanhe_proto::registry::{ClaimName, Names, PurposeCode};
use kanhe_proto::sd_jwt::{ClaimPath, KeyBinding};
use kanhe_proto::sharing::{ConsentShown, HolderShown};
use kanhe_proto::vote::ChainContext;

use super::own::{OwnConsent, Pending, Shelf, State};
use super::ticket::Ticket;
use crate::clock;
use crate::talk::{ExitCode, Failure};
use crate::wallet::{LicenceRecord, Seed, Standing, Wallet};

/// How long a grant may wait for its block; the chain allows a day, this leaves room for clocks.
const ACCEPT_LIFE: SpanMs = SpanMs(12 * 3_600_000);
/// Claims by which a licence says whose it is.
const HOLDER_CLAIMS: [&str; 2] = ["CZZTDM", "CZZTDMLX"];

/// What is consented to.
#[derive(Debug, Clone)]
pub struct Wished {
    /// Who may read.
    pub grantee: (Uscc, Names),
    /// What for.
    pub purpose: PurposeCode,
    /// Whose data.
    pub source: (Uscc, Names),
    /// Which.
    pub scope: Scope,
    /// How often.
    pub reads: u32,
    /// Until when.
    pub not_after: TimeMs,
    /// The case that it is for, and which of the item's reads.
    pub case: Option<(CaseId, PartName)>,
}

/// One type with claims, as terms have them.
pub fn scope_of(type_code: TypeCode, claims: impl IntoIterator<Item = String>) -> Result<Scope, Failure> {
    let wrong = |error: kanhe_proto::bounded::TooMany| Failure::reported(ExitCode::Usage, "consent_scope", error);
    let mut names = claims.into_iter().map(ClaimName::new).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    names.sort();
    names.dedup();
    let claims = List::new(names).map_err(wrong)?;
    List::new(vec![TypeClaims { type_code, claims }]).map_err(wrong)
}

/// The licence by which a source is shown whose a consent is: a good one that says its holder's number; one of the source's
/// own before others, and one that was shown least.
pub fn licence_for(wallet: &Wallet, source: &Uscc, now: TimeMs) -> Result<LicenceRecord, Failure> {
    let mut fitting = Vec::new();
    for record in wallet.licences()? {
        let holding = record.holding()?;
        let says = HOLDER_CLAIMS[..1].iter().all(|claim| holding.claims().contains_key(*claim));
        let ours = wallet.key(&holding.fixed().holder)?.is_some();
        if says && ours && Standing::of(&record, now).is_ok_and(|standing| standing.is_good()) {
            fitting.push((holding.fixed().issuer.uscc != *source, record));
        }
    }
    let best = fitting.into_iter().min_by_key(|(other, record)| (*other, record.shown, record.digest));
    best.map(|(_, record)| record)
        .ok_or_else(|| Failure::of(ExitCode::Failure, "consent_no_licence", &[("source", source)]))
}

/// What a consent is made with.
#[derive(Debug)]
pub struct Granting<'a> {
    /// The wallet.
    pub wallet: &'a Wallet,
    /// The chain.
    pub chain: ChainContext,
    /// Its name in DIDs.
    pub name: ChainRef,
}

impl Granting<'_> {
    /// Makes a consent with a key of its own and keeps it. Nothing has left so far.
    pub fn make(&self, wished: &Wished, licence: &LicenceRecord, now: TimeMs) -> Result<OwnConsent, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::reported(ExitCode::Usage, "consent_scope", error);
        let terms = Terms::new(wished.source.0, wished.scope.clone());
        terms.check_form().map_err(|error| wrong(&error))?;
        let (key, random) = (Seed::random()?, clock::random::<32>()?);
        let (id, commitment) = (consent_id(&self.chain.chain_id, &key.key().public_key()), terms.commitment(&random));
        let grant = Grant {
            key: key.key().public_key(),
            accept_before: now.after(ACCEPT_LIFE),
            grantee: wished.grantee.0,
            purpose: wished.purpose.clone(),
            not_after: wished.not_after,
            reads: wished.reads,
            terms: commitment,
        };
        grant.check(now).map_err(|error| Failure::reported(ExitCode::Usage, error.code(), error))?;
        let signed = Act::Grant(grant).sign(&self.chain, &key.key());
        let signed = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
        let holder = self.shown(licence, &id, &commitment, &wished.source.0, now)?;
        let ticket = Ticket { chain: self.chain.chain_id, consent: id, shown: ConsentShown { terms, random, holder } };
        let own = OwnConsent {
            id,
            key,
            grantee: wished.grantee.0,
            grantee_names: wished.grantee.1.clone(),
            purpose: wished.purpose.clone(),
            source: wished.source.0,
            source_names: wished.source.1.clone(),
            scope: wished.scope.clone(),
            reads: wished.reads,
            not_after: wished.not_after,
            made_ms: now.0,
            ticket: Text::new(ticket.text()).map_err(|error| wrong(&error))?,
            state: State::Begun,
            refused: None,
            pending: Some(Pending { act: Blob::new(codec::encode(&signed)).map_err(|error| wrong(&error))? }),
            case: wished.case.clone(),
        };
        Shelf::of(self.wallet).put(&own)?;
        Ok(own)
    }

    /// Whose the consent is, for the source alone, bound to this consent and its terms.
    fn shown(
        &self,
        licence: &LicenceRecord,
        id: &ConsentId,
        terms: &Commitment,
        source: &Uscc,
        now: TimeMs,
    ) -> Result<HolderShown, Failure> {
        let holding = licence.holding()?;
        let wrong = |error: kanhe_proto::sd_jwt::SdJwtError| Failure::reported(ExitCode::Failure, error.code(), error);
        let paths: Vec<ClaimPath> = HOLDER_CLAIMS
            .iter()
            .filter(|claim| holding.claims().contains_key(**claim))
            .map(|claim| ClaimPath::name(claim))
            .collect();
        let presentation = holding.present(&paths).map_err(wrong)?;
        let key = self.wallet.key(&holding.fixed().holder)?;
        let key = key.ok_or_else(|| Failure::of(ExitCode::Failure, "not_our_key", &[]))?;
        let binding = KeyBinding {
            nonce: consent_nonce(id, terms),
            audience: Did::new(self.name.clone(), *source).to_string(),
            issued_at: now,
            set: None,
        };
        let token = presentation.bind(&binding, &key.seed.key()).map_err(wrong)?;
        let long = |error| Failure::reported(ExitCode::Failure, "consent_licence_long", error);
        let path = Blob::new(licence.path.to_vec()).map_err(long)?;
        Ok(HolderShown { token: Text::new(token).map_err(long)?, path })
    }
}
