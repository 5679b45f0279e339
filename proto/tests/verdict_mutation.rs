//! Damage of every kind to a good, a revoked and a double response: 200,000 seeded mutations.
//!
//! Whatever is changed, the verdict on a licence is the one that it had, to the last claim, or the licence is wrong in
//! itself or undecided and shows nothing. So damage never makes a licence good, and never withdraws one. A failure
//! names its scenario, seed and number; the same number makes the same mutation again.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::codec::{self, BYTES_MAX};
use kanhe_proto::evidence::{Evidence, LicencePath};
use kanhe_proto::request::Request;
use kanhe_proto::response::Response;
use kanhe_proto::status::Status;
use kanhe_proto::text::{base64url, from_base64url};
use kanhe_proto::trust::Trust;
use kanhe_proto::verdict::{Outcome, Rule, Verdict, verify_response};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use world::{BUSINESS_TYPE, PERSON_TYPE, Spec, World, staple};

const SEED: u64 = 0x6B61_6E68_6500_0001;
const MUTATIONS: u64 = 200_000;
const THREADS: u64 = 4;

/// A response, its verdict, and other pieces under the same header to mix in.
struct Scenario {
    name: &'static str,
    request: Request,
    trust: Trust,
    now: kanhe_proto::ids::TimeMs,
    response: Response,
    donor: Response,
    verdict: Verdict,
}

impl Scenario {
    fn new(
        name: &'static str,
        world: &World,
        request: Request,
        held: &[&world::Held],
        donors: &[&world::Held],
    ) -> Self {
        let (response, donor) = (world.respond(&request, held), world.respond(&request, donors));
        let trust = world.trust();
        let verdict = verify_response(&response.to_bytes(), &request, &trust, world.time, None);
        Self { name, request, trust, now: world.time, response, donor, verdict }
    }
    fn all() -> Vec<Self> {
        let mut world = World::new();
        let persons = world.issue(&[1, 2, 3].map(|at| Spec::new(PERSON_TYPE, 100 + at, at)));
        let others = world.issue(&[Spec::new(PERSON_TYPE, 110, 1)]);
        let businesses = world.issue(&[1, 2].map(|at| Spec::new(BUSINESS_TYPE, 120 + at, at)));
        let entry = world.entry(Status::Revoked);
        world.set_licence(&persons[1], vec![entry]);
        world.block();
        let usual = world.usual_request();
        let two = world.request(&[("b", PERSON_TYPE, &["name"]), ("a", BUSINESS_TYPE, &["ZZMC"])], true);
        let scenarios = vec![
            Self::new("good", &world, usual.clone(), &[&persons[0]], &[&persons[1]]),
            Self::new("revoked", &world, usual, &[&persons[1]], &[&others[0]]),
            Self::new("two", &world, two, &[&persons[0], &businesses[0]], &[&others[0], &businesses[1]]),
        ];
        let outcomes: Vec<Outcome> = scenarios.iter().map(|scenario| scenario.verdict.outcome).collect();
        assert_eq!(outcomes, [Outcome::Valid, Outcome::Revoked, Outcome::Valid]);
        scenarios
    }

    /// Makes one mutation and judges it; true if the verdict stayed.
    fn try_one(&self, number: u64) -> bool {
        let rng = &mut ChaCha8Rng::seed_from_u64(SEED.wrapping_add(number));
        let bytes = self.mutated(rng);
        let judged =
            catch_unwind(AssertUnwindSafe(|| verify_response(&bytes, &self.request, &self.trust, self.now, None)));
        let place = format!("scenario {}, seed {SEED:#x}, mutation {number}", self.name);
        let verdict = judged.unwrap_or_else(|_| panic!("panic: {place}"));
        if verdict == self.verdict {
            return true;
        }
        assert!(verdict.rule <= Rule(2), "{place}: {verdict:?}");
        for licence in &verdict.licences {
            let stayed = self.verdict.licences.contains(licence);
            let nothing = licence.rule <= Rule(2) && (licence.claims.is_empty() || licence.code == "not_same_holder");
            assert!(stayed || nothing, "{place}: {licence:?}");
        }
        false
    }

