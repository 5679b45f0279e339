//! A service item and cases of it, with the keys of those who take part.

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::{
    Act, CasePayload, Decide, FileRef, How, Issued, Join, Open, Outcome, Present, Rate, Run, SignedAct, SlotKey,
    SlotRequest, Withdraw, case_id, commitment,
};
use kanhe_proto::governance::Action;
use kanhe_proto::hash::{CaseId, Commitment, Hash, sha256};
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::item::{BoundRole, Item};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::{Authority, Intervals, Names, Purpose, PurposeClass, RegistryRecord, ServiceItem};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::transaction::Payload;
use kanhe_proto::vote::ChainContext;
use serde_json::json;

use super::{MemoryView, TYPE, World};

pub const DAY: u64 = 86_400_000;
/// Places of the item's parts.
pub const TAX: u8 = 0;
pub const KIN: u8 = 1;
pub const REGISTER: u8 = 2;
pub const DEVELOPER: u8 = 0;
pub const BUYER: u8 = 1;
pub const SPOUSE: u8 = 2;

fn words(text: &str) -> serde_json::Value {
    json!({"zh": text, "en": text})
}

/// Bureau 0 registers, bureau 1 or 2 taxes, bureau 3 knows who is kin.
pub fn item() -> Item {
    let step = |code: &str, by: &str, waits: serde_json::Value, days: u32| json!({"code": code, "names": words(code), "by": by, "waits_for": waits, "limit_days": days});
    let mut tax = step("tax", "tax", json!(["developer", "buyer"]), 3);
    (tax["rules"], tax["auto"]) = (json!(["priced"]), json!(true));
    let mut register = step("register", "registry", json!(["buyer"]), 5);
    (register["needs"], register["final"]) = (json!(["tax", "kin"]), json!(true));
    let ty = format!("{TYPE}:1");
    serde_json::from_value(json!({
        "format": 1, "code": "flat", "version": 1, "region": "370100", "names": words("flat"), "about": words("flat"),
        "purpose": "registration", "life_days": 30,
        "party": [
            {"code": "developer", "names": words("developer"), "kind": "enterprise", "opens": true},
            {"code": "buyer", "names": words("buyer"), "kind": "person", "applicant": true},
            {"code": "spouse", "names": words("spouse"), "kind": "person", "optional": true},
        ],
        "bureau": [
            {"code": "registry", "names": words("registry")}, {"code": "tax", "names": words("tax")},
            {"code": "civil", "names": words("civil")},
        ],
        "ask": [
            {"code": "papers", "of": "buyer", "to": ["registry", "tax"], "types": [ty], "claims": ["A"],
             "why": words("why")},
            {"code": "spouse_papers", "of": "spouse", "to": ["civil"], "types": [ty], "claims": ["A"],
             "why": words("why"), "optional": true},
        ],
        "field": [
            {"code": "price", "of": "developer", "to": ["tax"], "names": words("price"), "kind": "amount"},
        ],
        "step": [tax, step("kin", "civil", json!(["buyer", "spouse"]), 2), register],
        "rule": [{"code": "priced", "holds": "true", "otherwise": "return", "say": words("say")}],
        "yield": [
            {"code": "certificate", "step": "register", "type": ty, "to": "buyer", "claims": {"A": "given.papers.A"}},
        ],
    }))
    .unwrap()
}

