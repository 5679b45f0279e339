//! Keys of a wallet with which it acts for enterprises.

use kanhe_proto::account::EnterpriseAccount;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{PublicKey, SecretKey, Signer as _};
use serde::{Deserialize, Serialize};

use crate::talk::{ExitCode, Failure};
use crate::vault::Table;
use crate::wallet::{Seed, Wallet};

/// By key id.
const ACCOUNT_KEYS: Table<AccountKey> = Table::new("account_keys");

/// A key that was made to act for enterprises.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountKey {
    /// Its secret half.
    pub seed: Seed,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}

impl Wallet {
    /// Makes a key; it is durable before anybody gets to know it.
    pub fn make_account_key(&self, now: TimeMs) -> Result<PublicKey, Failure> {
        let key = AccountKey { seed: Seed::random()?, made_ms: now.0 };
        let public = key.seed.key().public_key();
        self.vault().put(&ACCOUNT_KEYS, &public.id().to_string(), &key)?;
        Ok(public)
    }

    /// Keys that were made to act for enterprises, oldest first.
    pub fn account_keys(&self) -> Result<Vec<(PublicKey, AccountKey)>, Failure> {
        let all = self.vault().scan(&ACCOUNT_KEYS)?.into_iter();
        let mut all: Vec<_> = all.map(|(_, key)| (key.seed.key().public_key(), key)).collect();
        all.sort_by_key(|(_, key)| key.made_ms);
        Ok(all)
    }

    /// The secret half of a key, if it is this wallet's: one that was made to act, or a licence's.
    pub fn secret_of(&self, key: &PublicKey) -> Result<Option<SecretKey>, Failure> {
        let made = self.vault().get(&ACCOUNT_KEYS, &key.id().to_string())?.map(|made| made.seed);
        let seed = match made {
            Some(seed) => Some(seed),
            None => self.key(key)?.map(|record| record.seed),
        };
        Ok(seed.map(|seed| seed.key()).filter(|secret| secret.public_key() == *key))
    }

    /// A key of the account that this wallet has.
    pub fn owner_of(&self, account: &EnterpriseAccount) -> Result<SecretKey, Failure> {
        for key in &account.keys {
            if let Some(secret) = self.secret_of(key)? {
                return Ok(secret);
            }
        }
        Err(Failure::of(ExitCode::Usage, "account_not_ours", &[("uscc", &account.uscc)]))
    }
}
