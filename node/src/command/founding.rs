//! `init`, `genesis` and `join`: how a consortium begins and how a bureau comes to it.

use std::fs;
use std::io::{self, IsTerminal};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use kanhe_proto::bounded::Text;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::{ChainRef, Uscc};
use kanhe_proto::key_file::{KdfCost, Passphrase};
use kanhe_proto::limits::GENESIS_BYTES_MAX;
use kanhe_proto::registry::Names;

use super::agent::{AgentError, Believed, agent};
use super::print;
use crate::bounded_file;
use crate::config::Config;
use crate::founding::{self, AGREEMENT_EXAMPLE, AgreementError, BureauOptions, InitError, InstallError};
use crate::network::PeerAddress;
use crate::run::keys::{KeyError, PassphraseSource};
use crate::run::{exit, now};

/// Longest wait for a genesis over the network.
const FETCH_MAX: Duration = Duration::from_secs(60);
/// A chain longer than this is joined by a snapshot, unless the operator wants all blocks.
const SNAPSHOT_ABOVE: u64 = 1_000;
/// A passphrase that guards a bureau's keys is not shorter, in bytes.
const PASSPHRASE_MIN: usize = 12;

#[derive(Args)]
pub(super) struct InitArguments {
    /// Folder to be made: the home of the node.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// The bureau's unified social credit code.
    #[arg(long, value_name = "CODE")]
    uscc: Uscc,
    /// Its Chinese name.
    #[arg(long, value_name = "NAME")]
    name_zh: String,
    /// Its English name.
    #[arg(long, value_name = "NAME")]
    name_en: String,
    /// Its administrative division (GB/T 2260), e.g. 370100.
    #[arg(long, value_name = "CODE")]
    region: String,
    /// The address at which the other bureaus reach this node. It goes into the card.
    #[arg(long, value_name = "IP")]
    announce: IpAddr,
    /// TCP port of the consensus engine [default: 27000].
    #[arg(long, value_name = "PORT")]
    consensus_port: Option<u16>,
    /// TCP port of the swarm of transactions and mail [default: 27010].
    #[arg(long, value_name = "PORT")]
    network_port: Option<u16>,
    /// TCP port of the API, on this machine only [default: 27080].
    #[arg(long, value_name = "PORT")]
    api_port: Option<u16>,
    /// Genesis of the chain to join. Without it the card is for founding a chain.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// File with the passphrase of the keys, mode 0600; else it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum GenesisCommand {
    /// Makes genesis from the founders' agreement and cards: the same bytes on every machine.
    Make {
        /// The agreement; `genesis example` prints one.
        #[arg(long, value_name = "FILE")]
        agreement: PathBuf,
        /// Where to write genesis.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The founders' cards, in any order.
        #[arg(required = true, value_name = "CARD")]
        cards: Vec<PathBuf>,
    },
    /// Shows what a genesis founds, and the hash that people compare.
    Show {
        /// The file.
        genesis: PathBuf,
    },
    /// Prints an agreement with all keys explained.
    Example,
}

