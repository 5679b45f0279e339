//! Proposals, votes, what they leave in the registry, and proofs of double signatures.

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::equivocation::{EquivocationPayload, EquivocationRecord, SignedVote};
use kanhe_proto::governance::{
    Action, Alive, CardBody, FOUNDING, GovernancePayload, LastSigned, NewKey, OpenProposal, OpenProposals, Proposal,
    ProposalContent, ProposalVotes, activate_bytes, withdraw_bytes,
};
use kanhe_proto::hash::{HeaderHash, ProposalId};
use kanhe_proto::ids::{Height, LogIndex, Power, ProtocolVersion, Round, SpanMs};
use kanhe_proto::key::Signer;
use kanhe_proto::record::{Choice, Record};
use kanhe_proto::registry::{
    Bureau, Due, Effect, HolderKind, KeyRole, Parameters, Schedule, Scheduled, ScheduledWhat, Seat, SeatState, Seats,
};
use kanhe_proto::validators::Address;
use kanhe_proto::vote::{Vote, VoteType};

use super::{golden, golden_bytes, golden_leaf, golden_text};
use crate::world::{self, DAY, PERSON_TYPE, START, World, bureau, governance_key, issuing_key, sealing, secret, vct};

/// Every action once, for the format only: some would not be decided together.
fn proposals_of_all(world: &World) -> [Proposal; 3] {
    let chain = world.genesis.chain();
    let (code, issuer) = (PERSON_TYPE.parse::<kanhe_proto::identifiers::TypeCode>().unwrap(), bureau(0));
    let key = |role, seed| NewKey::prove(&chain, &bureau(3), role, &secret(seed)).unwrap();
    let keys = vec![key(KeyRole::Governance, 90), NewKey::sealing(sealing().public_key())];
    let addresses = List::new(vec![Text::new("/ip4/192.0.2.1/tcp/4001").unwrap()]).unwrap();
    let names = world::names("新局", "A new bureau");
    let id = issuing_key(3).public_key().id();
    let effect = Effect::VoidFrom(Height(9));
    let version = vct(PERSON_TYPE).version;
    let (supervisor, type_code) = (bureau(1), code.clone());
    let party = world::relying_party();
    let purpose = world::purpose();
    let bureau = bureau(3);
    let region = Text::new("370100").unwrap();
    let actions = [
        vec![
            Action::AdmitBureau {
                bureau,
                names: names.clone(),
                region,
                addresses: addresses.clone(),
                keys: List::new(keys).unwrap(),
            },
            Action::FreezeBureau { bureau },
            Action::ThawBureau { bureau },
            Action::RemoveBureau { bureau },
            world::seat(3, &secret(91), 2),
            world::unseat(3, &secret(91)),
            Action::RegisterType {
                code: code.clone(),
                version,
                names,
                holder: HolderKind::Person,
                schema: Text::new(world::SCHEMA).unwrap(),
                max_age: SpanMs(DAY),
            },
            Action::RetireType { code, version, effect: Effect::Keep },
            Action::Accredit { issuer, type_code: type_code.clone() },
            Action::WithdrawAccreditation { issuer, type_code: type_code.clone(), effect },
            Action::Supervise { supervisor, issuer, type_code: type_code.clone() },
            Action::EndSupervision { supervisor, issuer, type_code },
        ],
        vec![
            Action::RegisterRelyingParty {
                uscc: party.uscc,
                names: party.names,
                request_key: party.request_key,
                may_ask: party.may_ask,
                purposes: party.purposes,
            },
            Action::RemoveRelyingParty { uscc: party.uscc },
            Action::RegisterPurpose { code: purpose.code.clone(), names: purpose.names, class: purpose.class },
            Action::RetirePurpose { code: purpose.code },
        ],
        vec![
            Action::SetParameters { parameters: Box::new(world.get::<Parameters>(&())) },
            Action::ActivateProtocol { version: ProtocolVersion(3), at: Height(99) },
            Action::RotateKey { bureau, new: key(KeyRole::Issuing, 92), old: Some(id), overlap: SpanMs(DAY) },
            Action::EndKey { bureau, key: id },
            Action::DistrustKey { bureau, key: id, since: Height(5) },
            Action::Reaffirm { bureau, batches: List::new(vec![LogIndex(1), LogIndex(4)]).unwrap() },
            Action::SetAddresses { bureau, addresses },
            Action::Veto { proposal: ProposalId([8; 32]) },
        ],
    ];
    let items = vec![
        Action::RegisterItem {
            file: Text::new(world::item().to_json()).unwrap(),
            bound: List::new(world::item_bound()).unwrap(),
        },
        Action::RetireItem { code: world::item().code },
    ];
    [world.proposal(actions[..2].concat()), world.proposal(actions[2].clone()), world.proposal(items)]
}

