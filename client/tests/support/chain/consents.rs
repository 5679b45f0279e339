//! What the chain in memory knows of consents, reads and data classes: enough to grant, take back, read and declare. Which
//! of them the real ledger refuses is tested there; here only what wallets, readers and sources must bear.

use std::collections::BTreeSet;

use kanhe_proto::api::{ConsentAnswer, DataClassesAnswer, READS_PAGE, ReadsAnswer};
use kanhe_proto::consent::{
    AccessRecord, Act, Basis, Consent, ConsentPayload, ConsentRecord, SignedAct, SignedRead, SourceReads, consent_key,
    source_reads_key,
};
use kanhe_proto::hash::{ConsentId, ReadId, sha256};
use kanhe_proto::registry::{DataCatalogue, DataClass, DataDeclaration, DataEntry};

use super::*;

pub type Refused = &'static str;

/// What a test may change of consents and reads.
#[derive(Default)]
pub struct Sharing {
    /// Withdrawals that the node has seen and no block has.
    pub withdrawing: BTreeSet<ConsentId>,
    /// Blocks with reads are this much older than now.
    pub late_ms: u64,
    /// Code with which every grant and read is refused, as nodes say.
    pub refuses: Option<Refused>,
    /// Reads that were recorded.
    recorded: BTreeSet<ReadId>,
}

/// A bureau that joined later.
pub struct Member {
    pub uscc: Uscc,
    pub issuing: [u8; 32],
    pub sealing: [u8; 32],
    pub governance: [u8; 32],
}

fn require(holds: bool, code: Refused) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(code) }
}

impl Chain {
    /// Another member, with keys of its own.
    pub fn join(&mut self, first: &str, en: &str, seed: u8) -> Member {
        let uscc = Uscc::with_check(first).unwrap();
        let [issuing, sealing, governance] = [0, 1, 2].map(|role| [seed.wrapping_add(role); 32]);
        let bureau = Bureau {
            uscc,
            names: names(en, en),
            region: Text::new("370100").unwrap(),
            addresses: List::empty(),
            intervals: always(),
        };
        self.decided.insert(bureau.key(), bureau.to_value());
        let keys = [
            (KeyRole::Issuing, SecretKey::from_seed(issuing).public_key()),
            (KeyRole::Governance, SecretKey::from_seed(governance).public_key()),
            (KeyRole::Sealing, SealingSecret::from_seed(sealing).public_key()),
        ];
        for (role, key) in keys {
            let entry = key_entry(uscc, role, key);
            self.decided.insert(entry.key(), entry.to_value());
        }
        Member { uscc, issuing, sealing, governance }
    }

    /// A purpose that was registered later.
    pub fn purpose(&mut self, code: &str, class: PurposeClass) {
        let purpose = Purpose { code: Text::new(code).unwrap(), names: names(code, code), class, intervals: always() };
        self.decided.insert(purpose.key(), purpose.to_value());
    }

    /// The key of a bureau that is in the registry.
    pub fn public_key(&self, bureau: Uscc, key: kanhe_proto::key::KeyId) -> Option<PublicKey> {
        let value = self.registry_now().remove(&KeyEntry::key_of(&(bureau, key)))?;
        Some(KeyEntry::from_value(&value).unwrap().key)
    }

    pub(super) fn is_public(&self, code: &Text<64>) -> Result<(), Refused> {
        let found = self.registry_now().remove(&Purpose::key_of(code)).ok_or("purpose_unknown")?;
        let class = Purpose::from_value(&found).unwrap().class;
        require(class == PurposeClass::PublicBenefit, "purpose_commercial")
    }

    pub fn consent(&self, id: &ConsentId) -> Option<Consent> {
        self.state.get(&consent_key(id)).map(|value| Consent::from_value(value).unwrap())
    }

    fn put_consent(&mut self, consent: &Consent) {
        self.state.insert(consent_key(&consent.id), consent.to_value());
    }