#[derive(Args)]
pub(super) struct JoinArguments {
    /// The node's home, made by `init`.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// The hash of genesis, as people compared it.
    #[arg(long, value_name = "HASH")]
    genesis_hash: ChainId,
    /// Genesis as a file,
    #[arg(long, value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    genesis: Option<PathBuf>,
    /// or from the API of a member's node: the hash says whether it is the right one.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Certificates (PEM) of the authorities that are believed for an https URL, instead of the public ones.
    #[arg(long, value_name = "FILE", requires = "from")]
    ca: Option<PathBuf>,
    /// A member's engine, `/ip4/<address>/tcp/<port>/p2p/<peer id>`, if the founders of genesis are no longer there,
    #[arg(long, value_name = "ADDRESS")]
    peer: Vec<PeerAddress>,
    /// and its swarm, in the same form: this node gets a snapshot from it.
    #[arg(long, value_name = "ADDRESS")]
    network_peer: Vec<PeerAddress>,
    /// Fetch and execute all blocks, however long the chain is. Otherwise a node without blocks gets the state of a chain
    /// longer than 1,000 blocks in proved pieces, and has no blocks from before.
    #[arg(long)]
    all_blocks: bool,
    /// File with the passphrase of the keys, mode 0600; else it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum FoundingError {
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the passphrase has fewer than {PASSPHRASE_MIN} bytes")]
    Short,
    #[error("the two passphrases differ")]
    Differ,
    #[error("a name is empty or too long")]
    Name,
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{url} gives no genesis: {problem}")]
    Fetch { url: String, problem: String },
    #[error("--ca")]
    Ca(#[from] AgentError),
}

impl FoundingError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Init(InitError::NotEmpty(_) | InitError::Text(_)) | Self::Name | Self::Differ => exit::USAGE,
            Self::Init(InitError::Io { .. }) | Self::Unwritable { .. } => exit::UNWRITABLE,
            Self::Install(InstallError::Io { .. }) => exit::UNWRITABLE,
            Self::Agreement(_) | Self::Install(InstallError::Config(_)) => exit::CONFIG,
            Self::Install(InstallError::Hash { .. } | InstallError::Other(_)) => exit::OTHER_CHAIN,
            Self::Install(InstallError::Genesis(_) | InstallError::Guard(_)) => exit::DAMAGED,
            Self::Install(InstallError::Create(_)) => exit::NOT_INITIALISED,
            Self::Key(error) | Self::Install(InstallError::Key(error)) if error.is_passphrase() => exit::PASSPHRASE,
            Self::Key(_) | Self::Install(InstallError::Key(_)) => exit::KEY,
            Self::Short => exit::PASSPHRASE,
            Self::Unreadable { .. } | Self::Fetch { .. } | Self::Ca(_) => exit::OTHER,
        }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Init(InitError::NotEmpty(_)) => "choose another folder; keys are never overwritten",
            Self::Init(InitError::Text(_)) | Self::Name => "names have at most 256 bytes, the region is six digits",
            Self::Agreement(AgreementError::Card { source: kanhe_proto::governance::CardError::Chain, .. }) => {
                "the card was made for joining an existing chain; `init` without --genesis makes one for founding"
            }
            Self::Agreement(AgreementError::Card { .. }) => "ask the bureau for its card again",
            Self::Agreement(_) => "`kanhe-node genesis example` prints an agreement with all keys explained",
            Self::Install(InstallError::Hash { .. }) => {
                "do not go on: ask the others by another way which hash is right, and where this file came from"
            }
            Self::Install(InstallError::Other(_)) => "one home is for one chain: make another with `init`",
            Self::Install(InstallError::Config(_)) => "make the home with `kanhe-node init`",
            Self::Install(InstallError::Create(_)) => "the home may have joined already: try `kanhe-node run`",
            Self::Install(InstallError::Key(error)) | Self::Key(error) => error.hint(),
            Self::Install(_) => "fetch the file again; check the disk",
            Self::Short => "whoever copies the key files can try passphrases: take a sentence",
            Self::Differ => "try again",
            Self::Init(InitError::Io { .. }) | Self::Unreadable { .. } | Self::Unwritable { .. } => {
                "check the path, its owner and its mode"
            }
            Self::Ca(_) => "name a PEM file with the authority's certificate",
            Self::Fetch { .. } => "check the URL, or take the file from a colleague and name it with --genesis",
        }
    }
}

pub(super) fn init(arguments: InitArguments) -> anyhow::Result<ExitCode> {
    let name = |text: &str| Text::new(text.trim()).ok().filter(|text| !text.is_empty()).ok_or(FoundingError::Name);
    let names = Names { zh: name(&arguments.name_zh)?, en: name(&arguments.name_en)? };
    let chain = match &arguments.genesis {
        Some(path) => Some(read_genesis(path)?.chain()),
        None => None,
    };
    let passphrase = new_passphrase(arguments.passphrase_file)?;
    let options = BureauOptions {
        home: arguments.home,
        uscc: arguments.uscc,
        names,
        region: arguments.region,
        announce: arguments.announce,
        ports: [arguments.consensus_port, arguments.network_port, arguments.api_port],
        chain,
        cost: KdfCost::USUAL,
    };
    let made = founding::init(&options, &passphrase, now()).map_err(FoundingError::from)?;
    let next = match options.chain {
        None => "give it to the other founders, who compare the digest with you by another way; then `genesis make`",
        Some(_) => "give it to a member, who proposes to admit you: kanhe gov propose admit CARD",
    };
    print(&format!(
        "home    {}\ncard    {}\ndigest  {}\n\nNext: {next}.\nMove keys/governance.key and keys/issuing.key to where \
         they are used: the node needs neither.\nBack up all keys and the passphrase apart from each other.\n",
        options.home.display(),
        made.card.display(),
        made.digest,
    ))
}

fn new_passphrase(file: Option<PathBuf>) -> Result<Passphrase, FoundingError> {
    let source = file.map_or(PassphraseSource::Prompt, PassphraseSource::File);
    let passphrase = source.read()?;
    if passphrase.len() < PASSPHRASE_MIN {
        return Err(FoundingError::Short);
    }
    if source == PassphraseSource::Prompt && io::stdin().is_terminal() {
        let again = rpassword::prompt_password("the same once more: ").map_err(|_| KeyError::NoPassphrase)?;
        if !passphrase.is(again.as_bytes()) {
            return Err(FoundingError::Differ);
        }
    }
    Ok(passphrase)
}

