//! Finishing what a wallet has begun: files first, until a node has written all of them, then the act, until the chain has it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use kanhe_proto::case::Act;
use kanhe_proto::hash::Commitment;
use kanhe_proto::ids::TimeMs;

use super::own::{OwnCase, OwnFile, Shelf};
use super::prepare::{Kind, Maker};
use super::read::Items;
use super::refusal::refused;
use super::send::{found, send_each, send_each_again};
use crate::clock;
use crate::follow::Follower;
use crate::node::{NodeClient, NodeError};
use crate::parallel;
use crate::talk::{ExitCode, Failure};
use crate::wallet::Wallet;

/// Files that are handed in at once.
const STORED_AT_ONCE: usize = 8;

/// Brings an unfinished act to its end. `step` is told of each part that is written.
pub fn carry(
    wallet: &Wallet,
    follower: &mut Follower,
    items: &mut Items,
    own: &mut OwnCase,
    step: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    store_files(wallet, follower, items, own, step)?;
    settle(wallet, follower, std::slice::from_mut(own))?;
    match &own.refused {
        Some(code) => Err(refused(code)),
        None => Ok(()),
    }
}

/// Has the files of an unfinished act written by a node.
pub fn store_files(
    wallet: &Wallet,
    follower: &mut Follower,
    items: &mut Items,
    own: &mut OwnCase,
    step: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    renew(wallet, follower, items, own)?;
    let shelf = Shelf::of(wallet);
    let Some(pending) = own.pending.clone() else { return Ok(()) };
    // The files of an opening that was refused go again once it is on the chain after all.
    if own.refused.is_some() {
        return Ok(());
    }
    for file in pending.unstored(clock::now()) {
        store(follower, &shelf, file, step)?;
        own.pending = Some(pending_of(own, file)?);
        shelf.put(own)?;
    }
    Ok(())
}

/// The same for several cases, by several hands. What is stored when something fails stays so.
pub fn store_all(
    wallet: &Wallet,
    follower: &mut Follower,
    items: &mut Items,
    owns: &mut [OwnCase],
) -> Result<(), Failure> {
    for own in owns.iter_mut() {
        renew(wallet, follower, items, own)?;
    }
    let (shelf, now) = (Shelf::of(wallet), clock::now());
    let pending = owns.iter().filter(|own| own.refused.is_none()).filter_map(|own| own.pending.as_ref());
    let left: Vec<OwnFile> = pending.flat_map(|pending| pending.unstored(now)).cloned().collect();
    let follower = &*follower;
    let failed = AtomicBool::new(false);
    // Once one could not be stored no other is tried.
    let stored = parallel::each(&left, STORED_AT_ONCE, |file| {
        let tried = (!failed.load(Ordering::Relaxed)).then(|| store(follower, &shelf, file, &mut |_| {}))?;
        failed.fetch_or(tried.is_err(), Ordering::Relaxed);
        Some(tried)
    });
    let is_done = |stored: &Option<Result<(), Failure>>| stored.as_ref().is_some_and(Result::is_ok);
    let done: BTreeSet<Commitment> =
        left.iter().zip(&stored).filter(|(_, stored)| is_done(stored)).map(|(file, _)| file.commitment).collect();
    for file in owns.iter_mut().flat_map(|own| own.pending.iter_mut().flat_map(|pending| &mut pending.files)) {
        file.stored |= done.contains(&file.commitment);
    }
    shelf.put_all(owns, &[])?;
    stored.into_iter().flatten().collect()
}

/// Brings unfinished acts, whose files are stored, onto the chain, as many in a transaction as it takes. Of one that is refused
/// its case has the code; an opening is kept all the same, until it is void.
pub fn settle(wallet: &Wallet, follower: &mut Follower, owns: &mut [OwnCase]) -> Result<(), Failure> {
    let shelf = Shelf::of(wallet);
    let (mut acts, mut again) = (Vec::new(), Vec::new());
    for own in owns.iter_mut() {
        if let Some(pending) = &mut own.pending {
            let acts = if own.refused.is_some() { &mut again } else { &mut acts };
            acts.push(pending.act()?);
            pending.sent = true;
        }
    }
    if acts.is_empty() && again.is_empty() {
        return Ok(());
    }
    shelf.put_all(owns, &[])?;
    let mut ends = send_each(follower, &acts).into_iter();
    let mut ends_again = send_each_again(follower, &again).into_iter();
    let (mut gone, mut failed) = (Vec::new(), None);
    for own in owns.iter_mut().filter(|own| own.pending.is_some()) {
        let ends = if own.refused.is_some() { &mut ends_again } else { &mut ends };
        match ends.next().expect("something came of each act") {
            Ok(_) => {
                if let Some(pending) = own.pending.take() {
                    own.disclosed.extend(pending.disclosed);
                    own.kept.extend(pending.files);
                }
                own.refused = None;
            }
            Err(failure) if failure.exit == ExitCode::Refused => gone.extend(was_refused(own, failure.code)?),
            Err(failure) => drop(failed.get_or_insert(failure)),
        }
    }
    shelf.put_all(owns, &gone)?;
    failed.map_or(Ok(()), Err)
}