#[test]
fn governance() {
    let world = World::new();
    let chain = world.genesis.chain();
    let [first, second, items] = proposals_of_all(&world);
    golden("proposal-items.hex", &items);
    golden("proposal-members-and-catalogue.hex", &first);
    golden("proposal-keys-and-parameters.hex", &second);
    let json = serde_json::to_string_pretty(&second).unwrap();
    golden_text("proposal.json", &format!("{json}\n"));
    assert_eq!(serde_json::from_str::<Proposal>(&json).unwrap(), second);
    let id = first.id();
    let propose = GovernancePayload::Propose {
        proposal: Blob::new(first.to_bytes()).unwrap(),
        votes: List::new(vec![world.vote(0, &id, Choice::Yes)]).unwrap(),
    };
    let vote =
        GovernancePayload::Vote { proposal: id, votes: List::new(vec![world.vote(1, &id, Choice::No)]).unwrap() };
    let (signer, validator) = (governance_key(0), secret(91));
    let withdraw = GovernancePayload::Withdraw {
        proposal: id,
        bureau: bureau(0),
        key: signer.public_key().id(),
        signature: signer.sign(&withdraw_bytes(&chain, &id)).unwrap(),
    };
    let activate = GovernancePayload::Activate {
        bureau: bureau(3),
        key: validator.public_key(),
        proposal: id,
        signature: validator.sign(&activate_bytes(&chain, &bureau(3), &id)).unwrap(),
    };
    golden("governance-propose.hex", &propose);
    golden("governance-vote.hex", &vote);
    golden("governance-withdraw.hex", &withdraw);
    golden("governance-activate.hex", &activate);
    golden_bytes("governance-withdraw-sign-bytes.hex", &withdraw_bytes(&chain, &id));
    golden_bytes("governance-activate-sign-bytes.hex", &activate_bytes(&chain, &bureau(3), &id));
    golden_bytes(
        "governance-possession-sign-bytes.hex",
        &NewKey::possession_bytes(&chain, &bureau(3), KeyRole::Issuing),
    );
    let keys = vec![NewKey::prove(&FOUNDING, &bureau(0), KeyRole::Governance, &signer).unwrap()];
    let Bureau { names, region, addresses, .. } = world.get(&bureau(0));
    let (version, keys) = (CardBody::VERSION, List::new(keys).unwrap());
    let body = CardBody { version, chain: FOUNDING, created: START, bureau: bureau(0), names, region, addresses, keys };
    golden("membership-card.hex", &body.sign(&signer).unwrap());
}

#[test]
fn governance_leaves() {
    let world = World::new();
    let [proposal, ..] = proposals_of_all(&world);
    let (id, address) = (proposal.id(), Address::of(&world.validators[0].public_key()));
    let mut seats = world.get::<Seats>(&()).all().to_vec();
    let until = proposal.expires;
    let seat = |key: u8, state| Seat {
        bureau: bureau(3),
        key: secret(key).public_key(),
        power: Power(2),
        state,
        by: Some(id),
    };
    seats.push(seat(91, SeatState::Decided { until }));
    seats.push(seat(92, SeatState::Replacing { old: world.validators[3].public_key(), until }));
    golden_leaf("leaf-seats.hex", &Seats::new(seats).unwrap());
    let key = issuing_key(3).public_key().id();
    let entries = [
        (Due::Time(until), ScheduledWhat::KeyBegins { bureau: bureau(3), key }),
        (Due::Time(until), ScheduledWhat::KeyEnds { bureau: bureau(3), key }),
        (Due::Time(until), ScheduledWhat::SeatLapses { key: secret(91).public_key() }),
        (Due::Height(Height(99)), ScheduledWhat::Protocol { version: ProtocolVersion(3) }),
    ];
    let entries = entries.map(|(due, what)| Scheduled { due, what, by: id }).to_vec();
    golden_leaf("leaf-schedule.hex", &Schedule { entries: List::new(entries).unwrap() });
    let content = Blob::new(proposal.to_bytes()).unwrap();
    golden_leaf("leaf-proposal-content.hex", &ProposalContent { proposal: content });
    let votes = List::new(vec![world.vote(0, &id, Choice::Yes)]).unwrap();
    golden_leaf(
        "leaf-proposal-votes.hex",
        &ProposalVotes { proposer: bureau(0), expires: until, height: Height(7), votes },
    );
    let open = OpenProposal { id, proposer: bureau(0), expires: until };
    golden_leaf("leaf-open-proposals.hex", &OpenProposals { open: List::new(vec![open]).unwrap() });
    let last = LastSigned { address, height: Height(7) };
    golden_leaf("leaf-alive.hex", &Alive { last: List::new(vec![last]).unwrap() });
}

#[test]
fn double_signatures() {
    let world = World::new();
    let key = &world.validators[0];
    let (chain, address) = (world.genesis.chain(), Address::of(&key.public_key()));
    let signed = |value| {
        let vote = Vote { vote_type: VoteType::Precommit, height: Height(7), round: Round(2), value, address };
        SignedVote { vote, signature: key.sign(&vote.sign_bytes(&chain)).unwrap() }
    };
    let proof = EquivocationPayload::new(signed(Some(HeaderHash([7; 32]))), signed(None));
    golden("equivocation.hex", &proof);
    let (height, time) = (Height(9), world.time);
    let record = EquivocationRecord { bureau: bureau(0), key: key.public_key(), proof, height, time };
    golden_bytes("record-equivocation.hex", &record.to_record());
    assert_eq!(EquivocationRecord::from_record(&record.to_record()).unwrap(), record);
}