/// One party opens and applies, one bureau decides, nothing is issued.
pub fn note() -> Item {
    let step = json!({"code": "answer", "names": words("answer"), "by": "registry", "waits_for": ["citizen"],
                      "limit_days": 1, "final": true});
    let citizen = json!({"code": "citizen", "names": words("citizen"), "kind": "person", "opens": true,
                         "applicant": true});
    serde_json::from_value(json!({
        "format": 1, "code": "note", "version": 1, "region": "370100", "names": words("note"), "about": words("note"),
        "purpose": "registration", "life_days": 2, "party": [citizen],
        "bureau": [{"code": "registry", "names": words("registry")}], "step": [step],
    }))
    .unwrap()
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

pub fn bound(world: &World, item: &Item) -> Vec<BoundRole> {
    let who = |role: &str| match role {
        "registry" => vec![0],
        "tax" => vec![1, 2],
        _ => vec![3],
    };
    let roles = item.bureau.iter().map(|role| {
        let mut bureaus: Vec<_> = who(&role.code).into_iter().map(|at| world.offices[at].uscc).collect();
        bureaus.sort_unstable();
        BoundRole { role: role.code.clone(), bureaus: List::new(bureaus).unwrap() }
    });
    roles.collect()
}

/// The actions that register both items.
pub fn registering(world: &World) -> Vec<Action> {
    let names = Names { zh: text("登记"), en: text("Registration") };
    let purpose = Action::RegisterPurpose { code: text("registration"), names, class: PurposeClass::PublicBenefit };
    let item = |item: &Item| Action::RegisterItem {
        file: Text::new(item.to_json()).unwrap(),
        bound: List::new(bound(world, item)).unwrap(),
    };
    vec![purpose, item(&item_of_both(0)), item(&item_of_both(1))]
}

fn item_of_both(at: usize) -> Item {
    if at == 0 { item() } else { note() }
}

/// Puts both items into a registry, as if they had been decided at genesis.
pub fn put(world: &World, view: &mut MemoryView) {
    let always = || Intervals::from(Height(0), Authority::Genesis);
    let purpose = |code: &str, class| Purpose {
        code: Text::new(code).unwrap(),
        names: Names { zh: Text::new(code).unwrap(), en: Text::new(code).unwrap() },
        class,
        intervals: always(),
    };
    for purpose in [purpose("registration", PurposeClass::PublicBenefit), purpose("profit", PurposeClass::Commercial)] {
        view.registry.insert(purpose.key(), purpose.to_value());
    }
    for item in [item(), note()] {
        let record = ServiceItem { intervals: always(), ..item.service_item(&bound(world, &item)).unwrap() };
        view.registry.insert(record.key(), record.to_value());
    }
}

pub fn said(what: &str) -> Commitment {
    commitment(&[7; 32], what.as_bytes())
}
pub fn file(to: u8) -> FileRef {
    FileRef { to, commitment: said("file"), bytes: 4_096 }
}
pub fn letter_key(number: u64) -> PublicKey {
    SealingSecret::from_seed(sha256(&[b"letter", &number.to_be_bytes()])).public_key()
}

/// Those who take part in one case.
#[derive(Clone)]
pub struct Flat {
    pub chain: ChainContext,
    pub number: u64,
    /// By slot.
    pub keys: [SecretKey; 3],
    pub invitation: SecretKey,
}

impl Flat {
    pub fn new(world: &World, number: u64) -> Self {
        let key = |who: &str| SecretKey::from_seed(sha256(&[who.as_bytes(), &number.to_be_bytes()]));
        let keys = [key("opener"), key("buyer"), key("spouse")];
        Self { chain: world.chain(), number, keys, invitation: key("invitation") }
    }
    pub fn id(&self) -> CaseId {
        case_id(&self.chain.chain_id, &self.keys[0].public_key())
    }
    pub fn sign(&self, act: Act, key: &SecretKey) -> SignedAct {
        act.sign(&self.chain, key).unwrap()
    }

    /// Both others are invited; bureau 2 taxes.
    pub fn opening(&self, world: &World, now: TimeMs) -> Open {
        let slots = vec![
            SlotRequest { party: BUYER, key: SlotKey::Known(self.keys[1].public_key()) },
            SlotRequest { party: SPOUSE, key: SlotKey::Invited(self.invitation.public_key()) },
        ];
        let chosen = [0, 2, 3].map(|at| world.offices[at].uscc);
        Open {
            item: item().code,
            version: item().version,
            file: item().digest(),
            not_after: TimeMs(now.0 + 3_600_000),
            key: self.keys[0].public_key(),
            letter_key: letter_key(self.number),
            chosen: List::new(chosen.to_vec()).unwrap(),
            slots: List::new(slots).unwrap(),
            files: List::new(vec![file(1)]).unwrap(),
            assisted: None,
        }
    }
    pub fn open(&self, world: &World, now: TimeMs) -> SignedAct {
        self.sign(Act::Open(self.opening(world, now)), &self.keys[0])
    }
    /// A case of the other item.
    pub fn noting(&self, world: &World, now: TimeMs) -> SignedAct {
        let open = Open {
            item: note().code,
            file: note().digest(),
            chosen: List::new(vec![world.offices[0].uscc]).unwrap(),
            slots: List::empty(),
            files: List::empty(),
            ..self.opening(world, now)
        };
        self.sign(Act::Open(open), &self.keys[0])
    }

    pub fn presenting(&self, slot: u8, round: u32) -> Present {
        let to = match slot {
            DEVELOPER => vec![file(1)],
            BUYER => vec![file(0), file(1)],
            _ => vec![file(2)],
        };
        Present {
            case: self.id(),
            slot,
            round,
            join: None,
            letter_key: letter_key(1_000 + self.number),
            files: List::new(to).unwrap(),
            assisted: None,
        }
    }
    pub fn present(&self, slot: u8, round: u32) -> SignedAct {
        self.sign(Act::Present(self.presenting(slot, round)), &self.keys[usize::from(slot)])
    }
    pub fn joining(&self) -> Present {
        let key = self.keys[2].public_key();
        let join = Join::sign(&self.chain, &self.id(), SPOUSE, key, &self.invitation).unwrap();
        Present { join: Some(join), ..self.presenting(SPOUSE, 0) }
    }
    pub fn join(&self) -> SignedAct {
        self.sign(Act::Present(self.joining()), &self.keys[2])
    }

    pub fn deciding(&self, key: &SecretKey, step: u8, round: u32, outcome: Outcome) -> Decide {
        let run = Run {
            rules: Hash([5; 32]),
            engine: Text::new("cel-0.15.0+kanhe-1").unwrap(),
            inputs: said("inputs"),
            result: said("result"),
        };
        Decide {
            case: self.id(),
            step,
            round,
            key: key.public_key().id(),
            outcome,
            how: How::Officer { officer: said("officer") },
            run: Some(run),
            reason: (outcome != Outcome::Approved).then(|| Text::new("priced").unwrap()),
            letter: None,
            passed: List::empty(),
        }
    }
    pub fn decide(&self, key: &SecretKey, step: u8, round: u32, outcome: Outcome) -> SignedAct {
        self.sign(Act::Decide(self.deciding(key, step, round, outcome)), key)
    }
    pub fn issued(&self, key: &SecretKey, step: u8) -> SignedAct {
        let issued = Issued { case: self.id(), step, key: key.public_key().id(), licences: said("licences") };
        self.sign(Act::Issued(issued), key)
    }
    pub fn withdraw(&self, slot: u8, key: &SecretKey) -> SignedAct {
        self.sign(Act::Withdraw(Withdraw { case: self.id(), slot }), key)
    }
    pub fn rate(&self, stars: u8, key: &SecretKey) -> SignedAct {
        self.sign(Act::Rate(Rate { case: self.id(), stars }), key)
    }
}

pub fn payload(acts: &[SignedAct]) -> Payload {
    Payload::Case(CasePayload { acts: List::new(acts.to_vec()).unwrap() })
}
