//! Which licences of a wallet are what an item asks for.

use kanhe_proto::item::Ask;
use kanhe_proto::sd_jwt::{ClaimPath, Holding};
use serde_json::Value;

use crate::talk::Failure;
use crate::wallet::{Standing, Wallet};

/// A licence of the wallet, opened, and how it stands.
pub struct Owned {
    /// Its name for people.
    pub id: String,
    /// Opened.
    pub holding: Holding,
    /// As the kept evidence says.
    pub good: bool,
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "Owned({})", self.id)
    }
}

impl Owned {
    /// All licences of a wallet.
    pub fn all(wallet: &Wallet, now: kanhe_proto::ids::TimeMs) -> Result<Vec<Self>, Failure> {
        let mut found = Vec::new();
        for record in wallet.licences()? {
            let good = Standing::of(&record, now)?.is_good();
            found.push(Self { id: record.short(), holding: record.holding()?, good });
        }
        Ok(found)
    }
}

/// How an ask is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// By these, each by itself.
    With(Vec<String>),
    /// These would, but are suspended, ended or not yet valid.
    NotGood(Vec<String>),
    /// These are of a type asked for, but lack a claim.
    Lacks(Vec<String>),
    /// There is none of these types.
    None,
}

/// What meets an ask.
pub fn fit(ask: &Ask, owned: &[Owned]) -> Fit {
    let of_type = |owned: &&Owned| ask.types.iter().any(|wanted| wanted.0 == owned.holding.fixed().vct);
    let of_type: Vec<&Owned> = owned.iter().filter(of_type).collect();
    if of_type.is_empty() {
        return Fit::None;
    }
    let whole: Vec<&Owned> = of_type.iter().copied().filter(|owned| has_all(&owned.holding, ask)).collect();
    let ids = |owned: &[&Owned]| owned.iter().map(|owned| owned.id.clone()).collect::<Vec<_>>();
    if whole.is_empty() {
        return Fit::Lacks(ids(&of_type));
    }
    let good: Vec<&Owned> = whole.iter().copied().filter(|owned| owned.good).collect();
    if good.is_empty() { Fit::NotGood(ids(&whole)) } else { Fit::With(ids(&good)) }
}

fn has_all(holding: &Holding, ask: &Ask) -> bool {
    let claims = Value::Object(holding.claims().clone());
    let has = |claim: &str| claim.parse::<ClaimPath>().is_ok_and(|path| !path.resolve(&claims).is_empty());
    ask.claims.iter().all(|claim| has(claim))
}
