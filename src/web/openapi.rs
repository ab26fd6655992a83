//! `GET /api/openapi.json`: the description of the API, generated from the endpoints.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{self, IntoResponse};
use axum::routing::get;
use utoipa::ToSchema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, Response, Server, Tag,
};
use utoipa_axum::router::OpenApiRouter;

use super::answers::conditions::{self, Condition};
use super::{ApiError, App, api};
use crate::package::Checksum;

/// The groups of endpoints.
const TAGS: [(&str, &str); 15] = [
    ("crates", "Search, list and show crates"),
    ("versions", "List and show versions of crates"),
    ("downloads", "Crate files and download counts"),
    ("publish", "Publish, yank and unyank versions"),
    ("release sets", "Versions that are staged, and published together or not at all"),
    ("owners", "Owners of crates: the users and teams who may publish versions"),
    ("users", "Users of the registry"),
    ("tokens", "The tokens of the authenticated user"),
    ("trusted publishing", "CI systems publish with ID tokens instead of a token of a user"),
    ("webhooks", "Receivers that are sent what happens"),
    ("advisories", "Security advisories"),
    ("admin", "Endpoints for admins"),
    ("keywords", "Keywords of crates"),
    ("categories", "Categories of crates"),
    ("registry", "The registry as a whole"),
];

/// The endpoints, and the route of their description, which names the registry's URL.
pub(super) fn router(base_url: &str) -> Router<App> {
    let (router, mut description) = described().split_for_parts();
    description.servers = Some(vec![Server::new(base_url)]);
    // Rendered once, since that takes longer than most responses.
    let rendered = serde_json::to_vec(&description).map(Rendered::new).map_err(|error| error.to_string());
    router.route("/api/openapi.json", get(async move |headers: HeaderMap| show(&rendered, &headers)))
}

/// The description as JSON, and the hash that is its tag.
#[derive(Clone)]
struct Rendered {
    json: Bytes,
    hash: Arc<str>,
}

impl Rendered {
    fn new(json: Vec<u8>) -> Self {
        let hash = Checksum::of(&json).to_string().into();
        Self { json: json.into(), hash }
    }
}

fn show(rendered: &Result<Rendered, String>, headers: &HeaderMap) -> Result<response::Response, ApiError> {
    let Rendered { json, hash } = rendered.as_ref().map_err(|error| ApiError::internal(error.clone()))?;
    let mut response = match conditions::check(headers, conditions::Tag { opaque: hash, is_strong: true }) {
        Condition::Met => ([(CONTENT_TYPE, "application/json")], json.clone()).into_response(),
        Condition::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Condition::Failed => {
            let text = "If-Match names another version of the description: send the request without it";
            return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, text));
        }
    };
    let tag = HeaderValue::try_from(format!("\"{hash}\"")).map_err(ApiError::internal)?;
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The description of the API.
pub fn description() -> OpenApi {
    described().into_openapi()
}

fn described() -> OpenApiRouter<App> {
    let info = InfoBuilder::new()
        .title("supercargo")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The web API of a cargo registry: cargo's registry API and the read endpoints of crates.io. Errors are \
             JSON: `{\"errors\": [{\"detail\": \"…\"}]}`.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
        .build();
    let mut components = Components::new();
    components.add_security_scheme(
        "token",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "Authorization",
            "An API token, alone or after `Bearer` or `Token`",
        ))),
    );
    // Only parameters refer to these schemas, and utoipa does not collect those.
    add::<api::crates::CratesSort>(&mut components);
    add::<api::topics::TopicsSort>(&mut components);
    add::<api::versions::VersionsSort>(&mut components);
    let tags = TAGS.map(|(name, description)| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    });
    let openapi = OpenApiBuilder::new().info(info).components(Some(components)).tags(Some(tags)).build();
    let mut router = OpenApiRouter::with_openapi(openapi).merge(api::router());
    for (url, path) in &mut router.get_openapi_mut().paths.paths {
        let operations = [
            ("get", &mut path.get),
            ("put", &mut path.put),
            ("post", &mut path.post),
            ("patch", &mut path.patch),
            ("delete", &mut path.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            // The names of the handlers are not unique.
            let words = url.trim_start_matches("/api/v1/").split(|c: char| !c.is_ascii_alphanumeric());
            let words = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
            operation.operation_id = Some(format!("{method}_{words}"));
            for (status, meaning) in FAILURES {
                let responses = &mut operation.responses.responses;
                responses.entry(status.to_owned()).or_insert_with(|| failure(meaning).into());
            }
            if operation.request_body.is_some() {
                let (status, meaning) = CODED;
                operation.responses.responses.insert(status.to_owned(), failure(meaning).into());
            }
        }
    }
    router
}

fn add<T: ToSchema>(components: &mut Components) {
    components.schemas.insert(T::name().into_owned(), T::schema());
}

/// Errors that any endpoint may answer with.
const FAILURES: [(&str, &str); 4] = [
    ("414", "The URL is longer than 16 KiB"),
    ("429", "The client has too many concurrent requests; retry after `Retry-After` seconds"),
    ("500", "Internal error; see the server log"),
    ("503", "The database or the storage is unavailable, or the registry is overloaded; nothing was changed"),
];

/// The error of endpoints that read a body.
const CODED: (&str, &str) = ("415", "The body has a `Content-Encoding`; send it without compression");

fn failure(meaning: &str) -> Response {
    let mut response = Response::new(meaning);
    let schema = Ref::from_schema_name("Errors");
    response.content.insert("application/json".to_owned(), Content::new(Some(schema)).into());
    response
}
