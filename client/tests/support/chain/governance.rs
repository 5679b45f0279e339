//! What the chain in memory knows of governance: enough to propose, vote, decide and withdraw. Which actions the real
//! ledger refuses is not repeated here; `refuses` plays it.

use kanhe_proto::api::{ProposalAnswer, ProposalEffects, ProposalsAnswer, RegistryChange};
use kanhe_proto::governance::{
    Action, GovernancePayload, GovernanceVotes, OpenProposal, OpenProposals, Proposal, ProposalContent, ProposalVotes,
    Tally, open_proposals_key, proposal_content_key, proposal_id, proposal_votes_key, tally, withdraw_bytes,
};
use kanhe_proto::hand_over::{Act, HAND_OVER_VERSION, HandOver};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::item::Item;
use kanhe_proto::limits::PROPOSAL_BYTES_MAX;
use kanhe_proto::record::{Choice, GovernanceRecord, GovernanceVote};
use kanhe_proto::registry::{CatalogueEntry, ItemCatalogue, Membership, Seat, SeatState, Seats};

use super::*;

pub const SECOND_FIRST: &str = "11370100MB2858155";
pub const THIRD_FIRST: &str = "11370100MB2858163";

/// Why a transaction is refused.
type Refused = &'static str;
type Registry = BTreeMap<MapKey, Vec<u8>>;

impl Chain {
    /// A consortium of three bureaus, and the seeds of their governance keys.
    pub fn of_three(seed: u8) -> (Self, Vec<(Uscc, [u8; 32])>) {
        let mut chain = Self::new(seed);
        let mut bureaus = vec![(chain.issuer, [seed.wrapping_add(4); 32])];
        for (place, first) in [SECOND_FIRST, THIRD_FIRST].into_iter().enumerate() {
            let uscc = Uscc::with_check(first).unwrap();
            let secret = [seed.wrapping_add(20 + place as u8); 32];
            let bureau = Bureau {
                uscc,
                names: names("高新区部门", "Another bureau"),
                region: Text::new("370100").unwrap(),
                addresses: List::empty(),
                intervals: always(),
            };
            chain.genesis.bureaus.push(bureau).unwrap();
            let key = SecretKey::from_seed(secret).public_key();
            chain.genesis.keys.push(key_entry(uscc, KeyRole::Governance, key)).unwrap();
            bureaus.push((uscc, secret));
        }
        chain.genesis.check().unwrap();
        (chain, bureaus)
    }

    /// The text of this digest: a schema of genesis, or the file of an item that was decided.
    pub fn text(&self, digest: &str) -> Option<String> {
        let files = self.records.iter().filter_map(|record| GovernanceRecord::from_record(record).ok());
        let proposals = files.filter_map(|record| Proposal::from_bytes(&record.proposal).ok());
        let actions = proposals.flat_map(|proposal| proposal.actions.into_vec());
        let files = actions.filter_map(|action| match action {
            Action::RegisterItem { file, .. } => Some(file.to_string()),
            _ => None,
        });
        let mut texts = self.genesis.schemas.iter().map(ToString::to_string).chain(files);
        texts.find(|text| schema_digest(text).to_string() == digest)
    }

    /// The registry now.
    pub fn registry_now(&self) -> Registry {
        let mut registry = self.genesis.registry().unwrap();
        registry.extend(self.decided.clone());
        registry
    }
    fn get<T: RegistryRecord>(&self, registry: &Registry, id: &T::Id) -> Option<T> {
        registry.get(&T::key_of(id)).map(|value| T::from_value(value).unwrap())
    }
    fn leaf<T: MapValue>(&self, key: &MapKey) -> Option<T> {
        self.state.get(key).map(|value| T::from_value(value).unwrap())
    }

