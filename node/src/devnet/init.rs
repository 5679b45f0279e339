//! Writing a local network to disk.
//!
//! It is written beside its place and renamed at the end, so that a folder of that name is always whole.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use kanhe_proto::genesis::{Genesis, GenesisError};
use kanhe_proto::identifiers::{ChainRef, Did};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key_file::{KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::registry::{KeyRole, Parameters};

use super::DESCRIPTION_FILE;
use super::bureaus::{Office, bank};
use super::description::{BankDescription, BureauDescription, Description, TypeDescription};
use super::genesis::{Founder, PURPOSES, genesis};
use super::member::{Member, config_of, members};
use super::types::{NetworkType, network_types};
use crate::config::CONFIG_FILE;
use crate::consensus::Guard;
use crate::consensus::guard::GuardError;
use crate::founding::CARD_FILE;
use crate::founding::keys::{FreshKey, fresh_passphrase, key_path, write_private};
use crate::run::home;
use crate::storage::{CreateError, Storage};

/// Bureaus of a local network.
pub const BUREAUS_MAX: usize = 100;
/// What kind of network.
#[derive(Debug, Clone)]
pub struct DevnetOptions {
    /// Where; must not exist, or be empty.
    pub dir: PathBuf,
    /// How many bureaus.
    pub bureaus: usize,
    /// Bureaus more, with homes and membership cards, that the chain does not know yet.
    pub outside: usize,
    /// Addresses of the machines of their nodes, one each; all on this one if there are none.
    pub hosts: Vec<Ipv4Addr>,
    /// Longest time without a block.
    pub heartbeat: SpanMs,
    /// Heights between two sets of validators.
    pub epoch_blocks: u64,
}

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// Something is there.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// Too few or too many.
    #[error("a local network has 1 to {BUREAUS_MAX} bureaus, not {0}")]
    Bureaus(usize),
    /// Not one for each.
    #[error("{hosts} addresses are not one for each of {bureaus} bureaus")]
    Hosts {
        /// Addresses given.
        hosts: usize,
        /// Bureaus, with those outside.
        bureaus: usize,
    },
    /// The options make no genesis.
    #[error("these options found no chain")]
    Genesis(#[from] GenesisError),
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A database could not be made.
    #[error("a database could not be made")]
    Storage(#[from] CreateError),
    /// A signing guard could not be made.
    #[error("a signing guard could not be made")]
    Guard(#[from] GuardError),
}

/// Makes the network and says what it is.
pub fn init(options: &DevnetOptions) -> Result<Description, DevnetError> {
    let all = options.bureaus.saturating_add(options.outside);
    if options.bureaus == 0 || all > BUREAUS_MAX {
        return Err(DevnetError::Bureaus(all));
    }
    if !options.hosts.is_empty() && options.hosts.len() != all {
        return Err(DevnetError::Hosts { hosts: options.hosts.len(), bureaus: all });
    }
    let dir = std::path::absolute(&options.dir).map_err(|error| io_error(&options.dir, error))?;
    if fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
        return Err(DevnetError::NotEmpty(dir));
    }
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parent = dir.parent().unwrap_or(Path::new("/")).to_owned();
    let building = parent.join(format!(".{name}.{}.new", std::process::id()));
    let made = build(options, &dir, &building).and_then(|description| {
        fs::rename(&building, &dir).map_err(|error| io_error(&dir, error))?;
        sync_folder(&parent)?;
        Ok(description)
    });
    if made.is_err() {
        // Half a network is of no use; a failure to remove it must not hide the first one.
        let _ = fs::remove_dir_all(&building);
    }
    made
}

fn build(options: &DevnetOptions, dir: &Path, building: &Path) -> Result<Description, DevnetError> {
    let io = |error| io_error(building, error);
    fs::create_dir_all(building).map_err(io)?;
    let members = members(options.bureaus, options.outside, &options.hosts).map_err(io)?;
    let types = network_types();
    let bank = bank();
    let request_key = FreshKey::new(KeyFileRole::Request).map_err(io)?;
    let founders: Vec<Founder<'_>> = members
        .iter()
        .filter(|member| member.founder)
        .map(|member| Founder { office: &member.office, keys: member.keys.public(), addresses: member.addresses() })
        .collect();
    let time = TimeMs(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64));
    let parameters =
        Parameters { heartbeat: options.heartbeat, epoch_blocks: options.epoch_blocks, ..Parameters::default() };
    let genesis = genesis(&founders, &types, (&bank, request_key.public()), parameters, time);
    genesis.check()?;
    let file = building.join("genesis.bin");
    fs::write(&file, genesis.to_bytes()).map_err(|error| io_error(&file, error))?;
    for member in &members {
        let home = building.join(&member.office.folder);
        write_home(&home, member, &members, &genesis)?;
        let card = member.card(&genesis.chain(), time).to_bytes();
        fs::write(home.join(CARD_FILE), card).map_err(|error| io_error(&home, error))?;
    }
    let bank_home = building.join(&bank.folder);
    let passphrase = fresh_passphrase().map_err(io)?;
    write_private(&bank_home.join("passphrase"), format!("{passphrase}\n").as_bytes()).map_err(io)?;
    let secret = Passphrase::new(passphrase.into_bytes());
    request_key.write(&bank_home.join("request.key"), &secret, KdfCost::LIGHT_FOR_DEMOS).map_err(io)?;

    let description = describe(dir, &members, &bank, &types, &genesis);
    let text = serde_json::to_string_pretty(&description).expect("texts and numbers are JSON");
    let file = building.join(DESCRIPTION_FILE);
    fs::write(&file, format!("{text}\n")).map_err(|error| io_error(&file, error))?;
    sync_folder(building)?;
    Ok(description)
}

fn write_home(dir: &Path, member: &Member, members: &[Member], genesis: &Genesis) -> Result<(), DevnetError> {
    let io = |error| io_error(dir, error);
    fs::create_dir_all(dir).map_err(io)?;
    fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(io)?;
    let passphrase = fresh_passphrase().map_err(io)?;
    write_private(&dir.join("passphrase"), format!("{passphrase}\n").as_bytes()).map_err(io)?;
    let secret = Passphrase::new(passphrase.into_bytes());
    member.keys.write(dir, &secret, KdfCost::LIGHT_FOR_DEMOS).map_err(io)?;
    fs::write(dir.join("genesis.bin"), genesis.to_bytes()).map_err(io)?;
    fs::write(dir.join(CONFIG_FILE), config_of(member, members).to_toml()).map_err(io)?;
    drop(Storage::create(&home::chain(dir), genesis)?);
    let validator = member.keys.of(KeyRole::Validator).public();
    drop(Guard::create(&home::guard(dir), &genesis.chain(), &validator, false)?);
    Ok(())
}

fn describe(dir: &Path, members: &[Member], bank: &Office, types: &[NetworkType], genesis: &Genesis) -> Description {
    let chain = ChainRef::new(genesis.name.clone(), &genesis.chain_id());
    let did = |office: &Office| Did { chain: chain.clone(), uscc: office.uscc }.to_string();
    let bureau = |member: &Member| {
        let home = dir.join(&member.office.folder);
        BureauDescription {
            name: member.office.folder.clone(),
            uscc: member.office.uscc,
            did: did(&member.office),
            names: member.office.names.clone(),
            founder: member.founder,
            api: member.api(),
            card: home.join(CARD_FILE),
            issuing_key: home.join(key_path("issuing")),
            governance_key: home.join(key_path("governance")),
            sealing_key: home.join(key_path("sealing")),
            passphrase_file: home.join("passphrase"),
            home,
        }
    };
    let issuer = |kind: &NetworkType| {
        let mut founders = members.iter().filter(|member| member.founder);
        let member = founders.find(|member| member.office.folder == kind.issuer);
        member.map(|member| member.office.uscc)
    };
    let kind = |kind: &NetworkType| TypeDescription {
        code: kind.record.code.clone(),
        version: kind.record.version,
        names: kind.record.names.clone(),
        issuer: issuer(kind),
    };
    let bank_home = dir.join(&bank.folder);
    Description {
        chain: chain.to_string(),
        chain_id: genesis.chain_id(),
        genesis: dir.join("genesis.bin"),
        heartbeat_ms: genesis.parameters.heartbeat.0,
        bureaus: members.iter().map(bureau).collect(),
        bank: BankDescription {
            uscc: bank.uscc,
            did: did(bank),
            names: bank.names.clone(),
            request_key: bank_home.join("request.key"),
            passphrase_file: bank_home.join("passphrase"),
            home: bank_home,
        },
        types: types.iter().map(kind).collect(),
        purposes: PURPOSES.iter().map(|(code, ..)| (*code).to_owned()).collect(),
    }
}

fn io_error(path: &Path, source: io::Error) -> DevnetError {
    DevnetError::Io { path: path.to_owned(), source }
}

fn sync_folder(folder: &Path) -> Result<(), DevnetError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| io_error(folder, error))
}

