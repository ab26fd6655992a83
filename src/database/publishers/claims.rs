//! What the claims of ID tokens are called, and how they are read.

use serde_json::{Map, Value};

use crate::database::access::provenance::Provider;

/// Events with which GitHub runs a trusted workflow on code from outside the repository.
const UNTRUSTED_EVENTS: [&str; 2] = ["pull_request_target", "workflow_run"];
/// Where workflows are.
const WORKFLOW_DIRECTORIES: [&str; 3] = [".github/workflows/", ".forgejo/workflows/", ".gitea/workflows/"];

pub(super) type Claims = Map<String, Value>;

/// The repository that an ID token is of.
pub fn repository(provider: Provider, claims: &Claims) -> Option<String> {
    match provider {
        Provider::GitHub | Provider::Forgejo => text(claims, "repository"),
        Provider::GitLab => text(claims, "project_path"),
        Provider::Oidc => None,
    }
}

/// The event for which no token is issued, if the run has one.
pub fn untrusted_event(provider: Provider, claims: &Claims) -> Option<String> {
    let is_workflow = matches!(provider, Provider::GitHub | Provider::Forgejo);
    text(claims, "event_name").filter(|event| is_workflow && UNTRUSTED_EVENTS.contains(&event.as_str()))
}

/// A claim as a text; numbers are written by some issuers where others write texts.
pub(super) fn text(claims: &Claims, name: &str) -> Option<String> {
    texts(claims, name).into_iter().next().filter(|text| !text.is_empty())
}

pub(super) fn texts(claims: &Claims, name: &str) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    match claims.get(name) {
        Some(Value::Array(values)) => values.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The file of a workflow in `OWNER/REPOSITORY/.github/workflows/FILE@REF`, if it is one of the token's repository.
pub(super) fn workflow_file(claims: &Claims, reference: &str) -> Option<String> {
    let repository = text(claims, "repository")?;
    let path = strip_prefix_in_any_case(reference, &repository)?.strip_prefix('/')?;
    let file = WORKFLOW_DIRECTORIES.iter().find_map(|directory| path.strip_prefix(directory))?;
    let (file, _) = file.split_once('@')?;
    (!file.contains('/')).then(|| file.to_owned())
}

/// The file of a pipeline in `HOST/PROJECT//FILE@REF`, if it is one of the token's project.
pub(super) fn pipeline_file(claims: &Claims, uri: &str) -> Option<String> {
    let project = text(claims, "project_path")?;
    let (place, rest) = uri.split_once("//")?;
    let (_, path) = place.split_once('/')?;
    let (file, _) = rest.split_once('@')?;
    // A server may be in a directory of its host.
    let is_own =
        path.eq_ignore_ascii_case(&project) || path.to_lowercase().ends_with(&format!("/{}", project.to_lowercase()));
    is_own.then(|| file.to_owned())
}

fn strip_prefix_in_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}
