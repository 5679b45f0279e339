//! A case of the item of [`super::item`], with everything in it once.

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::{
    Act, Case, CaseStatus, CaseStep, Clerk, Decide, FileRef, How, Issued, Join, LETTER_VERSION, Letter, LetterContent,
    Open, Outcome, Present, Rate, Run, SignedAct, Slot, SlotKey, SlotRequest, StepState, Withdraw, case_id, commitment,
};
use kanhe_proto::hash::{CaseId, Commitment, Hash};
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::vote::ChainContext;

use super::{DAY, START, bureau, genesis, issuing_key, item, secret};

pub const NOW: TimeMs = TimeMs(START.0 + 5 * DAY);

pub fn chain() -> ChainContext {
    genesis().chain()
}
pub fn opener() -> SecretKey {
    secret(100)
}
pub fn buyer() -> SecretKey {
    secret(101)
}
pub fn spouse() -> SecretKey {
    secret(102)
}
pub fn invitation() -> SecretKey {
    secret(103)
}
pub fn letter_key(seed: u8) -> PublicKey {
    SealingSecret::from_seed([seed; 32]).public_key()
}
pub fn id() -> CaseId {
    case_id(&chain().chain_id, &opener().public_key())
}
pub fn said(what: &str) -> Commitment {
    commitment(&[7; 32], what.as_bytes())
}
pub fn file(to: u8) -> FileRef {
    FileRef { to, commitment: said("file"), bytes: 8_192 }
}

pub fn open() -> Open {
    let slots = vec![
        SlotRequest { party: 1, key: SlotKey::Known(buyer().public_key()) },
        SlotRequest { party: 2, key: SlotKey::Invited(invitation().public_key()) },
    ];
    Open {
        item: item().code,
        version: item().version,
        file: item().digest(),
        not_after: TimeMs(NOW.0 + DAY),
        key: opener().public_key(),
        letter_key: letter_key(110),
        chosen: List::new(vec![bureau(0), bureau(2), bureau(3)]).unwrap(),
        slots: List::new(slots).unwrap(),
        files: List::new(vec![file(1)]).unwrap(),
        assisted: None,
    }
}

pub fn clerk() -> Clerk {
    let (number, ground) = (Text::new("A-17").unwrap(), Text::new("registration").unwrap());
    Clerk { bureau: bureau(3), number, ground }
}
pub fn assisted() -> Act {
    Act::Open(open()).assisted_by(&chain(), clerk(), &issuing_key(3)).unwrap()
}
pub fn joins_assisted() -> Act {
    Act::Present(joins()).assisted_by(&chain(), clerk(), &issuing_key(3)).unwrap()
}

pub fn joins() -> Present {
    Present {
        case: id(),
        slot: 2,
        round: 0,
        join: Some(Join::sign(&chain(), &id(), 2, spouse().public_key(), &invitation()).unwrap()),
        letter_key: letter_key(112),
        files: List::new(vec![file(0)]).unwrap(),
        assisted: None,
    }
}

pub fn letter() -> Letter {
    let words = Text::new("请补充合同第三页。 The third page is missing.").unwrap();
    let content =
        LetterContent { version: LETTER_VERSION, chain: chain().chain_id, case: id(), step: 0, round: 1, words };
    Letter { random: [8; 32], content }
}

pub fn decide() -> Decide {
    let run = Run {
        rules: Hash([5; 32]),
        engine: Text::new("cel-0.15.0+kanhe-1").unwrap(),
        inputs: said("inputs"),
        result: said("result"),
    };
    Decide {
        case: id(),
        step: 0,
        round: 1,
        key: issuing_key(2).public_key().id(),
        outcome: Outcome::Approved,
        how: How::Officer { officer: said("officer") },
        run: Some(run),
        reason: None,
        letter: Some(said("letter")),
        passed: List::new(vec![file(0)]).unwrap(),
    }
}

/// Each act once, with the key that it is signed by.
pub fn acts() -> Vec<(&'static str, Act, SecretKey)> {
    let issued = Issued { case: id(), step: 1, key: issuing_key(0).public_key().id(), licences: said("licences") };
    let returned = Decide {
        outcome: Outcome::Returned,
        how: How::Rules,
        reason: Some(Text::new("priced").unwrap()),
        passed: List::empty(),
        ..decide()
    };
    vec![
        ("case-open", Act::Open(open()), opener()),
        ("case-open-assisted", assisted(), opener()),
        ("case-present-joins", Act::Present(joins()), spouse()),
        ("case-present", Act::Present(Present { join: None, round: 1, ..joins() }), spouse()),
        ("case-decide-approved", Act::Decide(decide()), issuing_key(2)),
        ("case-decide-returned", Act::Decide(returned), issuing_key(2)),
        ("case-issued", Act::Issued(issued), issuing_key(0)),
        ("case-withdraw", Act::Withdraw(Withdraw { case: id(), slot: 1 }), buyer()),
        ("case-present-assisted", joins_assisted(), spouse()),
        ("case-rate", Act::Rate(Rate { case: id(), stars: 5 }), buyer()),
    ]
}

pub fn signed(act: Act, key: &SecretKey) -> SignedAct {
    act.sign(&chain(), key).unwrap()
}

/// The case after some of it.
pub fn case() -> Case {
    let slot = |party, key: SlotKey, presented: Option<u64>| Slot {
        party,
        key,
        round: u32::from(party),
        presented: presented.map(TimeMs),
        letter_key: presented.map(|_| letter_key(110 + party)),
    };
    let step = |state, due: Option<TimeMs>| CaseStep { state, round: 1, since: NOW, due, issued: false };
    let slots = vec![
        slot(0, SlotKey::Known(opener().public_key()), Some(NOW.0)),
        slot(1, SlotKey::Known(buyer().public_key()), Some(NOW.0 + 5)),
        slot(2, SlotKey::Invited(invitation().public_key()), None),
    ];
    let steps = vec![step(StepState::Ready, Some(TimeMs(NOW.0 + 3 * DAY))), step(StepState::Waiting, None)];
    Case {
        id: id(),
        item: item().code,
        version: item().version,
        chosen: open().chosen,
        slots: List::new(slots).unwrap(),
        steps: List::new(steps).unwrap(),
        status: CaseStatus::Open,
        opened: NOW,
        ends: TimeMs(NOW.0 + 365 * DAY),
        events: 4,
        last: LogIndex(17),
        forget: None,
        stars: None,
    }
}
