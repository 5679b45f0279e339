//! Signing the licences of a batch, and the tree over them.

use kanhe_proto::bounded::Text;
use kanhe_proto::consent::{Subject, TRACE_CLAIM, TraceKey};
use kanhe_proto::hash::{Hash, LicenceDigest, sha256};
use kanhe_proto::identifiers::{Day, Did, LicenceNumber, LicenceVersion, Serial};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::PublicKey;
use kanhe_proto::merkle::log::{Tree, leaf_hash};
use kanhe_proto::sd_jwt::{ClaimPath, FixedClaims, HOLDER_BINDING_CLAIM, Issuance, StatusRef};
use kanhe_proto::text;
use serde_json::{Map, Value};

use super::{Definition, IssuedCopy, LicenceEntry, Office, Prepared, Register};
use crate::clock;
use crate::parallel;
use crate::talk::{ExitCode, Failure};

/// Digests added to each licence, to hide how many claims it has.
const DECOYS: u8 = 2;
/// Status list indices are below this, so that a list of all of them could be served.
const STATUS_INDEX_MASK: u32 = (1 << 30) - 1;

/// What all licences of a batch share.
#[derive(Debug)]
pub struct Signing<'a> {
    /// Who signs.
    pub office: &'a Office,
    /// What.
    pub definition: &'a Definition,
    /// Knows the people.
    pub register: &'a Register,
    /// The bureau's name.
    pub issuer_name: &'a str,
    /// The run.
    pub run: &'a str,
    /// Place of the batch in the run.
    pub place: u32,
    /// Now.
    pub now: TimeMs,
}

impl Signing<'_> {
    /// Signs the licences of all rows, on all cores.
    pub fn sign(&self, rows: &[Prepared]) -> Result<Vec<LicenceEntry>, Failure> {
        let people: Vec<_> = rows.iter().map(|row| self.person(row)).collect();
        let traces = self.register.traces(&people)?;
        let rows: Vec<_> = rows.iter().zip(traces).collect();
        parallel::try_map(&rows, |(row, trace)| self.licence(row, trace.as_ref()))
    }

    fn person(&self, prepared: &Prepared) -> Option<Subject> {
        self.definition.is_of_persons().then(|| self.definition.subject(&prepared.row.claims)).flatten()
    }

    fn licence(&self, prepared: &Prepared, trace: Option<&TraceKey>) -> Result<LicenceEntry, Failure> {
        let number = match &prepared.number {
            Some(number) => number.clone(),
            None => fresh_number(self.office, self.definition)?,
        };
        let row = &prepared.row;
        let mut claims = self.definition.fill(row.claims.clone(), &number, self.issuer_name, Day::of(self.now))?;
        let (from, to) = Definition::validity(&claims);
        if let Some(binding) = &prepared.binding {
            claims.insert(HOLDER_BINDING_CLAIM.to_owned(), binding.clone().into());
        }
        if let Some(trace) = trace {
            claims.insert(TRACE_CLAIM.to_owned(), trace.to_claim().as_str().into());
        }
        let copies = prepared.keys.iter().map(|key| self.copy(&claims, key, from, to));
        Ok(LicenceEntry {
            number,
            vct: self.definition.vct(),
            copies: copies.collect::<Result<_, _>>()?,
            claims,
            application: prepared.application(),
            run: self.run.to_owned(),
            batch: self.place,
            line: row.line,
            signed_ms: self.now.0,
            replaces: prepared.replaces.clone(),
            replaced: false,
            extract_of: None,
        })
    }

    fn copy(
        &self,
        claims: &Map<String, Value>,
        holder: &PublicKey,
        not_before: Option<TimeMs>,
        expires: Option<TimeMs>,
    ) -> Result<IssuedCopy, Failure> {
        let (office, vct) = (self.office, self.definition.vct());
        let uri = format!("urn:kanhe:status:{}:{}", office.issuer, vct.code);
        let idx = u32::from_be_bytes(clock::random()?) & STATUS_INDEX_MASK;
        let issuance = Issuance {
            fixed: FixedClaims {
                issuer: Did::new(office.chain_ref.clone(), office.issuer),
                vct,
                jti: Text::new(text::base64url(&clock::random::<16>()?)).expect("22 characters are within 64"),
                issued_at: Some(self.now),
                not_before,
                expires,
                holder: holder.clone(),
                status: StatusRef { idx, uri: Text::new(uri).expect("codes are short") },
            },
            claims: claims.clone(),
            disclosable: claims.keys().map(|name| ClaimPath::name(name)).collect(),
            decoys: DECOYS,
        };
        // One draw from the system per copy; each salt is a hash of it and its number.
        let (seed, mut number) = (clock::random::<32>()?, 0u32);
        let mut salts = || {
            number += 1;
            let hash = sha256(&[b"kanhe salt", &seed, &number.to_be_bytes()]);
            *hash.first_chunk().expect("16 of 32 bytes")
        };
        let issued = issuance.sign(&office.key, &mut salts);
        let issued = issued.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
        Ok(IssuedCopy { digest: issued.digest, sd_jwt: issued.text })
    }
}

/// A random serial says nothing about how many licences there are, and needs no counter to survive a crash.
pub(super) fn fresh_number(office: &Office, definition: &Definition) -> Result<LicenceNumber, Failure> {
    let wrong = |error: kanhe_proto::identifiers::IdentifierError| {
        let code = &definition.entry.code;
        Failure::of(ExitCode::Failure, "type_without_numbers", &[("type", code), ("cause", &error)])
    };
    let serial = text::base32(&clock::random::<10>()?).to_ascii_uppercase();
    let serial: Serial = serial.parse().map_err(wrong)?;
    LicenceNumber::new(definition.entry.code.clone(), office.issuer, serial, LicenceVersion::FIRST).map_err(wrong)
}

/// The digests of all copies in random order, so that neighbours in the tree say nothing, and the tree's root.
pub fn leaves(licences: &[LicenceEntry]) -> Result<(Vec<LicenceDigest>, Hash), Failure> {
    let seed = clock::random::<32>()?;
    let mut leaves: Vec<LicenceDigest> =
        licences.iter().flat_map(|licence| &licence.copies).map(|copy| copy.digest).collect();
    // Sorting by a keyed hash is a random order that nobody can foresee.
    leaves.sort_by_cached_key(|digest| sha256(&[&seed, digest.bytes()]));
    let root = Tree::new(leaves.iter().map(|digest| leaf_hash(digest.bytes())).collect()).root();
    Ok((leaves, root))
}
