//! `kanhe read request --subjects`: the same asked about many people at once, each read recorded and given by itself.

use std::path::Path;
use std::time::{Duration, Instant};

use kanhe_proto::consent::Subject;

use super::Context;
use super::read::{PAUSE, POLL_SECONDS, Request, Shown, ask, shown, subject_of, table};
use crate::home;
use crate::issuer::{Office, Register};
use crate::node::NodeClient;
use crate::reads::{Ask, Asked, AskedState, Reader, fetch, receive, send};
use crate::talk::{ExitCode, Failure};
use crate::vault::Effort;

/// Most people of one command: the source answers one after another, and a request is good for ten minutes.
const SUBJECTS_MAX: usize = 256;
const FILE_BYTES_MAX: usize = SUBJECTS_MAX * 128;

/// Those whom a file names, one a line. All are looked at before anything is asked.
fn people(path: &Path) -> Result<Vec<Subject>, Failure> {
    let text = home::read_text(path, FILE_BYTES_MAX)?;
    let named: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if named.is_empty() || named.len() > SUBJECTS_MAX {
        let args: &[(&str, &dyn std::fmt::Display)] = &[("count", &named.len()), ("max", &SUBJECTS_MAX)];
        return Err(Failure::of(ExitCode::Usage, "read_subjects", args));
    }
    named.into_iter().map(subject_of).collect()
}

pub(super) fn run(options: &Request, path: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let people = people(path)?;
    let passphrase = context.passphrase.existing()?;
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let acting = &options.acting;
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, &passphrase)?;
    let of_all = ask(options, &mut follower)?;
    let register = Register::open_or_create(&context.home.register(), &passphrase, Effort::USUAL)?;
    let reader = Reader { office: &office, register: &register };
    let made = people.into_iter().map(|subject| reader.make(Ask { subject, ..of_all.clone() }, &mut follower));
    let mut made = made.collect::<Result<Vec<Asked>, Failure>>()?;
    // The desk of this bureau needs the register while the source works.
    drop(register);
    let nodes = follower.nodes().to_vec();
    // One that does not leave keeps no other: it can be asked anew once it has expired.
    let mut failed = None;
    for asked in &made {
        failed = send(asked, &nodes).err().or(failed);
    }
    let answers = answers(&made, &nodes, Duration::from_secs(options.wait))?;
    let register = Register::open(&context.home.register(), &passphrase)?;
    for (asked, answer) in made.iter_mut().zip(answers) {
        if let Some(answer) = answer {
            failed = receive(asked, &answer, &register, &mut follower).err().or(failed);
        }
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    let lines: Vec<Shown> = made.iter().map(shown).collect();
    context.output.data(&lines, || table(&lines))?;
    if made.iter().any(|asked| asked.state == AskedState::Asked) {
        return Err(Failure::of(ExitCode::Unreachable, "read_unanswered", &[("source", &options.source)]));
    }
    match made.iter().filter(|asked| asked.state == AskedState::Refused).count() {
        0 => Ok(ExitCode::Ok),
        count => Err(Failure::of(ExitCode::Refused, "read_some_refused", &[("count", &count), ("all", &made.len())])),
    }
}

/// The sealed answers that come in this time, in the order of what was asked.
fn answers(made: &[Asked], nodes: &[NodeClient], patience: Duration) -> Result<Vec<Option<Vec<u8>>>, Failure> {
    let began = Instant::now();
    let mut answers: Vec<Option<Vec<u8>>> = vec![None; made.len()];
    loop {
        let left = patience.saturating_sub(began.elapsed());
        // The node is waited at for the first that is missing; once it is there, others are likely to be.
        let mut wait = POLL_SECONDS.min(left.as_secs());
        for (asked, answer) in made.iter().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            match fetch(asked, nodes, wait) {
                Ok(found) => *answer = found,
                Err(_) if !left.is_zero() => break,
                Err(failure) => return Err(failure),
            }
            if answer.is_none() {
                if wait > 0 {
                    break;
                }
            } else {
                wait = 0;
            }
        }
        if left.is_zero() || answers.iter().all(Option::is_some) {
            return Ok(answers);
        }
        std::thread::sleep(PAUSE);
    }
}
