//! What this node sees of itself and of the others, put together for those who ask why the chain stands still.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kanhe_proto::diagnosis::{
    BureauSeen, Diagnosis, DiskSeen, DoubleSigner, EngineSeen, KeyEnding, PEERS_TOLD_MAX, PeerSeen, ProtocolNext,
    RefusedSeen, Role, ValidatorSeen, VoteSeen,
};
use kanhe_proto::equivocation::EquivocationRecord;
use kanhe_proto::genesis::PROTOCOL_VERSION;
use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::{ChainRef, Uscc};
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::key::PublicKey;
use kanhe_proto::registry::{Due, KeyRole, ScheduledWhat};
use kanhe_proto::validators::Address;
use libp2p::PeerId;
use tokio::sync::watch;

use super::{Pool, now};
use crate::chain::{Chain, ChainError, Roster, TipState};
use crate::consensus::Observer;
use crate::consensus::app::Status;
use crate::network::{NetworkHandle, peer_id};

/// Records of the log that are searched for double signatures when it is asked for the first time.
const SEARCHED_MAX: u64 = 10_000;
/// Double signatures told.
const MISDEEDS_MAX: usize = 32;
/// What was refused longer ago is not told.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// Sees all parts of a node.
pub struct Diagnoser {
    /// Name of the node.
    pub name: String,
    /// Its bureau, if the configuration names one.
    pub bureau: Option<Uscc>,
    /// Its home.
    pub home: PathBuf,
    /// How far ahead of its clock a block may be, in milliseconds.
    pub clock_drift_ms: u64,
    /// Its network key.
    pub own: PublicKey,
    /// Address of its validator key.
    pub validator: Option<Address>,
    /// The chain as in DIDs.
    pub chain_ref: ChainRef,
    /// The chain.
    pub chain: Arc<Chain>,
    /// The pool.
    pub pool: Arc<Pool>,
    /// The swarm.
    pub network: NetworkHandle,
    /// What the consensus works on.
    pub consensus: watch::Receiver<Status>,
    /// The consensus from beside.
    pub observer: Observer,
    /// What was found damaged in the database.
    pub damaged: watch::Receiver<Option<String>>,
    /// What was read before.
    pub known: Mutex<Known>,
}

/// What was read before and holds until the chain changes it.
#[derive(Default)]
pub struct Known {
    roster: Option<(Hash, Arc<Roster>)>,
    searched: u64,
    misdeeds: Vec<EquivocationRecord>,
}

/// What the database says.
struct Stored {
    tip: Arc<TipState>,
    roster: Arc<Roster>,
    nodes: BTreeMap<PeerId, Uscc>,
    signed: BTreeMap<Address, (Height, TimeMs)>,
    misdeeds: Vec<EquivocationRecord>,
    disk: Option<DiskSeen>,
}

