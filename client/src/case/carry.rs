//! Finishing what a wallet has begun: files first, until a node has written all of them, then the act, until the chain has it.

use kanhe_proto::case::Act;
use kanhe_proto::ids::TimeMs;

use super::own::{OwnCase, OwnFile, Shelf};
use super::prepare::{Kind, Maker};
use super::read::Items;
use super::refusal::refused;
use super::send::{found, send, send_again};
use crate::clock;
use crate::follow::Follower;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};
use crate::wallet::Wallet;

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

/// Brings unfinished acts, whose files are stored, onto the chain in one transaction. Of one that is refused its case has the
/// code; an opening is kept all the same, until it is void.
pub fn settle(wallet: &Wallet, follower: &mut Follower, owns: &mut [OwnCase]) -> Result<(), Failure> {
    let shelf = Shelf::of(wallet);
    let (mut acts, mut again) = (Vec::new(), true);
    for own in owns.iter_mut() {
        if let Some(pending) = &mut own.pending {
            acts.push(pending.act()?);
            again &= own.refused.is_some();
            pending.sent = true;
            shelf.put(own)?;
        }
    }
    if acts.is_empty() {
        return Ok(());
    }
    let sent = if again { send_again(follower, &acts) } else { send(follower, &acts) };
    match sent {
        Ok(_) => owns.iter_mut().try_for_each(|own| {
            if let Some(pending) = own.pending.take() {
                own.disclosed.extend(pending.disclosed);
                own.kept.extend(pending.files);
            }
            own.refused = None;
            shelf.put(own)
        }),
        // All or none: it is found out which one it is.
        Err(failure) if failure.exit == ExitCode::Refused && owns.len() > 1 => {
            owns.iter_mut().try_for_each(|own| settle(wallet, follower, std::slice::from_mut(own)))
        }
        Err(failure) if failure.exit == ExitCode::Refused => {
            owns.iter_mut().try_for_each(|own| was_refused(&shelf, own, &failure.code))
        }
        Err(failure) => Err(failure),
    }
}

/// That nodes refuse an opening is their word: one that does not tell the truth may hand it in later, as long as its time is
/// not over. So it is kept with its files, tried again by the next command, and found if it is on the chain then.
fn was_refused(shelf: &Shelf<'_>, own: &mut OwnCase, code: &str) -> Result<(), Failure> {
    own.refused = Some(code.to_owned());
    let Some(pending) = &own.pending else { return shelf.put(own) };
    match pending.act()?.act {
        Act::Open(_) => shelf.put(own),
        _ => drop_pending(shelf, own),
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
    if !void && !pending.is_stale(clock::now()) {
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
