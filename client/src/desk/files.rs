//! Case files: fetched from a node of the bureau, opened, and held against what the chain says of them. Of several that bear
//! one commitment the one counts whose parts the author of the act has signed.

use kanhe_proto::case_file::{Author, BoundFile, CaseFile, CaseFileError, FilePart};
use kanhe_proto::hash::{CaseId, ChainId, Commitment};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::KeyId;
use kanhe_proto::seal::SealError;

use super::wanted::Wanted;
use crate::issuer::{Office, queue_proof};
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};

/// Why a file is not what it should be. Nothing that is sent later changes that: the chain has the commitment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// Not a file, or not the one that was committed to.
    #[error(transparent)]
    File(#[from] CaseFileError),
    /// Of another author than the act that committed to it.
    #[error("the file says that it is of {0:?}")]
    Author(Author),
    /// Of another round.
    #[error("the file is of round {0}")]
    Round(u32),
    /// For another bureau.
    #[error("the file is for {0}")]
    Recipient(Uscc),
    /// Of another size than the chain has.
    #[error("the file has another size than the chain says")]
    Size,
}

impl FileFault {
    /// The stable name of the fault.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::Author(_) => "case_file_author",
            Self::Round(_) => "case_file_round",
            Self::Recipient(_) => "case_file_recipient",
            Self::Size => "case_file_size",
        }
    }
}

/// What came of fetching a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is there, and right.
    Here(Box<BoundFile>),
    /// It is not there, or not whole: it may come. Or it is sealed to a key that this desk was not started with.
    NotYet(&'static str),
    /// It is there, and wrong.
    Wrong(FileFault),
}

/// Holds a file against the act that committed to it.
pub fn check_file(
    bound: &BoundFile,
    wanted: &Wanted,
    chain: &ChainId,
    case: &CaseId,
    to: &Uscc,
) -> Result<(), FileFault> {
    let file: &CaseFile = bound.file();
    if bound.commitment() != wanted.file.commitment {
        return Err(CaseFileError::Commitment.into());
    }
    if (&file.chain, &file.case) != (chain, case) {
        return Err(CaseFileError::Other.into());
    }
    if file.to != *to {
        return Err(FileFault::Recipient(file.to));
    }
    if file.from != wanted.author {
        return Err(FileFault::Author(file.from));
    }
    if file.round != wanted.round {
        return Err(FileFault::Round(file.round));
    }
    if bound.reference(wanted.file.to) != wanted.file {
        return Err(FileFault::Size);
    }
    Ok(())
}

/// Fetches and opens a file from the bureau's nodes, of which only its own have it: the version of the author that the chain
/// names. What others signed under the same commitment is not looked at. What one node has of it and is wrong may be right at
/// another: all are tried.
pub fn fetch_file(office: &Office, nodes: &[NodeClient], case: &CaseId, wanted: &Wanted) -> Result<Fetched, Failure> {
    let ask = |node: &NodeClient| {
        let parts = parts_at(office, node, case, &wanted.file.commitment, &wanted.key)?;
        Ok(parts.map(|parts| judge(office, &parts, case, wanted)))
    };
    best_of(nodes, ask)
}

/// What is right at the first node that has it so; else what is there and cannot be used, which stands before that it is
/// missing somewhere, and that before why the last does not answer: a file that never comes must not hold up every other
/// step.
fn best_of<N>(nodes: &[N], ask: impl Fn(&N) -> Result<Option<Fetched>, Failure>) -> Result<Fetched, Failure> {
    let (mut found, mut last) = (None::<Fetched>, NodeError::Unnamed.failure());
    for node in nodes {
        let fetched = match ask(node) {
            Ok(fetched) => fetched.unwrap_or(Fetched::NotYet("file_missing")),
            Err(failure) => {
                last = failure;
                continue;
            }
        };
        match (&fetched, &found) {
            (Fetched::Here(_), _) => return Ok(fetched),
            (_, None | Some(Fetched::NotYet("file_missing"))) => found = Some(fetched),
            _ => {}
        }
    }
    found.ok_or(last)
}

fn judge(office: &Office, parts: &[FilePart], case: &CaseId, wanted: &Wanted) -> Fetched {
    let opened = open(office, parts).and_then(|bound| {
        check_file(&bound, wanted, &office.chain.chain_id, case, &office.issuer)?;
        Ok(bound)
    });
    match opened {
        Ok(bound) => Fetched::Here(Box::new(bound)),
        Err(FileFault::File(CaseFileError::Seal(SealError::OtherKey(_)))) => Fetched::NotYet("sealing_key_missing"),
        Err(fault) => Fetched::Wrong(fault),
    }
}

/// A file by its commitment and author alone, to look at once more what was checked already.
pub fn fetch_opened(
    office: &Office,
    nodes: &[NodeClient],
    case: &CaseId,
    (commitment, author): (&Commitment, &KeyId),
) -> Result<Option<BoundFile>, Failure> {
    let mut last = None;
    for node in nodes {
        match parts_at(office, node, case, commitment, author) {
            Ok(Some(parts)) => match open(office, &parts) {
                Ok(bound) => return Ok(Some(bound)),
                Err(fault) => last = Some(Failure::reported(ExitCode::Failure, fault.code(), fault)),
            },
            Ok(None) => {}
            Err(failure) => last = Some(failure),
        }
    }
    last.map_or(Ok(None), Err)
}

fn open(office: &Office, parts: &[FilePart]) -> Result<BoundFile, FileFault> {
    let key = parts.first().ok_or(CaseFileError::Incomplete(0))?.body.sealed.key;
    let secret = office.sealing_key(key).ok_or(CaseFileError::Seal(SealError::OtherKey(key)))?;
    Ok(BoundFile::open(parts, secret)?)
}

