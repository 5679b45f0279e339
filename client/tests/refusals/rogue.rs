//! Somebody who was invited to a case and makes files and acts by hand.

use kanhe_client::case::InvitationCode;
use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::case::{Act, CasePayload, FileRef, Join, Present, case_nonce};
use kanhe_proto::case_file::{Author, BoundFile, CASE_FILE_VERSION, CaseFile, FilePart, PartBody};
use kanhe_proto::codec;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Did;
use kanhe_proto::key::{PublicKey, SecretKey, Signer as _};
use kanhe_proto::response::{Response, Stapled};
use kanhe_proto::sd_jwt::{self, ClaimPath, Holding, KeyBinding, holder_binding};
use kanhe_proto::seal::{SealInfo, SealPurpose, SealingSecret, seal};
use kanhe_proto::trust::Trust;

use crate::case::Lease;
use crate::support::chain::now;

/// For where something is said.
#[derive(Clone)]
pub struct Aim {
    pub case: CaseId,
    pub slot: u8,
    pub round: u32,
    pub place: u8,
}

/// A file on its way, and what the act says of it.
pub struct Said {
    pub reference: FileRef,
    pub parts: Vec<FilePart>,
}

/// The tenant, with an identity card.
pub struct Rogue {
    pub key: SecretKey,
    letter: SealingSecret,
    pub holder: SecretKey,
    sd_jwt: String,
    path: Vec<u8>,
}

fn random() -> [u8; 32] {
    kanhe_client::clock::random().unwrap()
}

impl Rogue {
    pub fn new(lease: &Lease, seed: u8) -> Self {
        let holder = SecretKey::from_seed([seed; 32]);
        let binding = holder_binding(&[seed; 32], "RESIDENT", "11010519491231002X");
        let handed = lease.chain().issue("demo-id", &[holder.public_key()], Some(&binding)).remove(0);
        Self {
            key: SecretKey::from_seed([seed.wrapping_add(100); 32]),
            letter: SealingSecret::from_seed([seed; 32]),
            holder,
            sd_jwt: handed.sd_jwt,
            path: handed.path,
        }
    }

    /// A presentation of these claims for an aim, bound by a key.
    pub fn shows<const MAX: usize>(&self, lease: &Lease, aim: &Aim, claims: &[&str], by: &SecretKey) -> Blob<MAX> {
        let mut chain = lease.chain();
        let holding = Holding::open(&self.sd_jwt).unwrap();
        let paths: Vec<ClaimPath> = claims.iter().map(|claim| claim.parse().unwrap()).collect();
        let presentation = holding.present(&paths).unwrap();
        let trust = Trust::pin(&chain.genesis, now()).unwrap();
        let binding = KeyBinding {
            issued_at: now(),
            audience: Did::new(trust.chain_ref(), chain.issuer).to_string(),
            nonce: case_nonce(&aim.case, aim.slot, aim.round, aim.place),
            set: Some(sd_jwt::set(&[presentation.sd_hash()])),
        };
        let text = presentation.bind(&binding, by).unwrap();
        let path: LicencePath = codec::decode(&self.path, 4_096).unwrap();
        let digest = sd_jwt::UnverifiedSdJwt::parse(&self.sd_jwt).unwrap().digest();
        let evidence = chain.evidence(path.batch, &digest).unwrap().evidence;
        let (evidence, path) = (Blob::new(evidence.to_vec()).unwrap(), Blob::new(self.path.clone()).unwrap());
        let response = Response {
            vp_token: [("person".to_owned(), vec![text])].into(),
            evidence: [("person".to_owned(), Stapled { evidence, path })].into(),
        };
        Blob::new(response.to_bytes()).unwrap()
    }

    fn bound(&self, lease: &Lease, aim: &Aim, change: impl Fn(&mut CaseFile)) -> BoundFile {
        let presentation = self.shows(lease, aim, &["address.city", "kanhe_hb"], &self.holder);
        let (chain, to) = {
            let chain = lease.chain();
            (chain.genesis.chain_id(), chain.issuer)
        };
        let mut file = CaseFile {
            version: CASE_FILE_VERSION,
            chain,
            case: aim.case,
            to,
            from: Author::Slot(aim.slot),
            round: aim.round,
            values: List::empty(),
            presentation,
            applications: List::empty(),
            attachments: List::empty(),
            mandate: None,
            helped: None,
        };
        change(&mut file);
        file.bind(random()).unwrap()
    }

    fn sealed(&self, bound: &BoundFile, place: u8, to: &PublicKey) -> Said {
        let parts = bound.seal(&self.key, to, std::iter::repeat_with(random)).unwrap();
        Said { reference: bound.reference(place), parts }
    }

    /// What is asked of the tenant, unless changed.
    pub fn said(&self, lease: &Lease, aim: &Aim, change: impl Fn(&mut CaseFile)) -> Said {
        let to = lease.chain().sealing.public_key();
        self.sealed(&self.bound(lease, aim, change), aim.place, &to)
    }

    /// The same, sealed to a key that is not the bureau's.
    pub fn sealed_to(&self, lease: &Lease, aim: &Aim, to: &PublicKey) -> Said {
        self.sealed(&self.bound(lease, aim, |_| {}), aim.place, to)
    }

    /// The content of one file under the digest of another, sealed as if it were that one.
    pub fn mislabelled(&self, lease: &Lease, aim: &Aim) -> Said {
        let (said, other) = (self.said(lease, aim, |_| {}), self.bound(lease, aim, |_| {}));
        let to = lease.chain().sealing.public_key();
        let [FilePart { body: part, .. }] = &said.parts[..] else { panic!("one part") };
        let (about, _) = part.commitment.0.split_at(16);
        let subject = [part.case.0.as_slice(), about, &0u16.to_be_bytes(), &1u16.to_be_bytes()].concat();
        let info = SealInfo { chain: part.chain, purpose: SealPurpose::CaseFile, subject: Blob::new(subject).unwrap() };
        let sealed = seal(&to, &info, other.to_bytes(), random()).unwrap();
        let parts = vec![PartBody { sealed, ..part.clone() }.sign(&self.key).unwrap()];
        Said { parts, ..said }
    }

    /// Hands it in and presents it; the chain's code if it is refused.
    pub fn sends(&self, lease: &Lease, code: &InvitationCode, round: u32, said: &Said) -> Result<(), &'static str> {
        let mut chain = lease.chain();
        for part in &said.parts {
            chain.take_part(&part.encode()).unwrap();
        }
        let context = chain.genesis.chain();
        let (case, slot) = (code.case, code.slot);
        let joins = || Join::sign(&context, &case, slot, self.key.public_key(), &code.secret.key()).unwrap();
        let present = Present {
            case,
            slot,
            round,
            join: (round == 0).then(joins),
            letter_key: self.letter.public_key(),
            files: List::new(vec![said.reference.clone()]).unwrap(),
            assisted: None,
        };
        let signed = Act::Present(present).sign(&context, &self.key).unwrap();
        chain.acts(&CasePayload { acts: List::new(vec![signed]).unwrap() }.to_bytes()).map(|_| ())
    }
}