/// Room on the disk of a path.
pub fn disk(path: &Path) -> Option<DiskSeen> {
    let room = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
    Some(DiskSeen { free_bytes: bytes(room.f_bavail), total_bytes: bytes(room.f_blocks) })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Diagnoser {
    /// What is seen now. Reads the database on a thread that may block.
    pub async fn diagnose(self: Arc<Self>) -> Result<Diagnosis, ChainError> {
        let reader = Arc::clone(&self);
        let stored = tokio::task::spawn_blocking(move || reader.stored());
        let stored = stored.await.map_err(|_| ChainError::Missing("an end of the read".into()))??;
        let engine = self.observer.peers().await;
        Ok(self.assemble(&stored, &engine))
    }

    fn stored(&self) -> Result<Stored, ChainError> {
        let snapshot = self.chain.snapshot()?;
        let (root, size) = (snapshot.tip().header.registry_root, snapshot.tip().header.log_size);
        let (known, searched) = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            (known.roster.clone().filter(|(of, _)| *of == root), known.searched)
        };
        let roster = match known {
            Some((_, roster)) => roster,
            None => Arc::new(snapshot.roster()?),
        };
        let from = searched.max(size.saturating_sub(SEARCHED_MAX));
        let found = snapshot.double_signatures(LogIndex(from))?;
        let misdeeds = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.roster = Some((root, Arc::clone(&roster)));
            // Somebody else may have searched the same meanwhile.
            if known.searched == searched {
                known.searched = size;
                known.misdeeds.extend(found);
                let surplus = known.misdeeds.len().saturating_sub(MISDEEDS_MAX);
                known.misdeeds.drain(..surplus);
            }
            known.misdeeds.clone()
        };
        let nodes = roster.keys.iter().filter(|key| key.role == KeyRole::Network);
        let nodes = nodes.filter_map(|key| Some((peer_id(&key.key).ok()?, key.bureau))).collect();
        let signed = snapshot.last_signed()?;
        Ok(Stored { tip: self.chain.tip(), roster, nodes, signed, misdeeds, disk: disk(&self.home) })
    }

    fn assemble(&self, stored: &Stored, engine: &BTreeMap<PeerId, Option<String>>) -> Diagnosis {
        let (tip, now) = (&stored.tip, now());
        let peers = self.peers(stored, engine);
        let validators = self.validators(stored, engine, &peers);
        let set = &tip.next_validators;
        let seated = self.validator.is_some_and(|own| set.get(&own).is_some());
        let role = match (self.validator, seated) {
            (Some(_), true) => Role::Validator,
            (Some(_), false) => Role::NotSeated,
            (None, _) => Role::Observer,
        };
        let bureau = self.own_bureau(stored);
        let total = set.total_power().0;
        let mut diagnosis = Diagnosis {
            unproven: true,
            name: self.name.clone(),
            bureau: bureau.map(|bureau| seen(&stored.roster, bureau)),
            role,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_known: PROTOCOL_VERSION.0,
            protocol: tip.protocol.0,
            protocol_next: protocol_next(stored),
            chain: self.chain_ref.to_string(),
            chain_id: tip.header.chain_id.to_string(),
            era: tip.header.era.0,
            height: tip.header.height.0,
            header_hash: tip.hash.to_string(),
            time_ms: tip.header.time.0,
            now_ms: now.0,
            heartbeat_ms: tip.parameters.heartbeat.0,
            pending: self.pool.stats().transactions as u64,
            engine: self.engine(now),
            power_needed: total * 2 / 3 + 1,
            power_total: total,
            power_present: 0,
            validators,
            peers,
            refused: self.refused(stored, now),
            clock_drift_ms: self.clock_drift_ms,
            disk: stored.disk,
            keys_ending: bureau.map(|bureau| keys_ending(stored, bureau)).unwrap_or_default(),
            damaged: self.damaged.borrow().clone(),
            double_signers: double_signers(stored),
        };
        diagnosis.power_present = diagnosis.present();
        diagnosis
    }

    fn own_bureau(&self, stored: &Stored) -> Option<Uscc> {
        let by_key = || self.validator.and_then(|own| stored.roster.validator(&own));
        self.bureau.or_else(by_key).or_else(|| stored.roster.node(&self.own))
    }

    fn engine(&self, now: TimeMs) -> EngineSeen {
        let status = *self.consensus.borrow();
        let silence = self.observer.silence();
        EngineSeen {
            height: status.height.0,
            round: status.round.0,
            standing_ms: if status.since == TimeMs(0) { 0 } else { now.since(status.since).0 },
            idle: status.idle,
            silent: silence.is_some(),
            silent_above: silence.flatten().map(|above| above.0),
        }
    }

    fn peers(&self, stored: &Stored, engine: &BTreeMap<PeerId, Option<String>>) -> Vec<PeerSeen> {
        let told = self.observer.tips();
        let mut peers: BTreeMap<PeerId, PeerSeen> = BTreeMap::new();
        let blank = |peer: &PeerId| PeerSeen {
            peer: peer.to_string(),
            bureau: stored.nodes.get(peer).map(|bureau| seen(&stored.roster, *bureau)),
            on_engine: engine.contains_key(peer),
            on_network: false,
            tip: told.get(peer).filter(|_| engine.contains_key(peer)).map(|height| height.0),
            clock_ahead_ms: None,
            version: None,
            protocol_known: None,
        };
        for peer in engine.keys() {
            peers.insert(*peer, blank(peer));
        }
        for info in self.network.peers().borrow().iter() {
            let peer = peers.entry(info.peer).or_insert_with(|| blank(&info.peer));
            peer.on_network = true;
            peer.tip = peer.tip.max(info.status.map(|status| status.height.0));
            peer.clock_ahead_ms = info.clock_ahead_ms;
            peer.version = info.status.map(|status| status.software.to_string());
            peer.protocol_known = info.status.map(|status| status.protocol_known.0);
        }
        peers.into_values().take(PEERS_TOLD_MAX).collect()
    }

    fn validators(
        &self,
        stored: &Stored,
        engine: &BTreeMap<PeerId, Option<String>>,
        peers: &[PeerSeen],
    ) -> Vec<ValidatorSeen> {
        let (heard, silent) = (self.observer.heard(), self.observer.silence().is_some());
        let each = stored.tip.next_validators.members().iter().map(|member| {
            let address = member.address;
            let bureau = stored.roster.validator(&address).map(|bureau| seen(&stored.roster, bureau));
            let own = self.validator == Some(address);
            let nodes: Vec<&PeerSeen> = peers.iter().filter(|peer| bureau.is_some() && peer.bureau == bureau).collect();
            let proved = engine.values().flatten().any(|proved| *proved == address.to_string());
            let last = stored.signed.get(&address);
            ValidatorSeen {
                address,
                power: member.power.0,
                own,
                silenced: own && silent,
                last_signed: last.map(|(height, _)| height.0),
                last_signed_ms: last.map(|(_, time)| time.0),
                on_engine: proved || nodes.iter().any(|peer| peer.on_engine),
                on_network: nodes.iter().any(|peer| peer.on_network),
                tip: nodes.iter().filter_map(|peer| peer.tip).max(),
                last_vote: heard.get(&address).map(|heard| VoteSeen {
                    height: heard.height.0,
                    round: heard.round.0,
                    ago_ms: millis(heard.at.elapsed()),
                }),
                bureau,
            }
        });
        each.collect()
    }

    fn refused(&self, stored: &Stored, now: TimeMs) -> Vec<RefusedSeen> {
        let refused = self.network.refused();
        let refused = refused.borrow();
        let recent = refused.iter().filter(|refused| now.since(refused.at).0 <= millis(REFUSED_FOR));
        let told = recent.map(|refused| RefusedSeen {
            peer: refused.peer.to_string(),
            bureau: stored.nodes.get(&refused.peer).map(|bureau| seen(&stored.roster, *bureau)),
            why: refused.why,
            detail: refused.detail.clone(),
            ago_ms: now.since(refused.at).0,
        });
        told.collect()
    }
}