/// All parts, as one node has them; nothing if it has not all. A part that is none, of another file or of another author is as
/// good as not there: the node is at fault then, and another may do better.
fn parts_at(
    office: &Office,
    node: &NodeClient,
    case: &CaseId,
    commitment: &Commitment,
    author: &KeyId,
) -> Result<Option<Vec<FilePart>>, Failure> {
    let part = |place: u16| -> Result<Option<FilePart>, Failure> {
        let bytes = match node.file_part(&queue_proof(office, node)?, case, commitment, author, place) {
            Ok(bytes) => bytes,
            Err(NodeError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.failure()),
        };
        let part = FilePart::decode(&bytes, &office.chain.chain_id).map_err(|error| node.malformed(error).failure())?;
        let body = &part.body;
        let is_it = (body.case, body.commitment, body.to, body.place) == (*case, *commitment, office.issuer, place);
        if !is_it || part.author() != *author {
            return Err(node.malformed("another part than asked for").failure());
        }
        Ok(Some(part))
    };
    let Some(first) = part(0)? else { return Ok(None) };
    let count = first.body.parts;
    let mut parts = vec![first];
    for place in 1..count {
        match part(place)? {
            Some(part) => parts.push(part),
            None => return Ok(None),
        }
    }
    Ok(Some(parts))
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::{Blob, List};
    use kanhe_proto::case_file::CASE_FILE_VERSION;
    use kanhe_proto::ids::TimeMs;

    use super::*;

    const CHAIN: ChainId = ChainId([1; 32]);
    const CASE: CaseId = CaseId([2; 32]);

    fn us() -> Uscc {
        "11370100MB1A0001X2".parse().unwrap()
    }

    fn file() -> CaseFile {
        CaseFile {
            version: CASE_FILE_VERSION,
            chain: CHAIN,
            case: CASE,
            to: us(),
            from: Author::Slot(1),
            round: 3,
            values: List::empty(),
            presentation: Blob::new([]).unwrap(),
            applications: List::empty(),
            attachments: List::empty(),
            mandate: None,
            helped: None,
        }
    }

    #[test]
    fn a_node_that_is_away_or_wrong_does_not_stop_what_another_has() {
        let away = || Failure::reported(ExitCode::Unreachable, "unreachable", "");
        let here = || Fetched::Here(Box::new(file().bind([5; 32]).unwrap()));
        let (wrong, missing) = (Fetched::Wrong(FileFault::Size), Fetched::NotYet("file_missing"));
        let other_key = Fetched::NotYet("sealing_key_missing");
        let best = |nodes: &[Result<Option<Fetched>, Failure>]| best_of(nodes, Clone::clone);
        assert_eq!(best(&[Err(away()), Ok(None)]), Ok(missing.clone()));
        assert_eq!(best(&[Ok(None), Err(away())]), Ok(missing));
        assert_eq!(best(&[Err(away()), Ok(None), Ok(Some(here()))]), Ok(here()));
        assert_eq!(best(&[Ok(Some(wrong.clone())), Ok(Some(here()))]), Ok(here()), "another may have it right");
        assert_eq!(best(&[Ok(Some(other_key.clone())), Ok(Some(here()))]), Ok(here()));
        assert_eq!(best(&[Ok(None), Ok(Some(wrong.clone())), Ok(None)]), Ok(wrong.clone()));
        assert_eq!(best(&[Ok(Some(other_key.clone())), Ok(Some(wrong))]), Ok(other_key));
        assert_eq!(best(&[Err(away()), Err(away())]), Err(away()));
        assert_eq!(best(&[]).unwrap_err().code, "no_node");
    }

    /// What the chain says, of a file that says the same unless changed.
    fn judge(change: impl Fn(&mut CaseFile), chain: impl Fn(&mut Wanted)) -> Result<(), FileFault> {
        let mut file = file();
        change(&mut file);
        let bound = file.bind([5; 32]).unwrap();
        let (author, round, presented) = (Author::Slot(1), 3, TimeMs(0));
        let mut wanted =
            Wanted { author, key: KeyId([1; 16]), round, file: bound.reference(4), presented, clerk: None };
        chain(&mut wanted);
        check_file(&bound, &wanted, &CHAIN, &CASE, &us())
    }

    #[test]
    fn a_file_is_what_the_act_committed_to_or_nothing() {
        assert_eq!(judge(|_| {}, |_| {}), Ok(()));
        let other: Uscc = Uscc::with_check("11370100MB2858147").unwrap();
        let code = |judged: Result<(), FileFault>| judged.unwrap_err().code();
        assert_eq!(code(judge(|file| file.case = CaseId([9; 32]), |_| {})), "case_file_other");
        assert_eq!(code(judge(|file| file.chain = ChainId([9; 32]), |_| {})), "case_file_other");
        assert_eq!(code(judge(|file| file.to = other, |_| {})), "case_file_recipient");
        assert_eq!(code(judge(|file| file.from = Author::Slot(0), |_| {})), "case_file_author");
        assert_eq!(code(judge(|file| file.from = Author::Bureau { place: 1, step: 1 }, |_| {})), "case_file_author");
        assert_eq!(code(judge(|file| file.round = 2, |_| {})), "case_file_round");
        assert_eq!(code(judge(|_| {}, |wanted| wanted.file.commitment.0[0] ^= 1)), "case_file_commitment");
        assert_eq!(code(judge(|_| {}, |wanted| wanted.file.bytes += 4_096)), "case_file_size");
    }
}
