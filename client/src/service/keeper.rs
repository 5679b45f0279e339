//! Keeps the pin fresh, so that a judgement does not have to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::follow::Follower;
use crate::home::Home;
use crate::node::NodeClient;
use crate::stop::Stop;
use crate::talk::{Failure, Output, say};
use crate::verifier::Memory;

/// The last attempt to follow the chain: the code of what went wrong, if anything did.
#[derive(Debug, Clone, Default)]
pub struct Keeper(Arc<Mutex<Option<String>>>);

impl Keeper {
    /// Follows the chain now and then, and sweeps what need not be remembered, in a thread that ends with the process. Says when that stops working and when it
    /// works again.
    pub fn start(home: Home, nodes: Vec<NodeClient>, every: Duration, stop: Stop, output: Output) -> Self {
        let keeper = Self::default();
        let kept = keeper.clone();
        std::thread::spawn(move || {
            while !stop.is_asked() {
                if let Err(failure) = Memory::new(&home).sweep_if_due(SystemTime::now()) {
                    output.talk(say("verify.not_swept", &[("cause", &failure.message)]));
                }
                if nodes.is_empty() {
                    stop.rest(every);
                    continue;
                }
                // Opened anew each time: judgements and other commands learn as well.
                let followed = Follower::open(&home, nodes.clone()).and_then(|mut follower| Ok(follower.update()?));
                kept.note(followed.err(), &output);
                stop.rest(every);
            }
        });
        keeper
    }

    fn note(&self, failure: Option<Failure>, output: &Output) {
        let code = failure.as_ref().map(|failure| failure.code.clone());
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), code.clone());
        match failure {
            Some(failure) if before != code => output.talk(say("serve.waits", &[("cause", &failure.message)])),
            None if before.is_some() => output.talk(say("verify_serve.follows", &[])),
            _ => {}
        }
    }

    /// Code of what is wrong now.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
