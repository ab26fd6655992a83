//! `GET /api/openapi.json`: the description of the API, generated from the endpoints.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::ToSchema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, Response, Server, Tag,
};
use utoipa_axum::router::OpenApiRouter;

use super::{ApiError, App, api};

/// The groups of endpoints.
const TAGS: [(&str, &str); 11] = [
    ("crates", "Search, list and show crates"),
    ("versions", "List and show versions of crates"),
    ("downloads", "Crate files and download counts"),
    ("publish", "Publish, yank and unyank versions"),
    ("owners", "Owners of crates: the users and teams who may publish versions"),
    ("users", "Users of the registry"),
    ("tokens", "The tokens of the authenticated user"),
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
    let rendered = match serde_json::to_vec(&description) {
        Ok(rendered) => Ok(Bytes::from(rendered)),
        Err(error) => Err(error.to_string()),
    };
    router.route("/api/openapi.json", get(async move || show(&rendered)))
}

fn show(rendered: &Result<Bytes, String>) -> Result<impl IntoResponse + use<>, ApiError> {
    let rendered = rendered.clone().map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, "application/json")], rendered))
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
    for path in router.get_openapi_mut().paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.put, &mut path.patch, &mut path.delete].into_iter().flatten();
        for operation in operations {
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