/// That nodes refuse an opening is their word: one that does not tell the truth may hand it in later, as long as its time is
/// not over. So it is kept with its files, tried again by the next command, and found if it is on the chain then. The files of
/// another act are no longer needed.
fn was_refused(own: &mut OwnCase, code: String) -> Result<Vec<OwnFile>, Failure> {
    own.refused = Some(code);
    let Some(pending) = &own.pending else { return Ok(Vec::new()) };
    match pending.act()?.act {
        Act::Open(_) => Ok(Vec::new()),
        _ => Ok(own.pending.take().map(|pending| pending.files).unwrap_or_default()),
    }
}

fn drop_pending(shelf: &Shelf<'_>, own: &mut OwnCase) -> Result<(), Failure> {
    let gone = own.pending.take().map(|pending| pending.files).unwrap_or_default();
    shelf.put_with(own, &[], &gone)
}

/// The unfinished act, of which one file more is stored.
fn pending_of(own: &OwnCase, stored: &OwnFile) -> Result<super::own::Pending, Failure> {
    let missing = || Failure::of(ExitCode::Failure, "case_part_missing", &[]);
    let mut pending = own.pending.clone().ok_or_else(missing)?;
    let same = pending.files.iter_mut().filter(|file| file.commitment == stored.commitment);
    same.for_each(|file| file.stored = true);
    Ok(pending)
}

/// What lay too long is made anew: before its act has left anyone's hands, or once an opening is proved void. One that was
/// refused is given up then.
fn renew(wallet: &Wallet, follower: &mut Follower, items: &mut Items, own: &mut OwnCase) -> Result<(), Failure> {
    let Some(pending) = &own.pending else { return Ok(()) };
    let act = pending.act()?;
    let kind = match &act.act {
        Act::Open(_) => Kind::Open,
        Act::Present(present) => Kind::Present { round: present.round, join: present.join.is_some() },
        _ => return Ok(()),
    };
    let void = match &act.act {
        Act::Open(open) if pending.sent => {
            follower.update()?;
            let newest = follower.trust().newest().map_or(TimeMs(0), |newest| newest.time);
            newest > open.not_after && found(follower, &act)?.is_none()
        }
        _ => false,
    };
    if void && own.refused.is_some() {
        return drop_pending(&Shelf::of(wallet), own);
    }
    // What a clerk says has no presentation that grows old, and is made anew at the counter alone.
    if own.assisted.is_some() && void {
        own.refused = Some("case_opening_late".to_owned());
        return drop_pending(&Shelf::of(wallet), own);
    }
    if own.assisted.is_some() || (!void && !pending.is_stale(clock::now())) {
        return Ok(());
    }
    let known = items.get(follower, &own.item, own.version)?;
    let maker = Maker::new(wallet, &known, own, follower)?;
    maker.make(own, kind, clock::now())
}

/// Hands all parts of a file to one node, and to the next if that one does not take them: it may have no room, or be behind.
fn store(follower: &Follower, shelf: &Shelf<'_>, file: &OwnFile, step: &mut dyn FnMut(u64)) -> Result<(), Failure> {
    let mut last = NodeError::Unnamed.failure();
    for node in follower.nodes() {
        match store_at(node, shelf, file, step) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => last = error.failure(),
            Err(failure) => return Err(failure),
        }
    }
    Err(last)
}

fn store_at(
    node: &NodeClient,
    shelf: &Shelf<'_>,
    file: &OwnFile,
    step: &mut dyn FnMut(u64),
) -> Result<Result<(), NodeError>, Failure> {
    let mut stored = 0;
    for place in 0..file.parts {
        let part = shelf.part(file, place)?;
        match node.send_file_part(&part) {
            Ok(state) if state.delivered => stored = file.parts,
            Ok(state) => stored = state.stored,
            Err(error) => return Ok(Err(error)),
        }
        step(1);
    }
    match stored >= file.parts {
        true => Ok(Ok(())),
        false => Ok(Err(node.malformed(format_args!("{stored} of {} parts are stored", file.parts)))),
    }
}

/// Looks after files whose recipient may not have them yet: those that it has are not kept any longer, and those that no
/// node has any more are handed in again.
pub fn look_after(wallet: &Wallet, follower: &Follower, own: &mut OwnCase) -> Result<(), Failure> {
    let shelf = Shelf::of(wallet);
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    let (id, author) = (own.id, own.author());
    for file in own.kept.drain(..) {
        let mut states = follower.nodes().iter().map(|node| node.file_state(&file.to, &id, &file.commitment, &author));
        let mut there = false;
        let delivered = states.any(|state| {
            there |= state.as_ref().is_ok_and(|state| state.stored >= file.parts);
            state.is_ok_and(|state| state.delivered)
        });
        if delivered {
            gone.push(file);
            continue;
        }
        if !there {
            // Best effort: it is tried again by the next command.
            let _ = store(follower, &shelf, &file, &mut |_| {});
        }
        kept.push(file);
    }
    own.kept = kept;
    if gone.is_empty() { Ok(()) } else { shelf.put_with(own, &[], &gone) }
}

/// Takes away what a case that is over needs no longer: attachments, and files on their way.
pub fn tidy(wallet: &Wallet, own: &mut OwnCase) -> Result<(), Failure> {
    if own.kept.is_empty() && own.given.papers.is_empty() {
        return Ok(());
    }
    let shelf = Shelf::of(wallet);
    shelf.drop_papers(own)?;
    own.given.papers.clear();
    let gone = std::mem::take(&mut own.kept);
    shelf.put_with(own, &[], &gone)
}
