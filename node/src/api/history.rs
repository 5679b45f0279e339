//! What happened to a case, a consent or an account, as it is asked for and told.

use std::sync::Arc;

use kanhe_proto::api::{CertifiedBytes, LeafBytes, RecordBytes};
use kanhe_proto::codec;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::proof::ProvedRecord;
use serde::Deserialize;

use super::body::blob;
use super::problem::ApiError;
use super::state::{self, State};
use crate::chain::{ChainError, History, Snapshot};

/// From where on back.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Index of an event in the log; without one from the last.
    from: Option<u64>,
}

/// Records with the leaf that names the newest of them, under one header.
pub struct Told {
    pub certified: CertifiedBytes,
    pub leaf: LeafBytes,
    pub records: Vec<RecordBytes>,
    pub next: Option<LogIndex>,
}

/// Reads a history from where the query says; `absent` says what there is none of.
pub async fn told(
    state: &Arc<State>,
    query: EventsQuery,
    absent: &'static str,
    history: impl FnOnce(&Snapshot<'_>, Option<LogIndex>) -> Result<Option<History>, ChainError> + Send + 'static,
) -> Result<Told, ApiError> {
    let answer = state.read(move |_, snapshot| {
        let Some(found) = history(snapshot, query.from.map(LogIndex))? else {
            return Err(state::absent(snapshot, absent.to_owned()));
        };
        let (leaf, records) = (blob(codec::encode(&found.leaf))?, encoded(&found.records)?);
        Ok(Told { certified: state::certified(snapshot)?, leaf, records, next: found.next })
    });
    answer.await
}

/// Records with their proofs, each encoded.
pub fn encoded(records: &[ProvedRecord]) -> Result<Vec<RecordBytes>, ApiError> {
    records.iter().map(|record| blob(codec::encode(record))).collect()
}
