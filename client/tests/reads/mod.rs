//! Consent and reads by the command: two bureaus and a person over a chain in memory, from the consent to the log.

mod assisted;
mod cases;
mod refusals;
mod sharing;

use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::registry::PurposeClass;
use serde_json::Value;

use crate::support::chain::Chain;
use crate::support::chain::consents::Member;
use crate::support::command::{Ended, Home, Running};
use crate::support::server::Node;

pub const IDENTITY: &str = "DEMOJMSFZ001";
const HOSPITAL_FIRST: &str = "12370100MB2850012";
const CLINIC_FIRST: &str = "12370100MB2850020";

/// A bureau that has issued an identity card to a patient, a hospital and a clinic that may ask, and an auditor.
pub struct Ward {
    pub node: Node,
    pub source: Home,
    pub patient: Home,
    pub hospital: Home,
    pub clinic: Home,
    pub members: Vec<Member>,
    pub uscc: String,
    /// The patient's id number, as the source has it.
    pub number: String,
    pub name: String,
}

impl Ward {
    pub fn new(seed: u8) -> Self {
        Self::with_people(seed, "1")
    }

    /// With so many people in the source's register; the first is the patient.
    pub fn with_people(seed: u8, count: &str) -> Self {
        let mut chain = Chain::new(seed);
        let members = vec![
            chain.join(HOSPITAL_FIRST, "Hospital", seed.wrapping_add(40)),
            chain.join(CLINIC_FIRST, "Clinic", seed.wrapping_add(50)),
        ];
        chain.purpose("treatment", PurposeClass::PublicBenefit);
        chain.purpose("relief", PurposeClass::PublicBenefit);
        chain.purpose("marketing", PurposeClass::Commercial);
        let (issuing, sealing, uscc) = (*chain.issuing.seed(), *chain.sealing.seed(), chain.issuer.to_string());
        let id = chain.genesis.chain_id().to_string();
        let node = Node::serve(chain);
        let [source, patient, hospital, clinic] = [(); 4].map(|()| Home::new(Some(&node.url)));
        for home in [&source, &patient, &hospital, &clinic] {
            home.ok(&["trust", "pin", "--chain-id", &id]);
        }
        source.key_file("issuing.key", KeyFileRole::Issuing, &issuing);
        source.key_file("sealing.key", KeyFileRole::Sealing, &sealing);
        for (home, member) in [(&hospital, &members[0]), (&clinic, &members[1])] {
            home.key_file("issuing.key", KeyFileRole::Issuing, &member.issuing);
            home.key_file("sealing.key", KeyFileRole::Sealing, &member.sealing);
            home.key_file("gov.key", KeyFileRole::Governance, &member.governance);
        }
        patient.ok(&["wallet", "init"]);
        let (number, name) = (String::new(), String::new());
        let mut ward = Self { node, source, patient, hospital, clinic, members, uscc, number, name };
        ward.issue(count);
        ward
    }

