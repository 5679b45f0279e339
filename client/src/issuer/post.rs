//! The issuer's letter box at its own node.

use kanhe_proto::api::{MailAnswers, MailQueue};
use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::mail::{MailAnswer, QueueProof};

use super::Office;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};

/// Bytes of answers handed in at once, before they are encoded as text.
const ANSWERS_BYTES_MAX: usize = 4 << 20;

/// What waits at a node of the bureau.
#[derive(Debug)]
pub struct Fetched {
    /// The node.
    pub node: NodeClient,
    /// The requests.
    pub queue: MailQueue,
}

/// Proves to a node that this is the bureau's issuing key.
pub fn queue_proof(office: &Office, node: &NodeClient) -> Result<Vec<u8>, Failure> {
    let challenge = node.mail_challenge()?;
    let proof = QueueProof::sign(&office.chain.chain_id, office.issuer, challenge, &office.key);
    Ok(codec::encode(&proof.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?))
}

/// Asks node after node for the bureau's mail: only its own have it. Waits so many seconds for something to come.
pub fn fetch(office: &Office, nodes: &[NodeClient], wait_seconds: u64) -> Result<Fetched, Failure> {
    let mut last = NodeError::Unnamed.failure();
    for node in nodes {
        let fetched = queue_proof(office, node)
            .and_then(|proof| node.mail_queue(&proof, wait_seconds).map_err(|error| node_failure(&error, office)));
        match fetched {
            Ok(queue) => return Ok(Fetched { node: node.clone(), queue }),
            Err(failure) if failure.exit == ExitCode::Unreachable || failure.code == "not_own_node" => last = failure,
            Err(failure) => return Err(failure),
        }
    }
    Err(last)
}

fn node_failure(error: &NodeError, office: &Office) -> Failure {
    match error {
        NodeError::NotFound { url, .. } => {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("url", url), ("issuer", &office.issuer)];
            Failure::of(ExitCode::Refused, "not_own_node", args)
        }
        other => other.failure(),
    }
}

/// Hands answers in, in portions that a node takes.
pub fn send(office: &Office, node: &NodeClient, answers: &[MailAnswer]) -> Result<(), Failure> {
    let mut answers = answers.iter().map(codec::encode).peekable();
    while answers.peek().is_some() {
        let (mut portion, mut bytes) = (Vec::new(), 0);
        while let Some(answer) =
            answers.next_if(|answer| portion.is_empty() || bytes + answer.len() <= ANSWERS_BYTES_MAX)
        {
            bytes += answer.len();
            portion.push(Blob::new(answer).expect("an envelope is within its limit"));
        }
        let proof = Blob::new(queue_proof(office, node)?).expect("a proof is short");
        node.mail_answers(&MailAnswers { proof, answers: portion })?;
    }
    Ok(())
}
