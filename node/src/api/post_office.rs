//! Sealed mail between holders and the bureau of this node: requests wait for the issuer, answers for the holder.
//!
//! In memory only, bounded in number and bytes, and never gossiped: a holder whose request is lost sends it again, and
//! the issuer answers it the same way. Whoever fetches besides the holder gets what only the holder opens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kanhe_proto::exchange::REQUEST_AGE_MAX;
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::mail::{MailAnswer, MailId, MailRequest};
use tokio::sync::watch;

use crate::network::{Refusal, Response};

/// Bytes of all that waits, requests and answers each.
const BYTES_MAX: usize = 64 << 20;
/// Bytes of requests in one answer to the issuer.
const TAKEN_BYTES_MAX: usize = 4 << 20;
/// Challenges that are open.
const CHALLENGES_MAX: usize = 1_024;
/// Life of a challenge.
const CHALLENGE_LIFE: Duration = Duration::from_secs(60);
/// Between nodes: the message is a request to keep.
const KEEP: u8 = 1;
/// Between nodes: the message is the id of a request whose answer is wanted.
const FETCH: u8 = 2;

/// Why mail is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// No room.
    Full,
    /// Not an envelope of this chain.
    Malformed,
    /// For another bureau.
    NotHere,
}

/// Sealed messages by id, oldest first.
#[derive(Debug, Default)]
struct Shelf {
    messages: BTreeMap<MailId, (Bytes, Instant)>,
    order: VecDeque<MailId>,
    bytes: usize,
}