    /// Executes a governance transaction of any member.
    pub(super) fn govern(&mut self, transaction: &Transaction, id: &TransactionId) -> Result<(), Refused> {
        let body = &transaction.body;
        let registry = self.registry_now();
        let key: KeyEntry = self.get(&registry, &(body.sender, body.key)).ok_or("unknown_key")?;
        if !matches!(key.role, KeyRole::Issuing | KeyRole::Governance) {
            return Err("key_role");
        }
        key.key.verify(&Transaction::sign_bytes(id), &transaction.signature).map_err(|_| "bad_signature")?;
        let Payload::Governance(payload) = Payload::from_raw(&body.payload, self.genesis.protocol).unwrap() else {
            panic!("governance was asked for")
        };
        match payload {
            GovernancePayload::Propose { proposal, votes } => self.propose(proposal, votes),
            GovernancePayload::Vote { proposal, votes } => self.vote(&proposal, &votes),
            GovernancePayload::Withdraw { proposal, bureau, key, signature } => {
                let entry: KeyEntry = self.get(&registry, &(bureau, key)).ok_or("unknown_key")?;
                let bytes = withdraw_bytes(&self.genesis.chain(), &proposal);
                entry.key.verify(&bytes, &signature).map_err(|_| "vote_signature")?;
                self.leaf::<ProposalVotes>(&proposal_votes_key(&proposal)).ok_or("proposal_unknown")?;
                self.close(&proposal);
                Ok(())
            }
            GovernancePayload::Activate { .. } => panic!("nobody takes a seat here"),
        }
    }

    fn check_votes(&self, id: &ProposalId, votes: &[GovernanceVote]) -> Result<(), Refused> {
        let registry = self.registry_now();
        for vote in votes {
            let entry: KeyEntry = self.get(&registry, &(vote.bureau, vote.key)).ok_or("unknown_key")?;
            let bytes = GovernanceVote::sign_bytes(&self.genesis.chain(), id, vote.choice);
            entry.key.verify(&bytes, &vote.signature).map_err(|_| "vote_signature")?;
            assert_eq!(entry.role, KeyRole::Governance);
        }
        Ok(())
    }

    fn propose(&mut self, bytes: Blob<PROPOSAL_BYTES_MAX>, votes: GovernanceVotes) -> Result<(), Refused> {
        let (id, proposal) = (proposal_id(&bytes), Proposal::from_bytes(&bytes).unwrap());
        let parameters = &self.genesis.parameters;
        proposal.check(&self.genesis.chain(), parameters).map_err(|error| error.code())?;
        assert!(proposal.created <= now(), "made later than the block");
        let own = |vote: &GovernanceVote| vote.bureau == proposal.proposer && vote.choice == Choice::Yes;
        assert!(votes.iter().any(own));
        self.check_votes(&id, &votes)?;
        if let Some(code) = self.refuses {
            return Err(code);
        }
        if self.decide(&proposal, &bytes, &votes) {
            return Ok(());
        }
        let mut open: OpenProposals = self.leaf(&open_proposals_key()).unwrap_or_default();
        let (proposer, expires) = (proposal.proposer, proposal.expires);
        open.open.push(OpenProposal { id, proposer, expires }).unwrap();
        self.state.insert(open_proposals_key(), open.to_value());
        self.state.insert(proposal_content_key(&id), ProposalContent { proposal: bytes }.to_value());
        let height = Height(self.height);
        self.state.insert(proposal_votes_key(&id), ProposalVotes { proposer, expires, height, votes }.to_value());
        Ok(())
    }

    fn vote(&mut self, id: &ProposalId, given: &GovernanceVotes) -> Result<(), Refused> {
        let content: ProposalContent = self.leaf(&proposal_content_key(id)).ok_or("proposal_unknown")?;
        let mut leaf: ProposalVotes = self.leaf(&proposal_votes_key(id)).ok_or("proposal_unknown")?;
        self.check_votes(id, given)?;
        if let Some(code) = self.refuses {
            return Err(code);
        }
        let kept = leaf.votes.iter().filter(|vote| !given.iter().any(|new| new.bureau == vote.bureau));
        let mut votes: Vec<GovernanceVote> = kept.chain(given).cloned().collect();
        votes.sort_by_key(|vote| vote.bureau);
        leaf.votes = List::new(votes).unwrap();
        let proposal = Proposal::from_bytes(&content.proposal).unwrap();
        if self.decide(&proposal, &content.proposal, &leaf.votes.clone()) {
            self.close(id);
        } else {
            self.state.insert(proposal_votes_key(id), leaf.to_value());
        }
        Ok(())
    }