    /// The time of a consent is over.
    pub fn expire(&mut self, id: &ConsentId) {
        let known = self.consent(id).unwrap();
        self.put_consent(&Consent { not_after: TimeMs(now().0 - 1), ..known });
    }

    /// Takes acts on consents in, in a block of their own.
    pub fn consent_acts(&mut self, bytes: &[u8]) -> Result<TransactionStatus, Refused> {
        let id = TransactionId(sha256(&[bytes]));
        if self.committed.contains_key(&id) {
            return Ok(self.transaction(&id));
        }
        self.height += 1;
        for signed in &ConsentPayload::from_bytes(bytes).unwrap().acts {
            self.consent_act(signed)?;
        }
        Ok(self.commit(id, None))
    }

    fn consent_act(&mut self, signed: &SignedAct) -> Result<(), Refused> {
        self.sharing.refuses.map_or(Ok(()), Err)?;
        let (chain, record) = (self.genesis.chain(), LogIndex(self.records.len() as u64));
        let id = signed.act.consent(&chain.chain_id);
        let known = self.consent(&id);
        let before = known.as_ref().map(|consent| consent.last);
        let consent = match &signed.act {
            Act::Grant(grant) => {
                grant.check(now()).map_err(|error| error.code())?;
                self.is_public(&grant.purpose)?;
                require(known.is_none(), "consent_exists")?;
                signed.verify(&chain, &grant.key).map_err(|_| "consent_signature")?;
                Consent::granted(id, grant, now(), record)
            }
            Act::Withdraw(_) => {
                let known = known.ok_or("consent_unknown")?;
                known.check_withdraw(now()).map_err(|error| error.code())?;
                signed.verify(&chain, &known.key).map_err(|_| "consent_signature")?;
                Consent { withdrawn: Some(now()), last: record, ..known }
            }
        };
        let entry =
            ConsentRecord { consent: id, before, act: signed.clone(), height: Height(self.height), time: now() };
        self.records.push(entry.to_record());
        self.put_consent(&consent);
        Ok(())
    }

    /// Records a read.
    pub(super) fn read(&mut self, signed: &SignedRead) -> Result<(), Refused> {
        self.sharing.refuses.map_or(Ok(()), Err)?;
        let (chain, time) = (self.genesis.chain(), TimeMs(now().0 - self.sharing.late_ms));
        let request = signed.request();
        request.check_time(now()).map_err(|error| error.code())?;
        if signed.read.refused().is_some() {
            require(self.sharing.recorded.insert(request.id(&chain)), "read_twice")?;
            self.signed_by_both(signed)?;
            self.append_read(signed, &mut None, time);
            return Ok(());
        }
        self.is_public(&request.purpose)?;
        let mut consent = match &request.basis {
            Basis::Consent(under) => {
                let known = self.consent(&under.id).ok_or("consent_unknown")?;
                known.check_read(request, now()).map_err(|error| error.code())?;
                Some(Consent { left: known.left - 1, ..known })
            }
            Basis::Statutory(statutory) => {
                self.is_public(&statutory.ground)?;
                None
            }
        };
        let id = request.id(&chain);
        require(self.sharing.recorded.insert(id), "read_twice")?;
        self.signed_by_both(signed)?;
        self.append_read(signed, &mut consent, time);
        Ok(())
    }

    fn signed_by_both(&self, signed: &SignedRead) -> Result<(), Refused> {
        let (chain, request) = (self.genesis.chain(), signed.request());
        let reader = self.public_key(request.reader, request.key).ok_or("read_key")?;
        let source = self.public_key(request.source, signed.read.key).ok_or("read_key")?;
        signed.read.request.verify(&chain, &reader).map_err(|_| "read_signature")?;
        signed.verify(&chain, &source).map_err(|_| "read_signature")
    }