impl Shelf {
    fn put(&mut self, id: MailId, message: Bytes) {
        self.remove(&id);
        self.bytes += message.len();
        self.messages.insert(id, (message, Instant::now()));
        self.order.push_back(id);
    }
    fn remove(&mut self, id: &MailId) {
        if let Some((message, _)) = self.messages.remove(id) {
            self.bytes -= message.len();
            self.order.retain(|other| other != id);
        }
    }
    fn has_room(&self, bytes: usize, max: usize) -> bool {
        self.messages.len() < max && self.bytes + bytes <= BYTES_MAX
    }
    fn drop_oldest(&mut self) {
        if let Some(id) = self.order.front().copied() {
            self.remove(&id);
        }
    }
    fn drop_older_than(&mut self, age: Duration) {
        while let Some(id) = self.order.front().copied() {
            if self.messages.get(&id).is_some_and(|(_, since)| since.elapsed() < age) {
                return;
            }
            self.remove(&id);
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    requests: Shelf,
    answers: Shelf,
    challenges: VecDeque<([u8; 32], Instant)>,
}

/// The mail of one bureau.
#[derive(Debug)]
pub struct PostOffice {
    chain: ChainId,
    bureau: Option<Uscc>,
    max: usize,
    inner: Mutex<Inner>,
    news: watch::Sender<u64>,
}

impl PostOffice {
    /// An empty one; without a bureau nothing is taken.
    pub fn new(chain: ChainId, bureau: Option<Uscc>, max: usize) -> Self {
        Self { chain, bureau, max, inner: Mutex::default(), news: watch::Sender::new(0) }
    }
    /// The bureau whose mail this is.
    pub const fn bureau(&self) -> Option<Uscc> {
        self.bureau
    }
    /// Changes whenever something arrives.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.lock().requests.messages.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change leaves the shelves whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn tell(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps a request for the bureau. One that is here already stays as it is; one that is answered has its answer.
    pub fn keep(&self, message: &Bytes) -> Result<MailId, NotTaken> {
        let request = MailRequest::decode(message, &self.chain).map_err(|_| NotTaken::Malformed)?;
        if Some(request.issuer) != self.bureau {
            return Err(NotTaken::NotHere);
        }
        let mut inner = self.lock();
        inner.requests.drop_older_than(Duration::from_millis(REQUEST_AGE_MAX.0));
        let known = |shelf: &Shelf| shelf.messages.contains_key(&request.id);
        if known(&inner.requests) || known(&inner.answers) {
            return Ok(request.id);
        }
        if !inner.requests.has_room(message.len(), self.max) {
            return Err(NotTaken::Full);
        }
        inner.requests.put(request.id, message.clone());
        drop(inner);
        self.tell();
        Ok(request.id)
    }

    /// The answer to a request.
    pub fn answer(&self, id: &MailId) -> Option<Bytes> {
        self.lock().answers.messages.get(id).map(|(message, _)| message.clone())
    }

    /// Opens a challenge.
    pub fn challenge(&self, random: [u8; 32]) {
        let mut inner = self.lock();
        if inner.challenges.len() >= CHALLENGES_MAX {
            inner.challenges.pop_front();
        }
        inner.challenges.push_back((random, Instant::now()));
    }

    /// Uses a challenge up; whether it was open.
    pub fn spend(&self, challenge: &[u8; 32]) -> bool {
        let mut inner = self.lock();
        let before = inner.challenges.len();
        let mut good = false;
        inner.challenges.retain(|(open, since)| {
            let is_it = open == challenge;
            good |= is_it && since.elapsed() < CHALLENGE_LIFE;
            !is_it && since.elapsed() < CHALLENGE_LIFE
        });
        good && inner.challenges.len() < before
    }

    /// Requests that wait, oldest first, and whether there are more. They stay until they are answered.
    pub fn requests(&self) -> (Vec<Bytes>, bool) {
        let inner = self.lock();
        let mut taken = Vec::new();
        let mut bytes = 0;
        for (message, _) in inner.requests.order.iter().filter_map(|id| inner.requests.messages.get(id)) {
            bytes += message.len();
            if bytes > TAKEN_BYTES_MAX {
                return (taken, true);
            }
            taken.push(message.clone());
        }
        (taken, false)
    }

    /// Takes an answer of the bureau; the oldest answers make room.
    pub fn put_answer(&self, message: &Bytes) -> Result<(), NotTaken> {
        let answer = MailAnswer::decode(message, &self.chain).map_err(|_| NotTaken::Malformed)?;
        if Some(answer.issuer) != self.bureau {
            return Err(NotTaken::NotHere);
        }
        let mut inner = self.lock();
        inner.requests.remove(&answer.id);
        while !inner.answers.has_room(message.len(), self.max.max(1)) {
            inner.answers.drop_oldest();
        }
        inner.answers.put(answer.id, message.clone());
        drop(inner);
        self.tell();
        Ok(())
    }

    /// A message by which another node hands on a request.
    pub fn keep_message(request: &[u8]) -> Bytes {
        [&[KEEP], request].concat().into()
    }
    /// A message by which another node asks for an answer.
    pub fn fetch_message(id: &MailId) -> Bytes {
        [&[FETCH], kanhe_proto::codec::encode(id).as_slice()].concat().into()
    }
    /// Works on another node's message.
    pub fn deliver(&self, message: &Bytes) -> Response {
        match message.first() {
            Some(&KEEP) => match self.keep(&message.slice(1..)) {
                Ok(_) => Response::Mail(Bytes::new()),
                Err(NotTaken::Full) => Response::Refused(Refusal::Busy),
                Err(NotTaken::NotHere) => Response::Refused(Refusal::NotHere),
                Err(NotTaken::Malformed) => Response::Refused(Refusal::Malformed),
            },
            Some(&FETCH) => match kanhe_proto::codec::decode::<MailId>(&message[1..], 64) {
                Ok(id) => Response::Mail(self.answer(&id).unwrap_or_default()),
                Err(_) => Response::Refused(Refusal::Malformed),
            },
            _ => Response::Refused(Refusal::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_good_once() {
        let office = PostOffice::new(ChainId([1; 32]), None, 4);
        office.challenge([7; 32]);
        assert!(!office.spend(&[8; 32]) && office.spend(&[7; 32]) && !office.spend(&[7; 32]));
        (0..=CHALLENGES_MAX).for_each(|i| {
            let mut random = [0; 32];
            random[..8].copy_from_slice(&i.to_be_bytes());
            office.challenge(random);
        });
        assert!(!office.spend(&[0; 32]), "the oldest made room");
    }

    #[test]
    fn rubbish_is_refused() {
        let office = PostOffice::new(ChainId([1; 32]), None, 4);
        for message in
            [Bytes::new(), Bytes::from_static(&[1, 2, 3]), Bytes::from_static(&[2, 9]), Bytes::from_static(b"x")]
        {
            assert_eq!(office.deliver(&message), Response::Refused(Refusal::Malformed));
        }
        assert_eq!(office.waiting(), 0);
    }
}