    pub fn chain(&self) -> std::sync::MutexGuard<'_, Chain> {
        self.node.chain.lock().unwrap()
    }

    fn issue(&mut self, count: &str) {
        let words = ["wallet", "apply", "--type", IDENTITY, "--issuer", &self.uscc, "--count", count];
        self.patient.ok(&[&words[..], &["--out", "applications"]].concat());
        self.patient.copy("applications", &self.source.at("applications"));
        let sample = ["sample", "--type", "identity-card", "--count", count, "--seed", "7", "--out", "people.csv"];
        self.source.ok(&[&sample[..], &["--applications", "applications"]].concat());
        let issue = ["licence", "issue", "people.csv", "--type", IDENTITY, "--key", "issuing.key", "--out", "out"];
        let issued = self.source.ok(&[&issue[..], &["--sealing-key", "sealing.key", "--yes"]].concat()).json();
        self.source.copy(issued["deliveries"].as_str().unwrap(), &self.patient.at("deliveries.jsonl"));
        let line = std::fs::read_to_string(self.patient.at("deliveries.jsonl")).unwrap();
        let first = line.lines().next().unwrap().to_owned();
        self.patient.write("mine.jsonl", first.as_bytes());
        let taken = self.patient.ok(&["wallet", "import", "mine.jsonl"]).json();
        let id = taken[0]["id"].as_str().unwrap().to_owned();
        let claims = self.patient.ok(&["wallet", "show", &id]).json()["claims"].clone();
        assert!(claims.get("kanhe_trace").is_none(), "shown to nobody: {claims}");
        self.number = claims["CZZTDM"].as_str().unwrap().to_owned();
        self.name = claims["CZZT"].as_str().unwrap().to_owned();
    }

    /// Registers an item whose roles the source's bureau plays, all of them.
    pub fn register(&self, seed: u8, item: &str, roles: &[&str]) {
        let office = Home::new(Some(&self.node.url));
        office.write("genesis", &self.chain().genesis.to_bytes());
        office.ok(&["trust", "pin", "--genesis", "genesis"]);
        office.key_file("gov.key", KeyFileRole::Governance, &[seed.wrapping_add(4); 32]);
        office.write("item.toml", item.as_bytes());
        let bound: Vec<String> = roles.iter().map(|role| format!("{role}={}", self.uscc)).collect();
        let bound = bound.iter().flat_map(|bound| ["--bind", bound]);
        let words = ["gov", "propose", "register-item", "item.toml", "--key", "gov.key", "--yes"];
        office.ok(&words.into_iter().chain(bound).collect::<Vec<_>>());
    }
    /// The source's desk, which is reader and source at once, until there is nothing to do.
    pub fn desk(&self) -> Ended {
        self.source.run(&["desk", "run", "--once", "--key", "issuing.key", "--sealing-key", "sealing.key"])
    }
    /// Runs the desk until the step rests or is decided.
    pub fn desk_until(&self, state: &str) -> Value {
        for _ in 0..8 {
            self.desk();
            let listed = self.source.ok(&["desk", "list", "--all"]).json();
            if listed[0]["state"] == state {
                return listed;
            }
        }
        panic!("{:?}", self.source.ok(&["desk", "list", "--all"]).json());
    }

    /// The source's running process.
    pub fn serve(&self) -> Running {
        self.source.start(&["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key"])
    }

    /// A consent of the patient for the hospital; its id, and the file that is handed over.
    pub fn grant(&self, more: &[&str]) -> (Value, String) {
        let words = ["consent", "grant", "--to", &self.members[0].uscc.to_string(), "--purpose", "treatment"];
        let terms = ["--source", &self.uscc, "--type", IDENTITY, "--claims", "CZZT,KZ_CSRQ", "--yes"];
        let shown = self.patient.ok(&[&words[..], &terms, more].concat()).json();
        let ticket = shown["ticket"].as_str().unwrap().to_owned();
        (shown, ticket)
    }

    /// A read by a member, by its place.
    pub fn read(&self, place: usize, more: &[&str]) -> Ended {
        let home = if place == 0 { &self.hospital } else { &self.clinic };
        let uscc = self.members[place].uscc.to_string();
        let words = ["read", "request", "--source", &self.uscc, "--key", "issuing.key", "--as", &uscc];
        home.run(&[&words[..], more].concat())
    }

    pub fn read_on_consent(&self, ticket: &str, claims: &str, more: &[&str]) -> Ended {
        let words = ["--type", IDENTITY, "--claims", claims, "--basis", "consent", "--consent", ticket];
        self.read(0, &[&words[..], more].concat())
    }

    pub fn read_on_rule(&self, place: usize, purpose: &str, number: &str) -> Ended {
        let words = ["--type", IDENTITY, "--claims", "CZZT", "--basis", "statute", "--purpose", purpose];
        self.read(place, &[&words[..], &["--subject", number]].concat())
    }

    /// Reads that were recorded and given.
    pub fn given(&self) -> usize {
        self.chain().access_records().iter().filter(|record| record.read.read.refused().is_none()).count()
    }
    /// Codes of refusals that were recorded.
    pub fn refusals(&self) -> Vec<String> {
        let records = self.chain().access_records();
        records.iter().filter_map(|record| record.read.read.refused().map(str::to_owned)).collect()
    }

    pub fn log(&self) -> Value {
        self.patient.ok(&["consent", "log"]).json()
    }
}