    /// Puts a read into the log, whatever it is: a source may lie about people who have no other witness.
    pub fn append_read(&mut self, signed: &SignedRead, consent: &mut Option<Consent>, time: TimeMs) {
        let source = signed.request().source;
        let index = LogIndex(self.records.len() as u64);
        let number = self.reads_of_source(&source);
        let before = consent.as_ref().map(|consent| consent.last);
        let record = AccessRecord { number, before, read: signed.clone(), height: Height(self.height), time };
        self.records.push(record.to_record());
        let reads = SourceReads { source, count: number + 1, last: index };
        self.state.insert(source_reads_key(&source), reads.to_value());
        if let Some(consent) = consent {
            consent.last = index;
            let consent = consent.clone();
            self.put_consent(&consent);
        }
    }

    pub fn reads_of_source(&self, source: &Uscc) -> u64 {
        let value = self.state.get(&source_reads_key(source));
        value.map_or(0, |value| SourceReads::from_value(value).unwrap().count)
    }

    /// All reads that were recorded.
    pub fn access_records(&self) -> Vec<AccessRecord> {
        self.records.iter().filter_map(|record| AccessRecord::from_record(record).ok()).collect()
    }

    pub fn consent_answer(&mut self, id: &ConsentId) -> ConsentAnswer {
        let leaf = Blob::new(codec::encode(&prove(&self.state, consent_key(id)))).unwrap();
        let certified = Blob::new(codec::encode(&self.certified())).unwrap();
        ConsentAnswer { certified, leaf, withdrawing: self.sharing.withdrawing.contains(id) }
    }

    pub fn reads_answer(&mut self, source: &Uscc, from: u64) -> ReadsAnswer {
        let leaf = Blob::new(codec::encode(&prove(&self.state, source_reads_key(source)))).unwrap();
        let certified = Blob::new(codec::encode(&self.certified())).unwrap();
        let mut reads = Vec::new();
        for (index, bytes) in self.records.iter().enumerate() {
            let Ok(record) = AccessRecord::from_record(bytes) else { continue };
            if record.read.request().source == *source && record.number >= from && reads.len() < READS_PAGE {
                let inclusion = self.log().path(index as u64).unwrap();
                let record = Blob::new(bytes.clone()).unwrap();
                let proved = ProvedRecord { index: LogIndex(index as u64), record, inclusion };
                reads.push(Blob::new(codec::encode(&proved)).unwrap());
            }
        }
        ReadsAnswer { certified, leaf, reads, next: None }
    }

    /// What becomes of the registry when a bureau declares or retires data.
    pub(super) fn declared(
        &self,
        bureau: Uscc,
        classes: &[DataDeclaration],
        in_force: bool,
    ) -> BTreeMap<MapKey, Vec<u8>> {
        let mut changed = BTreeMap::new();
        let known = self.registry_now().remove(&DataCatalogue::key_of(&bureau));
        let mut catalogue =
            known.map_or_else(|| DataCatalogue::empty(bureau), |value| DataCatalogue::from_value(&value).unwrap());
        for declared in classes {
            catalogue = catalogue.with(DataEntry { code: declared.code.clone(), in_force }).unwrap();
            let class = DataClass { bureau, declared: declared.clone(), intervals: always() };
            changed.insert(class.key(), class.to_value());
        }
        changed.insert(catalogue.key(), catalogue.to_value());
        changed
    }

    pub fn data_classes(&mut self, bureau: &Uscc) -> DataClassesAnswer {
        let registry = self.registry_now();
        let key = DataCatalogue::key_of(bureau);
        let entries = registry.get(&key).map(|value| DataCatalogue::from_value(value).unwrap());
        let entries = entries.map(|catalogue| catalogue.classes.into_vec()).unwrap_or_default();
        let leaf = |key| Blob::new(codec::encode(&prove(&registry, key))).unwrap();
        let classes = entries.iter().map(|entry| leaf(DataClass::key_of(&(*bureau, entry.code.clone()))));
        let (catalogue, classes) = (leaf(key), classes.collect());
        DataClassesAnswer { certified: Blob::new(codec::encode(&self.certified())).unwrap(), catalogue, classes }
    }
}
