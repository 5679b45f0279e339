//! Fresh keys: seeds from the system, in files that a passphrase opens.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kanhe_proto::governance::NewKey;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{PublicKey, SecretKey};
use kanhe_proto::key_file::{self, KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::registry::KeyRole;
use kanhe_proto::text;
use kanhe_proto::vote::ChainContext;
use zeroize::Zeroizing;

/// Random bytes of the system.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// A fresh passphrase of 128 bits as text.
pub fn fresh_passphrase() -> io::Result<String> {
    Ok(text::base32(&random::<16>()?))
}

/// A fresh key.
pub struct FreshKey {
    /// What for.
    pub role: KeyFileRole,
    seed: Zeroizing<[u8; 32]>,
}

impl FreshKey {
    /// From the system's random source.
    pub fn new(role: KeyFileRole) -> io::Result<Self> {
        Ok(Self { role, seed: Zeroizing::new(random()?) })
    }
    /// The key itself, for roles that sign.
    pub fn secret(&self) -> SecretKey {
        SecretKey::from_seed(*self.seed)
    }
    /// Its public half.
    pub fn public(&self) -> PublicKey {
        self.role.public_key(&self.seed)
    }
    /// Writes it to a new file of mode 0600.
    pub fn write(&self, path: &Path, passphrase: &Passphrase, cost: KdfCost) -> io::Result<()> {
        let file = key_file::protect(&self.seed, self.role, passphrase, cost, random()?, random()?);
        write_private(path, file.map_err(|error| io::Error::other(error.to_string()))?.as_bytes())
    }
}

/// Writes a new file that its owner alone may read, and makes it durable.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// The roles of a bureau's keys and the names of their files.
pub const ROLES: [(KeyRole, &str); 5] = [
    (KeyRole::Governance, "governance"),
    (KeyRole::Issuing, "issuing"),
    (KeyRole::Validator, "validator"),
    (KeyRole::Network, "network"),
    (KeyRole::Sealing, "sealing"),
];

/// The keys of one bureau, one of each role.
pub struct BureauKeys(Vec<(KeyRole, &'static str, FreshKey)>);

impl BureauKeys {
    /// From the system's random source.
    pub fn new() -> io::Result<Self> {
        let keys = ROLES.map(|(role, name)| FreshKey::new(role.into()).map(|key| (role, name, key)));
        keys.into_iter().collect::<io::Result<_>>().map(Self)
    }
    /// The key of a role.
    pub fn of(&self, role: KeyRole) -> &FreshKey {
        let key = self.0.iter().find(|(of, ..)| *of == role);
        &key.expect("a key of every role").2
    }
    /// All public halves.
    pub fn public(&self) -> Vec<(KeyRole, PublicKey)> {
        self.0.iter().map(|(role, _, key)| (*role, key.public())).collect()
    }
    /// Writes them under a home.
    pub fn write(&self, home: &Path, passphrase: &Passphrase, cost: KdfCost) -> io::Result<()> {
        self.0.iter().try_for_each(|(_, name, key)| key.write(&home.join(key_path(name)), passphrase, cost))
    }
    /// Each with the proof that its holder has it.
    pub fn proved(&self, chain: &ChainContext, bureau: &Uscc) -> Vec<NewKey> {
        let prove = |(role, _, key): &(KeyRole, &str, FreshKey)| match role {
            KeyRole::Sealing => NewKey::sealing(key.public()),
            _ => NewKey::prove(chain, bureau, *role, &key.secret()).expect("a key in memory signs"),
        };
        self.0.iter().map(prove).collect()
    }
}

/// A key's file in a home.
pub fn key_path(name: &str) -> PathBuf {
    Path::new("keys").join(format!("{name}.key"))
}
