//! Leaves of the registry and of the state, each with its proof or with that of its absence.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use kanhe_proto::api::{DataClassesAnswer, KeysAnswer, LeafAnswer, Problem};
use kanhe_proto::bounded::Text;
use kanhe_proto::codec;
use kanhe_proto::governance::alive_key;
use kanhe_proto::hash::{LicenceDigest, MapKey};
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::item::ItemVersion;
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::{
    Accreditation, Bureau, DataClass, ItemCatalogue, KeyEntry, LicenceType, Membership, Parameters, Purpose,
    RegistryRecord, RelyingParty, Schedule, Seats, ServiceItem, Supervision,
};
use kanhe_proto::status::{batch_status_key, licence_status_key};

use super::body::{Segments, blob, parse};
use super::problem::ApiError;
use super::state::{self, State};

type Shared = extract::State<Arc<State>>;
type Answer = Result<Json<LeafAnswer>, ApiError>;

/// Keys in one answer.
const KEYS_MAX: usize = 256;

async fn registry(state: Arc<State>, key: MapKey) -> Answer {
    let answer = state.read(move |_, snapshot| state::leaf(snapshot, &snapshot.prove_registry(&key)?));
    answer.await.map(Json)
}

async fn status(state: Arc<State>, key: MapKey) -> Answer {
    let answer = state.read(move |_, snapshot| state::leaf(snapshot, &snapshot.prove_state(&key)?));
    answer.await.map(Json)
}

fn code(text: &str) -> Result<TypeCode, ApiError> {
    parse("type code", text)
}
fn uscc(text: &str) -> Result<Uscc, ApiError> {
    parse("bureau", text)
}

/// Declares a read of one leaf: its path, what the path holds, and how that makes the leaf's key.
macro_rules! leaf_route {
    ($(#[doc = $doc:literal])* $name:ident, $path:literal, $tag:literal, $read:ident,
     ($($label:literal $segment:ident),*), $key:expr) => {
        $(#[doc = $doc])*
        #[utoipa::path(
            get, path = $path, tag = $tag,
            params($(($label = String, Path)),*),
            responses(
                (status = 200, description = "The leaf or its proved absence", body = LeafAnswer),
                (status = 400, body = Problem, content_type = "application/problem+json"),
                (status = 503, body = Problem, content_type = "application/problem+json"),
            )
        )]
        pub async fn $name(
            extract::State(state): Shared,
            Segments(segments): Segments<[String; [$($label),*].len()]>,
        ) -> Answer {
            let [$($segment),*] = segments;
            let key: MapKey = $key?;
            $read(state, key).await
        }
    };
}

