//! Who asks: a relying party with its request key, ready to make requests that this home will know again.

use std::path::Path;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{Did, Uscc};
use kanhe_proto::ids::SpanMs;
use kanhe_proto::key::{PublicKey, SecretKey, Signer as _};
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileRole};
use kanhe_proto::request::Request;

use super::{Ask, KeptRequest, Memory, make};
use crate::clock;
use crate::given::TypeSpec;
use crate::home::{self, Home};
use crate::talk::{ExitCode, Failure, Passphrase};

/// What is to be asked for.
#[derive(Debug)]
pub struct Wanted {
    /// Types, and the claims of each.
    pub licences: Vec<(TypeSpec, Vec<String>)>,
    /// Code of a registered purpose.
    pub purpose: String,
    /// Greatest age of evidence.
    pub max_age: SpanMs,
    /// All licences must be of one person.
    pub same_holder: bool,
}

/// A relying party and its key.
pub struct Asking {
    home: Home,
    genesis: Genesis,
    key: SecretKey,
    public: PublicKey,
    party: Uscc,
}

impl Asking {
    /// With the key of a file. Whose it is, genesis says, unless the party was registered later.
    pub fn open(home: &Home, key: &Path, party: Option<Uscc>, passphrase: &Passphrase) -> Result<Self, Failure> {
        let genesis = home.genesis()?;
        let key = request_key(key, passphrase)?;
        let public = key.public_key();
        let party = match party {
            Some(uscc) => uscc,
            None => owner(&genesis, &public)?,
        };
        Ok(Self { home: home.clone(), genesis, key, public, party })
    }

    /// Its name on the chain.
    pub const fn uscc(&self) -> Uscc {
        self.party
    }

    /// Signs a request; it is durable here when this returns. What a wallet would refuse is refused here.
    pub fn request(&self, wanted: &Wanted) -> Result<(Request, String), Failure> {
        let trust = self.home.trust()?;
        let heartbeats = SpanMs(2 * trust.heartbeat.0);
        if wanted.max_age < heartbeats {
            let least = heartbeats.0 / 1000;
            return Err(Failure::of(ExitCode::Usage, "max_age_short", &[("least", &least)]));
        }
        let mut asks = Vec::new();
        for (spec, claims) in &wanted.licences {
            asks.push(Ask { vcts: spec.versions(&self.genesis)?, claims: claims.clone() });
        }
        let did = Did::new(trust.chain_ref(), self.party);
        let (purpose, max_age) = (&wanted.purpose, wanted.max_age);
        let made = make(&asks, &did, purpose, max_age, wanted.same_holder, &self.key, clock::now());
        let (made, text) = made?;
        let mut parties = self.genesis.relying_parties.iter();
        let party = parties.find(|known| known.uscc == self.party && known.request_key == self.public);
        if let Some(party) = party {
            made.check_right(party).map_err(|error| Failure::reported(ExitCode::Usage, error.code(), error))?;
        }
        let kept = KeptRequest { request: text.clone(), key: self.public.clone() };
        Memory::new(&self.home).keep(&made.nonce, &kept)?;
        Ok((made, text))
    }
}

/// The relying party of genesis whose key this is.
fn owner(genesis: &Genesis, key: &PublicKey) -> Result<Uscc, Failure> {
    let party = genesis.relying_parties.iter().find(|party| party.request_key == *key);
    party.map(|party| party.uscc).ok_or_else(|| Failure::of(ExitCode::Usage, "asker_unnamed", &[]))
}

fn request_key(path: &Path, passphrase: &Passphrase) -> Result<SecretKey, Failure> {
    let text = home::read_text(path, KEY_FILE_BYTES_MAX)?;
    let shown = path.display();
    let wrong = |error: key_file::KeyFileError| {
        Failure::of(ExitCode::Failure, "key_file", &[("path", &shown), ("cause", &error)])
    };
    let (role, _) = key_file::describe(&text).map_err(wrong)?;
    if role != KeyFileRole::Request {
        return Err(Failure::of(ExitCode::Usage, "key_role", &[("path", &shown)]));
    }
    let passphrase = key_file::Passphrase::new(passphrase.bytes().to_vec());
    let unlocked = key_file::unprotect(&text, &passphrase).map_err(wrong)?;
    Ok(SecretKey::from_seed(*unlocked.seed()))
}