#[cfg(test)]
mod tests {
    use kanhe_proto::governance::MembershipCard;

    use super::*;
    use crate::config::Config;
    use crate::run::keys::{self, PassphraseSource};

    #[test]
    fn a_network_is_whole_and_its_keys_open() {
        let dir = tempfile::tempdir().unwrap();
        let options = DevnetOptions {
            dir: dir.path().join("net"),
            bureaus: 5,
            outside: 1,
            hosts: Vec::new(),
            heartbeat: SpanMs(5_000),
            epoch_blocks: 10,
        };
        let few = DevnetOptions { hosts: vec![Ipv4Addr::LOCALHOST], ..options.clone() };
        assert!(matches!(init(&few), Err(DevnetError::Hosts { hosts: 1, bureaus: 6 })));
        let description = init(&options).unwrap();
        assert_eq!(description.bureaus.iter().filter(|bureau| bureau.founder).count(), 5);
        assert!(matches!(init(&options), Err(DevnetError::NotEmpty(_))));
        let genesis = Genesis::from_bytes(&fs::read(&description.genesis).unwrap()).unwrap();
        assert_eq!(genesis.chain_id(), description.chain_id);
        assert_eq!((genesis.bureaus.len(), genesis.parameters.epoch_blocks), (5, 10));
        for bureau in &description.bureaus {
            let config = Config::load(&bureau.home).unwrap();
            assert_eq!(config.network.peers.len(), if bureau.founder { 4 } else { 5 });
            let card = MembershipCard::from_bytes(&fs::read(&bureau.card).unwrap(), &genesis.chain()).unwrap();
            assert_eq!(card.body.bureau, bureau.uscc);
            let passphrase = PassphraseSource::of(&bureau.home, &config, None).read().unwrap();
            for path in [&bureau.issuing_key, &bureau.governance_key, &bureau.sealing_key] {
                let role = keys::open(path, &passphrase).unwrap().role;
                assert!(path.to_string_lossy().contains(&format!("{role:?}").to_lowercase()));
            }
            drop(Storage::open(&home::chain(&bureau.home), &description.chain_id).unwrap());
        }
    }
}