    fn mutated(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut response = self.response.clone();
        let ids: Vec<String> = response.vp_token.keys().cloned().collect();
        let id = ids[rng.random_range(0..ids.len())].clone();
        match rng.random_range(0..10) {
            0 | 1 => {
                let donor = self.donor.to_bytes();
                return damage(&response.to_bytes(), &donor, rng);
            }
            2 => {
                let stapled = response.evidence.get_mut(&id).unwrap();
                let bytes = damage(&stapled.evidence, &self.donor.evidence[&id].evidence, rng);
                stapled.evidence = Blob::new(bytes).unwrap_or_default();
            }
            3 => {
                let stapled = response.evidence.get_mut(&id).unwrap();
                let bytes = damage(&stapled.path, &self.donor.evidence[&id].path, rng);
                stapled.path = Blob::new(bytes).unwrap_or_default();
            }
            4..=6 => {
                let token = &mut response.vp_token.get_mut(&id).unwrap()[0];
                *token = damage_token(token, &self.donor.vp_token[&id][0], rng);
            }
            7 | 8 => self.damage_evidence(&mut response, &id, rng),
            _ => self.swap_parts(&mut response, &id, rng),
        }
        response.to_bytes()
    }

    /// Changes fields of the decoded evidence, so that the encoding is canonical again.
    fn damage_evidence(&self, response: &mut Response, id: &str, rng: &mut ChaCha8Rng) {
        let mut evidence = Evidence::from_bytes(&response.evidence[id].evidence).unwrap();
        let mut path: LicencePath = codec::decode(&response.evidence[id].path, BYTES_MAX).unwrap();
        let donor = Evidence::from_bytes(&self.donor.evidence[id].evidence).unwrap();
        let other: LicencePath = codec::decode(&self.donor.evidence[id].path, BYTES_MAX).unwrap();
        let certificate = &mut evidence.certified.certificate;
        match rng.random_range(0..22) {
            0 => evidence.issuer = re_encoded(&evidence.issuer, rng),
            1 => evidence.key = re_encoded(&evidence.key, rng),
            2 => evidence.accreditation = re_encoded(&evidence.accreditation, rng),
            3 => evidence.licence_type = re_encoded(&evidence.licence_type, rng),
            4 => evidence.batch = re_encoded(&evidence.batch, rng),
            5 => evidence.batch_status = re_encoded(&evidence.batch_status, rng),
            6 => evidence.licence_status = re_encoded(&evidence.licence_status, rng),
            7 => evidence.supervisions = re_encoded(&evidence.supervisions, rng),
            8 => evidence.certified.header = re_encoded(&evidence.certified.header, rng),
            9 => *certificate = re_encoded(certificate, rng),
            10 => path = re_encoded(&path, rng),
            11 => {
                let keep = rng.random_range(0..=certificate.signatures.len());
                certificate.signatures = List::new(certificate.signatures[..keep].to_vec()).unwrap();
                certificate.signers = Blob::new(vec![rng.random::<u8>()]).unwrap();
            }
            12 => {
                let count = certificate.signatures.len();
                let (a, b) = (rng.random_range(0..count), rng.random_range(0..count));
                certificate.signatures.as_mut_slice().swap(a, b);
            }
            13 => evidence.batch = donor.batch,
            14 => evidence.batch_status = donor.batch_status,
            15 => evidence.licence_status = donor.licence_status,
            16 => path = other,
            17 => (evidence.batch, path) = (donor.batch, other),
            18 => evidence.key = donor.key,
            19 => std::mem::swap(&mut evidence.issuer, &mut evidence.accreditation),
            20 => std::mem::swap(&mut evidence.batch_status, &mut evidence.licence_status),
            _ => evidence.licence_status.value = None,
        }
        response.evidence.insert(id.to_owned(), staple(&evidence, &path));
    }

    /// Puts whole parts of another response, or of another place, where they don't belong.
    fn swap_parts(&self, response: &mut Response, id: &str, rng: &mut ChaCha8Rng) {
        let donor_ids: Vec<&String> = self.donor.vp_token.keys().collect();
        let from = donor_ids[rng.random_range(0..donor_ids.len())].as_str();
        match rng.random_range(0..8) {
            0 => drop(response.evidence.insert(id.to_owned(), self.donor.evidence[from].clone())),
            1 => drop(response.vp_token.insert(id.to_owned(), self.donor.vp_token[from].clone())),
            2 => response.evidence.get_mut(id).unwrap().path = self.donor.evidence[from].path.clone(),
            3 => response.evidence.get_mut(id).unwrap().evidence = self.donor.evidence[from].evidence.clone(),
            4 => {
                let mine = &response.vp_token[id][0];
                let theirs = &self.donor.vp_token[from][0];
                let (licence, _) = mine.rsplit_once('~').unwrap();
                let (_, binding) = theirs.rsplit_once('~').unwrap();
                response.vp_token.insert(id.to_owned(), vec![format!("{licence}~{binding}")]);
            }
            5 => drop(response.evidence.remove(id)),
            6 => {
                let token = response.vp_token[id][0].clone();
                response.vp_token.get_mut(id).unwrap().push(token);
            }
            _ => {
                let token = self.response.vp_token.values().next_back().unwrap().clone();
                response.vp_token.insert(id.to_owned(), token);
            }
        }
    }
}

