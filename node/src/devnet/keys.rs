//! Keys of a local network: fresh seeds, in files that a passphrase beside them opens.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use kanhe_proto::key::{PublicKey, SecretKey};
use kanhe_proto::key_file::{self, KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::text;
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
    pub fn write(&self, path: &Path, passphrase: &str) -> io::Result<()> {
        let passphrase = Passphrase::new(passphrase.as_bytes().to_vec());
        let file =
            key_file::protect(&self.seed, self.role, &passphrase, KdfCost::LIGHT_FOR_DEMOS, random()?, random()?);
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