fn seen(roster: &Roster, uscc: Uscc) -> BureauSeen {
    let names = roster.names.get(&uscc);
    let name = |pick: fn(&kanhe_proto::registry::Names) -> &str| names.map(pick).unwrap_or_default().to_owned();
    BureauSeen { uscc, zh: name(|names| names.zh.as_str()), en: name(|names| names.en.as_str()) }
}

fn protocol_next(stored: &Stored) -> Option<ProtocolNext> {
    stored.roster.schedule.entries.iter().find_map(|entry| match (&entry.what, entry.due) {
        (ScheduledWhat::Protocol { version }, Due::Height(height)) => {
            Some(ProtocolNext { version: version.0, height: height.next().0 })
        }
        _ => None,
    })
}

/// Keys that end by their interval or by what was decided, and roles of which none holds any more.
fn keys_ending(stored: &Stored, bureau: Uscc) -> Vec<KeyEnding> {
    let next = stored.tip.header.height.next();
    let mut ending = Vec::new();
    for line in stored.roster.keys.iter().filter(|line| line.bureau == bureau) {
        let id = line.key.id();
        let due = stored.roster.schedule.entries.iter().find_map(|entry| match &entry.what {
            ScheduledWhat::KeyEnds { bureau: of, key } if *of == bureau && *key == id => Some(entry.due),
            _ => None,
        });
        let mut same = stored.roster.keys.iter().filter(|other| other.bureau == bureau && other.role == line.role);
        let ended = !line.holds_at(next) && line.begins.is_some() && !same.any(|other| other.holds_at(next));
        let (by_height, time_ms) = match due {
            Some(Due::Height(height)) => (Some(height.0), None),
            Some(Due::Time(time)) => (None, Some(time.0)),
            None => (line.ends.filter(|_| line.holds_at(next)).map(|ends| ends.0), None),
        };
        if ended || by_height.is_some() || time_ms.is_some() {
            ending.push(KeyEnding { role: line.role, key: id.to_string(), height: by_height, time_ms, ended });
        }
    }
    ending
}

fn double_signers(stored: &Stored) -> Vec<DoubleSigner> {
    let each = stored.misdeeds.iter().map(|record| DoubleSigner {
        bureau: seen(&stored.roster, record.bureau),
        address: Address::of(&record.key),
        height: record.proof.first.vote.height.0,
        recorded: record.height.0,
        recorded_ms: record.time.0,
    });
    each.collect()
}