    fn close(&mut self, id: &ProposalId) {
        let mut open: OpenProposals = self.leaf(&open_proposals_key()).unwrap();
        open.open = List::new(open.open.iter().filter(|entry| entry.id != *id).copied().collect()).unwrap();
        self.state.insert(open_proposals_key(), open.to_value());
        self.state.remove(&proposal_content_key(id));
        self.state.remove(&proposal_votes_key(id));
    }

    fn count(&self, proposal: &Proposal, votes: &[GovernanceVote]) -> Tally {
        let members: Membership = self.get(&self.registry_now(), &()).unwrap();
        tally(proposal, votes, &members, &self.genesis.parameters)
    }

    fn decide(&mut self, proposal: &Proposal, bytes: &Blob<PROPOSAL_BYTES_MAX>, votes: &GovernanceVotes) -> bool {
        let counted = self.count(proposal, votes);
        if !counted.decided {
            return false;
        }
        self.decided.extend(self.executed(proposal));
        let record = GovernanceRecord {
            proposal: bytes.clone(),
            votes: votes.clone(),
            members: counted.members as u32,
            threshold: counted.threshold,
            height: Height(self.height),
            time: now(),
        };
        self.records.push(record.to_record());
        true
    }

    /// Registry records as they would be.
    fn executed(&self, proposal: &Proposal) -> Registry {
        let (mut registry, mut changed) = (self.registry_now(), Registry::new());
        let by = || Authority::Vote(proposal.id());
        let from = Height(self.height + 1);
        for action in &proposal.actions {
            let mut put = |key: MapKey, value: Vec<u8>| {
                registry.insert(key, value.clone());
                changed.insert(key, value);
            };
            match action.clone() {
                Action::AdmitBureau { bureau, names, region, addresses, keys } => {
                    let intervals = Intervals::from(from, by());
                    let record = Bureau { uscc: bureau, names, region, addresses, intervals };
                    put(record.key(), record.to_value());
                    for new in &keys {
                        let intervals = Intervals::from(from, by());
                        let entry = KeyEntry { intervals, ..key_entry(bureau, new.role, new.key.clone()) };
                        put(entry.key(), entry.to_value());
                    }
                    let mut members = self.get::<Membership>(&self.registry_now(), &()).unwrap().bureaus.into_vec();
                    members.push(bureau);
                    members.sort();
                    let members = Membership { bureaus: List::new(members).unwrap() };
                    put(members.key(), members.to_value());
                }
                Action::SeatValidator { bureau, key, power } => {
                    let seats: Seats = self.get(&self.registry_now(), &()).unwrap();
                    let known = seats.get(&key).is_some();
                    let mut all: Vec<Seat> = seats.all().iter().filter(|seat| seat.key != key).cloned().collect();
                    let until = proposal.expires;
                    let state = if known { SeatState::Active } else { SeatState::Decided { until } };
                    all.push(Seat { bureau, key, power, state, by: Some(proposal.id()) });
                    let seats = Seats::new(all).unwrap();
                    put(seats.key(), seats.to_value());
                }
                Action::SetParameters { parameters } => put(parameters.key(), parameters.to_value()),
                Action::RotateKey { bureau, new, .. } => {
                    let entry = key_entry(bureau, new.role, new.key);
                    put(entry.key(), entry.to_value());
                }
                Action::DistrustKey { bureau, key, since } => {
                    let mut entry: KeyEntry = self.get(&self.registry_now(), &(bureau, key)).unwrap();
                    entry.distrusted_from = Some(since);
                    put(entry.key(), entry.to_value());
                }
                Action::RegisterItem { file, bound } => {
                    let item = Item::from_json(&file).unwrap();
                    let mut record = item.service_item(&bound).unwrap();
                    record.intervals = Intervals::from(from, by());
                    put(record.key(), record.to_value());
                    let known: Option<ItemCatalogue> = self.get(&self.registry_now(), &());
                    let entry = CatalogueEntry { code: item.code, newest: item.version, in_force: true };
                    let catalogue = known.unwrap_or_default().with(entry).unwrap();
                    put(catalogue.key(), catalogue.to_value());
                }
                Action::DeclareData { bureau, classes } => {
                    self.declared(bureau, &classes, true).into_iter().for_each(|(key, value)| put(key, value));
                }
                Action::RetireItem { code } => {
                    let known: ItemCatalogue = self.get(&self.registry_now(), &()).unwrap();
                    let entry = CatalogueEntry { in_force: false, ..known.find(&code).unwrap().clone() };
                    let catalogue = known.with(entry).unwrap();
                    put(catalogue.key(), catalogue.to_value());
                }
                _ => {}
            }
        }
        changed
    }