/// A value whose encoding was damaged and decodes again; itself if nothing of it does.
fn re_encoded<T: codec::Encode + codec::Decode<()> + Clone>(value: &T, rng: &mut ChaCha8Rng) -> T {
    let bytes = codec::encode(value);
    for _ in 0..20 {
        let mut changed = bytes.clone();
        let at = rng.random_range(0..changed.len());
        changed[at] ^= 1 << rng.random_range(0..8);
        if let Ok(changed) = codec::decode(&changed, BYTES_MAX) {
            return changed;
        }
    }
    value.clone()
}

/// One mutation of bytes.
fn damage(bytes: &[u8], donor: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if out.is_empty() {
        return donor.to_vec();
    }
    let at = rng.random_range(0..out.len());
    let end = (at + rng.random_range(1..64)).min(out.len());
    match rng.random_range(0..9) {
        0..=2 => out[at] ^= 1 << rng.random_range(0..8),
        3 => out[at] = rng.random(),
        4 => out.truncate(at),
        5 => drop(out.drain(at..end)),
        6 => {
            let again = out[at..end].to_vec();
            out.splice(at..at, again);
        }
        7 => {
            let end = end.min(donor.len());
            if at < end {
                out[at..end].copy_from_slice(&donor[at..end]);
            }
        }
        _ => {
            let (len, other) = (end - at, rng.random_range(0..out.len()));
            for step in 0..len {
                let (a, b) = ((at + step) % bytes.len(), (other + step) % bytes.len());
                out.swap(a, b);
            }
        }
    }
    out
}

/// One mutation of a token: of its text, or of the JSON inside one of its parts, or of the parts' order.
fn damage_token(token: &str, donor: &str, rng: &mut ChaCha8Rng) -> String {
    let mut parts: Vec<String> = token.split('~').map(str::to_owned).collect();
    let theirs: Vec<&str> = donor.split('~').collect();
    let at = rng.random_range(0..parts.len());
    match rng.random_range(0..6) {
        0 => {
            let changed = damage(token.as_bytes(), donor.as_bytes(), rng);
            return String::from_utf8_lossy(&changed).into_owned();
        }
        1 | 2 => {
            let mut segments: Vec<String> = parts[at].split('.').map(str::to_owned).collect();
            let which = rng.random_range(0..segments.len());
            let inside = from_base64url(&segments[which]).unwrap_or_default();
            segments[which] = base64url(&damage(&inside, b"{}", rng));
            parts[at] = segments.join(".");
        }
        3 => parts[at] = theirs[at.min(theirs.len() - 1)].to_owned(),
        4 => drop(parts.remove(at)),
        _ => {
            let again = parts[at].clone();
            parts.insert(rng.random_range(0..=parts.len()), again);
        }
    }
    parts.join("~")
}

#[test]
fn no_mutation_changes_what_is_proved() {
    println!("seed {SEED:#x}, {MUTATIONS} mutations");
    let scenarios = Scenario::all();
    let stayed: u64 = thread::scope(|scope| {
        let scenarios = &scenarios;
        let run = |part: u64| {
            (part..MUTATIONS)
                .step_by(THREADS as usize)
                .filter(|number| scenarios[(number / THREADS) as usize % scenarios.len()].try_one(*number))
                .count() as u64
        };
        let threads: Vec<_> = (0..THREADS).map(|part| scope.spawn(move || run(part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{stayed} of {MUTATIONS} mutations left the verdict as it was");
    assert!(stayed < MUTATIONS / 10, "the mutations hardly touch what is proved");
}

#[test]
fn nothing_changed_changes_nothing() {
    for scenario in Scenario::all() {
        let again =
            verify_response(&scenario.response.to_bytes(), &scenario.request, &scenario.trust, scenario.now, None);
        assert_eq!(again, scenario.verdict);
        let spaced = serde_json::to_vec_pretty(&scenario.response).unwrap();
        assert_eq!(verify_response(&spaced, &scenario.request, &scenario.trust, scenario.now, None), scenario.verdict);
    }
}
