//! The letter box of the one bureau, as a node keeps it.

use kanhe_proto::api::{MailAnswers, MailChallenge, MailQueue, MailReceipt};
use kanhe_proto::bounded::Blob;
use kanhe_proto::hash::ChainId;
use kanhe_proto::key::PublicKey;
use kanhe_proto::mail::{MailAnswer, MailId, MailRequest, QueueProof};

#[derive(Default)]
pub struct Letters {
    pub requests: Vec<(MailId, Vec<u8>)>,
    pub answers: Vec<(MailId, Vec<u8>)>,
    challenges: Vec<[u8; 32]>,
    /// Answers get lost on their way.
    pub loses: bool,
}

impl Letters {
    pub fn take_in(&mut self, bytes: &[u8], chain: &ChainId) -> Option<MailReceipt> {
        let request = MailRequest::decode(bytes, chain).ok()?;
        self.requests.push((request.id, bytes.to_vec()));
        Some(MailReceipt { unproven: true, id: request.id.to_string() })
    }

    pub fn challenge(&mut self) -> MailChallenge {
        let random: [u8; 32] = kanhe_client::clock::random().unwrap();
        self.challenges.push(random);
        MailChallenge { challenge: Blob::new(random).unwrap() }
    }

    pub fn is_proved(&mut self, proof: &[u8], chain: &ChainId, key: &PublicKey) -> bool {
        let proof = QueueProof::decode(proof).unwrap();
        let place = self.challenges.iter().position(|open| *open == proof.challenge);
        place.map(|place| self.challenges.remove(place)).is_some_and(|open| proof.verify(chain, &open, key).is_ok())
    }

    pub fn queue(&mut self, proof: &[u8], chain: &ChainId, key: &PublicKey) -> Option<MailQueue> {
        let bureau = QueueProof::decode(proof).unwrap().issuer;
        let own = |bytes: &[u8]| MailRequest::decode(bytes, chain).is_ok_and(|mail| mail.issuer == bureau);
        let requests = self.requests.iter().filter(|(_, bytes)| own(bytes));
        let requests = requests.map(|(_, bytes)| Blob::new(bytes.clone()).unwrap()).collect();
        self.is_proved(proof, chain, key).then_some(MailQueue { requests, more: false })
    }

    pub fn put_answers(&mut self, sent: &MailAnswers, chain: &ChainId, key: &PublicKey) -> bool {
        if !self.is_proved(&sent.proof, chain, key) {
            return false;
        }
        for bytes in &sent.answers {
            let answer = MailAnswer::decode(bytes, chain).unwrap();
            self.requests.retain(|(id, _)| *id != answer.id);
            if !self.loses {
                self.answers.push((answer.id, bytes.to_vec()));
            }
        }
        true
    }

    pub fn answer(&self, id: &MailId) -> Option<Vec<u8>> {
        self.answers.iter().find(|(known, _)| known == id).map(|(_, bytes)| bytes.clone())
    }
}
