//! Transactions signed before they are sent.

use anyhow::Context as _;
use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_node::run::now;
use kanhe_proto::bounded::List;
use kanhe_proto::hash::{Hash, LicenceDigest, TransactionId, sha256};
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::status::{Reason, Status};
use kanhe_proto::transaction::{
    ChangeStatus, IssueBatch, Payload, StatusChange, StatusTarget, TRANSACTION_VERSION, TransactionBody,
};
use kanhe_proto::vote::ChainContext;

use super::network::Network;

/// How long the transactions are good; the chain allows an hour.
const GOOD: SpanMs = SpanMs(55 * 60_000);

/// A bureau that may issue a type, with its key.
struct Issuer {
    uscc: Uscc,
    code: TypeCode,
    version: TypeVersion,
    key: SecretKey,
}

/// A transaction ready to be sent.
pub struct Signed {
    /// Its id.
    pub id: TransactionId,
    /// Its encoding.
    pub bytes: Vec<u8>,
}

/// Signs in the name of every bureau that may issue something, in turn.
pub struct Signing {
    chain: ChainContext,
    issuers: Vec<Issuer>,
    /// Makes roots differ from one use of a network to the next.
    salt: [u8; 32],
    next: u64,
}

impl Signing {
    /// With the issuing keys of a local network.
    pub fn new(network: &Network) -> anyhow::Result<Self> {
        let mut issuers = Vec::new();
        for kind in &network.description.types {
            let Some(bureau) = network.nodes().iter().find(|bureau| Some(bureau.uscc) == kind.issuer) else { continue };
            let passphrase = PassphraseSource::File(bureau.passphrase_file.clone()).read()?;
            let key = keys::open_secret(&bureau.issuing_key, KeyFileRole::Issuing, &passphrase)?;
            let (code, version) = (kind.code.clone(), kind.version);
            issuers.push(Issuer { uscc: bureau.uscc, code, version, key });
        }
        anyhow::ensure!(!issuers.is_empty(), "no bureau of the network issues anything");
        let salt = sha256(&[&now().0.to_be_bytes(), network.genesis.chain_id().bytes()]);
        Ok(Self { chain: network.genesis.chain(), issuers, salt, next: 0 })
    }

    /// So many batches of so many licences each. The chain sees root and count, so any root does.
    pub fn batches(&mut self, transactions: u64, licences: u32) -> anyhow::Result<Vec<Signed>> {
        self.many(transactions, |signing, number| signing.batch(number, licences))
    }

    /// So many transactions that each revoke so many licences. The chain sees their digests, so any do.
    pub fn revocations(&mut self, transactions: u64, changes: u64) -> anyhow::Result<Vec<Signed>> {
        self.many(transactions, |signing, number| signing.revocation(number, changes))
    }

    fn many(
        &mut self,
        transactions: u64,
        one: impl Fn(&Self, u64) -> anyhow::Result<Signed> + Sync,
    ) -> anyhow::Result<Vec<Signed>> {
        let numbers: Vec<u64> = (self.next..self.next + transactions).collect();
        self.next += transactions;
        let one = &one;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let portion = numbers.len().div_ceil(threads).max(1);
        let signing = &*self;
        std::thread::scope(|scope| {
            let sign = |part: &[u64]| part.iter().map(|number| one(signing, *number)).collect::<Vec<_>>();
            let running: Vec<_> = numbers.chunks(portion).map(|part| scope.spawn(move || sign(part))).collect();
            let parts = running.into_iter().map(|thread| thread.join().expect("signing does not panic"));
            parts.flatten().collect()
        })
    }

    fn batch(&self, number: u64, licences: u32) -> anyhow::Result<Signed> {
        let issuer = &self.issuers[number as usize % self.issuers.len()];
        let payload = Payload::IssueBatch(IssueBatch {
            type_code: issuer.code.clone(),
            type_version: issuer.version,
            root: Hash(sha256(&[&self.salt, &number.to_be_bytes()])),
            count: licences,
            changes: List::empty(),
        });
        self.sign(issuer, &payload)
    }

    fn revocation(&self, number: u64, changes: u64) -> anyhow::Result<Signed> {
        let issuer = &self.issuers[number as usize % self.issuers.len()];
        let digest = |at: u64| LicenceDigest(sha256(&[&self.salt, &number.to_be_bytes(), &at.to_be_bytes()]));
        let change = |at| StatusChange {
            issuer: issuer.uscc,
            target: StatusTarget::Licence(digest(at)),
            supervised_type: None,
            expected_length: 0,
            status: Status::Revoked,
            reason: Reason::Issuer,
            effective_from: TimeMs(1),
        };
        let changes = List::new((0..changes).map(change).collect()).context("too many changes")?;
        self.sign(issuer, &Payload::ChangeStatus(ChangeStatus { changes }))
    }

    fn sign(&self, issuer: &Issuer, payload: &Payload) -> anyhow::Result<Signed> {
        let body = TransactionBody {
            version: TRANSACTION_VERSION,
            chain: self.chain,
            sender: issuer.uscc,
            key: issuer.key.public_key().id(),
            expiry: now().after(GOOD),
            payload: payload.to_raw(),
        };
        let id = body.id();
        let transaction = body.sign(&issuer.key).context("the issuing key does not sign")?;
        Ok(Signed { id, bytes: transaction.to_bytes() })
    }
}
