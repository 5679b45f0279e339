//! The description of the API. `docs/openapi.json` is this document; a check holds them equal.

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use super::{
    accounts, blocks, case_files, cases, consents, diagnosis, evidence, health, log, mail, proposals, registry,
    transactions, trust,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kanhe node",
        description = "Every read of chain data comes with its proof, as base64url of its canonical encoding \
                       (docs/PROTOCOL.md). What is marked `unproven` is the node's word.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        trust::genesis,
        trust::trust,
        trust::schema,
        transactions::submit,
        transactions::transaction,
        evidence::one,
        evidence::many,
        registry::bureau,
        registry::key,
        registry::keys,
        registry::licence_type,
        registry::accreditation,
        registry::relying_party,
        registry::purpose,
        registry::supervision,
        registry::items,
        registry::service_item,
        registry::data_classes,
        registry::data_class,
        registry::membership,
        registry::parameters,
        registry::seats,
        registry::schedule,
        registry::alive,
        proposals::list,
        proposals::one,
        proposals::dry_run,
        accounts::one,
        accounts::history,
        accounts::acts,
        cases::list,
        cases::overdue,
        cases::ready,
        cases::proved,
        cases::one,
        cases::events,
        cases::acts,
        consents::one,
        consents::events,
        consents::acts,
        consents::reads,
        case_files::send,
        case_files::state,
        case_files::queue,
        case_files::part,
        registry::licence_status,
        registry::batch_status,
        blocks::header,
        blocks::block,
        blocks::record,
        blocks::stream,
        log::at_size,
        log::records,
        mail::send,
        mail::answer,
        mail::challenge,
        mail::queue,
        mail::answers,
        health::status,
        diagnosis::diagnosis,
        health::healthz,
        health::readyz,
        health::metrics,
    )
)]
struct Document;

/// The document as it is checked in.
pub fn document() -> String {
    let mut text = Document::openapi().to_pretty_json().expect("the document is made of texts");
    text.push('\n');
    text
}

/// The document, to whoever asks.
pub async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_document_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(checked_in == super::document(), "run: kanhe-node openapi > docs/openapi.json");
    }
}