    /// What a proposal would do.
    pub fn dry_run(&self, bytes: &[u8]) -> ProposalEffects {
        self.effects(&Proposal::from_bytes(bytes).unwrap(), &[])
    }

    fn effects(&self, proposal: &Proposal, votes: &[GovernanceVote]) -> ProposalEffects {
        let before = self.registry_now();
        let set = self.validators();
        let change = |(key, after): (MapKey, Vec<u8>)| RegistryChange {
            before: before.get(&key).map(|value| Blob::new(value.clone()).unwrap()),
            after: Blob::new(after).unwrap(),
        };
        ProposalEffects {
            unproven: true,
            id: proposal.id(),
            height: Height(self.height),
            tally: self.count(proposal, votes),
            refusal: self.refuses.map(str::to_owned),
            changes: self.executed(proposal).into_iter().map(change).collect(),
            validators: set.clone(),
            next_validators: Some(set.clone()),
            living: vec![set.members()[0].address],
            last_signed: Vec::new(),
        }
    }

    /// The set that certifies.
    pub(super) fn validators(&self) -> ValidatorSet {
        self.sets.0.clone().unwrap_or_else(|| self.genesis.validator_set().unwrap())
    }

    /// Ends an epoch: the last record of the log explains what the seats changed.
    pub fn hand_over(&mut self) {
        let seats: Seats = self.get(&self.registry_now(), &()).unwrap();
        self.sets.1 = Some(seats.validator_set().unwrap());
        let certified = self.certified();
        let index = self.records.len() as u64 - 1;
        let record = self.records.last().unwrap().clone();
        let decided = GovernanceRecord::from_record(&record).unwrap();
        let key = |vote: &GovernanceVote| self.registry_leaf(KeyEntry::key_of(&(vote.bureau, vote.key)));
        let inclusion = self.log().path(index).unwrap();
        let act = Act {
            record: ProvedRecord { index: LogIndex(index), record: Blob::new(record).unwrap(), inclusion },
            keys: List::new(decided.votes.iter().map(key).collect()).unwrap(),
        };
        let hand_over = HandOver {
            version: HAND_OVER_VERSION,
            certified,
            next: self.sets.1.clone().unwrap(),
            acts: List::new(vec![act]).unwrap(),
            parameters: self.registry_leaf(Parameters::key_of(&())),
        };
        self.handed.push(hand_over.to_bytes());
        self.sets.0 = self.sets.1.take();
    }

    /// All open proposals.
    pub fn proposals(&mut self) -> ProposalsAnswer {
        let open = Blob::new(codec::encode(&prove(&self.state, open_proposals_key()))).unwrap();
        ProposalsAnswer { certified: Blob::new(codec::encode(&self.certified())).unwrap(), open }
    }

    /// One of them.
    pub fn proposal(&mut self, id: &ProposalId) -> ProposalAnswer {
        let content: Option<ProposalContent> = self.leaf(&proposal_content_key(id));
        let votes: Option<ProposalVotes> = self.leaf(&proposal_votes_key(id));
        let effects = content
            .zip(votes)
            .map(|(content, votes)| self.effects(&Proposal::from_bytes(&content.proposal).unwrap(), &votes.votes));
        let leaf = |key| Blob::new(codec::encode(&prove(&self.state, key))).unwrap();
        let (content, votes) = (leaf(proposal_content_key(id)), leaf(proposal_votes_key(id)));
        ProposalAnswer { certified: Blob::new(codec::encode(&self.certified())).unwrap(), content, votes, effects }
    }
}