leaf_route!(
    /// A bureau.
    bureau, "/v1/registry/bureaus/{bureau}", "registry", registry, ("bureau" bureau),
    uscc(&bureau).map(|id| Bureau::key_of(&id))
);
leaf_route!(
    /// A key of a bureau.
    key, "/v1/registry/keys/{bureau}/{key}", "registry", registry, ("bureau" bureau, "key" key),
    parse::<KeyId>("key id", &key).and_then(|key| Ok(KeyEntry::key_of(&(uscc(&bureau)?, key))))
);
leaf_route!(
    /// A version of a licence type.
    licence_type, "/v1/registry/types/{type}/{version}", "registry", registry, ("type" r#type, "version" version),
    parse("version", &version).and_then(|version| Ok(LicenceType::key_of(&(code(&r#type)?, TypeVersion(version)))))
);
leaf_route!(
    /// The right of a bureau to issue a type.
    accreditation, "/v1/registry/accreditations/{bureau}/{type}", "registry", registry,
    ("bureau" bureau, "type" r#type),
    code(&r#type).and_then(|code| Ok(Accreditation::key_of(&(uscc(&bureau)?, code))))
);
leaf_route!(
    /// A relying party.
    relying_party, "/v1/registry/relying-parties/{party}", "registry", registry, ("party" party),
    uscc(&party).map(|id| RelyingParty::key_of(&id))
);
leaf_route!(
    /// A purpose.
    purpose, "/v1/registry/purposes/{purpose}", "registry", registry, ("purpose" purpose),
    Text::new(purpose.as_str())
        .map_err(|error| ApiError::malformed("malformed_path", format!("purpose: {error}")))
        .map(|code| Purpose::key_of(&code))
);
leaf_route!(
    /// A version of a service item. The text that it names is served as schemas are.
    service_item, "/v1/registry/items/{item}/{version}", "registry", registry, ("item" item, "version" version),
    Text::new(item.as_str())
        .map_err(|error| ApiError::malformed("malformed_path", format!("item: {error}")))
        .and_then(|code| Ok(ServiceItem::key_of(&(code, ItemVersion(parse("version", &version)?)))))
);
leaf_route!(
    /// A class of data that a bureau holds.
    data_class, "/v1/registry/data/{bureau}/{class}", "registry", registry, ("bureau" bureau, "class" class),
    Text::new(class.as_str())
        .map_err(|error| ApiError::malformed("malformed_path", format!("class: {error}")))
        .and_then(|code| Ok(DataClass::key_of(&(uscc(&bureau)?, code))))
);
leaf_route!(
    /// The right of a supervisor over an issuer's licences of a type.
    supervision, "/v1/registry/supervisions/{supervisor}/{issuer}/{type}", "registry", registry,
    ("supervisor" supervisor, "issuer" issuer, "type" r#type),
    code(&r#type).and_then(|code| Ok(Supervision::key_of(&(uscc(&supervisor)?, uscc(&issuer)?, code))))
);
leaf_route!(
    /// History of a licence. Absence means that nothing ever happened to it.
    licence_status, "/v1/status/licences/{issuer}/{digest}", "status", status, ("issuer" issuer, "digest" digest),
    parse::<LicenceDigest>("licence digest", &digest)
        .and_then(|digest| Ok(licence_status_key(&uscc(&issuer)?, &digest)))
);
leaf_route!(
    /// History of a batch. Absence means that nothing ever happened to it.
    batch_status, "/v1/status/batches/{issuer}/{batch}", "status", status, ("issuer" issuer, "batch" batch),
    parse("batch id", &batch).and_then(|batch| Ok(batch_status_key(&uscc(&issuer)?, LogIndex(batch))))
);

/// All keys of a bureau, also those that have ended.
#[utoipa::path(
    get, path = "/v1/registry/keys/{bureau}", tag = "registry", params(("bureau" = String, Path)),
    responses(
        (status = 200, body = KeysAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn keys(
    extract::State(state): Shared,
    Segments(bureau): Segments<String>,
) -> Result<Json<KeysAnswer>, ApiError> {
    let bureau = uscc(&bureau)?;
    let answer = state.read(move |_, snapshot| {
        let keys = snapshot.keys_of(&bureau, KEYS_MAX)?;
        let keys = keys.iter().map(|leaf| blob(codec::encode(leaf))).collect::<Result<_, ApiError>>()?;
        Ok(KeysAnswer { certified: state::certified(snapshot)?, keys })
    });
    answer.await.map(Json)
}

/// All classes of data that a bureau ever declared. Absence of the catalogue means that it declared none.
#[utoipa::path(
    get, path = "/v1/registry/data/{bureau}", tag = "registry", params(("bureau" = String, Path)),
    responses(
        (status = 200, body = DataClassesAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn data_classes(
    extract::State(state): Shared,
    Segments(bureau): Segments<String>,
) -> Result<Json<DataClassesAnswer>, ApiError> {
    let bureau = uscc(&bureau)?;
    let answer = state.read(move |_, snapshot| {
        let found = snapshot.data_classes(&bureau)?;
        let classes = found.classes.iter().map(|leaf| blob(codec::encode(leaf))).collect::<Result<_, ApiError>>()?;
        let catalogue = blob(codec::encode(&found.catalogue))?;
        Ok(DataClassesAnswer { certified: state::certified(snapshot)?, catalogue, classes })
    });
    answer.await.map(Json)
}

/// All service items with their newest versions. Absence means that none was ever registered.
#[utoipa::path(
    get, path = "/v1/registry/items", tag = "registry",
    responses((status = 200, body = LeafAnswer), (status = 503, body = Problem, content_type = "application/problem+json"))
)]
pub async fn items(extract::State(state): Shared) -> Answer {
    registry(state, ItemCatalogue::key_of(&())).await
}

/// The bureaus that vote.
#[utoipa::path(
    get, path = "/v1/registry/membership", tag = "registry",
    responses((status = 200, body = LeafAnswer), (status = 503, body = Problem, content_type = "application/problem+json"))
)]
pub async fn membership(extract::State(state): Shared) -> Answer {
    registry(state, Membership::key_of(&())).await
}

/// The chain's parameters.
#[utoipa::path(
    get, path = "/v1/registry/parameters", tag = "registry",
    responses((status = 200, body = LeafAnswer), (status = 503, body = Problem, content_type = "application/problem+json"))
)]
pub async fn parameters(extract::State(state): Shared) -> Answer {
    registry(state, Parameters::key_of(&())).await
}

/// The seats of the validator set.
#[utoipa::path(
    get, path = "/v1/registry/seats", tag = "registry",
    responses((status = 200, body = LeafAnswer), (status = 503, body = Problem, content_type = "application/problem+json"))
)]
pub async fn seats(extract::State(state): Shared) -> Answer {
    registry(state, Seats::key_of(&())).await
}

/// What was decided and takes effect later.
#[utoipa::path(
    get, path = "/v1/registry/schedule", tag = "registry",
    responses((status = 200, body = LeafAnswer), (status = 503, body = Problem, content_type = "application/problem+json"))
)]
pub async fn schedule(extract::State(state): Shared) -> Answer {
    registry(state, Schedule::key_of(&())).await
}

/// Which validators signed when.
#[utoipa::path(
    get, path = "/v1/status/alive", tag = "status",
    responses((status = 200, body = LeafAnswer), (status = 503, body = Problem, content_type = "application/problem+json"))
)]
pub async fn alive(extract::State(state): Shared) -> Answer {
    status(state, alive_key()).await
}