pub(super) fn genesis(command: GenesisCommand) -> anyhow::Result<ExitCode> {
    match command {
        GenesisCommand::Example => print(AGREEMENT_EXAMPLE),
        GenesisCommand::Show { genesis } => print(&describe(&read_genesis(&genesis)?)),
        GenesisCommand::Make { agreement, out, cards } => {
            let genesis = founding::found(&agreement, &cards).map_err(FoundingError::from)?;
            let failed = |source| FoundingError::Unwritable { path: out.clone(), source };
            fs::write(&out, genesis.to_bytes()).map_err(failed)?;
            print(&describe(&genesis))
        }
    }
}

fn describe(genesis: &Genesis) -> String {
    let chain = ChainRef::new(genesis.name.clone(), &genesis.chain_id());
    let parameters = toml::to_string(&genesis.parameters).expect("parameters are a table");
    let mut text = format!("chain         {chain}\ngenesis hash  {}\n\n", genesis.chain_id());
    for bureau in &genesis.bureaus {
        text.push_str(&format!("bureau        {}  {} · {}\n", bureau.uscc, bureau.names.zh, bureau.names.en));
    }
    for kind in &genesis.types {
        text.push_str(&format!("type          {} v{}  {}\n", kind.code, kind.version, kind.names.zh));
    }
    for party in &genesis.relying_parties {
        text.push_str(&format!("may ask       {}  {}\n", party.uscc, party.names.zh));
    }
    text.push_str(&format!("validators    {}\n\n{parameters}\n", genesis.validators.len()));
    text.push_str("Compare the hash with every other founder by another way than the files came.\n");
    text
}

pub(super) fn join(arguments: JoinArguments) -> anyhow::Result<ExitCode> {
    let JoinArguments { home, genesis_hash, genesis, from, ca, peer, network_peer, all_blocks, passphrase_file } =
        arguments;
    let bytes = match (&genesis, &from) {
        (Some(path), _) => read(path)?,
        (None, Some(url)) => fetch(url, ca.as_deref())?,
        (None, None) => unreachable!("clap asks for one of them"),
    };
    let mut config = Config::load(&home).map_err(InstallError::from).map_err(FoundingError::from)?;
    let passphrase = match config.keys.validator {
        Some(_) => PassphraseSource::of(&home, &config, passphrase_file).read().map_err(FoundingError::from)?,
        None => Passphrase::new(Vec::new()),
    };
    let genesis = founding::install(&home, &bytes, genesis_hash, &passphrase).map_err(FoundingError::from)?;
    let known = config.clone();
    add(&mut config.consensus.peers, peer);
    add(&mut config.network.peers, network_peer);
    config.sync.snapshot_above = match config.sync.snapshot_above {
        _ if all_blocks => 0,
        0 => SNAPSHOT_ABOVE,
        set => set,
    };
    if config != known {
        let path = home.join(crate::config::CONFIG_FILE);
        fs::write(&path, config.to_toml()).map_err(|source| FoundingError::Unwritable { path, source })?;
    }
    let chain = ChainRef::new(genesis.name.clone(), &genesis.chain_id());
    print(&format!("{} belongs to {chain}\nNext: kanhe-node run --home {}\n", home.display(), home.display()))
}

fn add(peers: &mut Vec<PeerAddress>, more: Vec<PeerAddress>) {
    let new: Vec<PeerAddress> = more.into_iter().filter(|peer| !peers.contains(peer)).collect();
    peers.extend(new);
}

fn read_genesis(path: &Path) -> Result<Genesis, FoundingError> {
    Ok(Genesis::from_bytes(&read(path)?).map_err(InstallError::from)?)
}

fn read(path: &Path) -> Result<Vec<u8>, FoundingError> {
    let unreadable = |source| FoundingError::Unreadable { path: path.to_owned(), source };
    bounded_file::read(path, GENESIS_BYTES_MAX).map_err(unreadable)
}

fn fetch(url: &str, ca: Option<&Path>) -> Result<Vec<u8>, FoundingError> {
    let failed = |problem: String| FoundingError::Fetch { url: url.to_owned(), problem };
    let agent = agent(&ca.map_or(Believed::Public, Believed::Of), FETCH_MAX)?;
    let answer = agent.get(format!("{}/v1/genesis", url.trim_end_matches('/'))).call();
    let mut answer = answer.map_err(|error| failed(error.to_string()))?;
    let body = answer.body_mut().with_config().limit(GENESIS_BYTES_MAX as u64 + 1);
    body.read_to_vec().map_err(|error| failed(error.to_string()))
}
