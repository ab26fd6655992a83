//! The OpenAPI description is generated from the code and complete.

use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::support::harness::TestRegistry;

fn description() -> Value {
    TestRegistry::new().anonymous().get("/api/openapi.json").good().json()
}

#[test]
fn a_client_that_has_the_description_is_not_sent_it_again() {
    let registry = TestRegistry::new();
    let client = registry.anonymous();
    let known = client.get("/api/openapi.json").good().headers["etag"].clone();
    let again = |tag: &str| {
        let request = Request::get("/api/openapi.json").header("if-none-match", tag);
        let answer = client.send(request.body(Body::empty()).unwrap());
        (answer.status.as_u16(), answer.body.is_empty(), answer.headers["etag"].clone())
    };
    assert_eq!(again(known.to_str().unwrap()), (304, true, known.clone()));
    assert_eq!(again("\"other\""), (200, false, known));
}

/// Every endpoint with its method and path.
fn calls(description: &Value) -> Vec<(String, &Value)> {
    let paths = description["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, calls)| {
            calls.as_object().unwrap().iter().map(move |(method, call)| (format!("{method} {path}"), call))
        })
        .collect()
}

/// Of two schemas with one name the description has one, and describes the other calls wrongly.
#[test]
fn every_schema_has_a_name_of_its_own() {
    let mut names: Vec<String> = Vec::new();
    for (_, code) in crate::layers::sources() {
        let declared = code.split("ToSchema").skip(1);
        names.extend(declared.filter_map(|after| {
            let (attributes, rest) = after.split_once("pub struct ").or_else(|| after.split_once("pub enum "))?;
            // Up to the declaration are only its attributes.
            let is_next = attributes.lines().skip(1).all(|line| line.is_empty() || line.starts_with("#["));
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
            is_next.then(|| name.to_owned())
        }));
    }
    assert!(names.len() > 100, "{}", names.len());
    names.sort();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    assert!(twice.is_empty(), "these names have several types: {twice:?}");
}

/// Generators of clients make functions of them.
#[test]
fn every_call_has_an_operation_id_of_its_own() {
    let description = description();
    let mut ids: Vec<_> = calls(&description).iter().map(|(_, call)| call["operationId"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(ids.contains(&"delete_admin_teams_team_members_login"), "{ids:?}");
}

#[test]
fn every_endpoint_is_described_with_its_responses_and_errors() {
    let description = description();
    let calls = calls(&description);
    assert!(calls.len() >= 24, "{}", calls.len());
    let tags: Vec<&Value> = description["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (call, described) in &calls {
        assert!(call.contains(" /api/v1/"), "{call}");
        assert!(described["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{call}");
        assert!(described["tags"].as_array().unwrap().iter().all(|tag| tags.contains(&tag)), "{call}");
        let responses = described["responses"].as_object().unwrap();
        let content = responses.get("200").and_then(|good| good["content"].as_object());
        assert!(content.is_some_and(|content| !content.is_empty()) || responses.contains_key("204"), "{call}");
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let schema = &response["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Errors", "{call} {status}");
        }
    }
    assert_eq!(description["components"]["schemas"]["Errors"]["required"][0], "errors");
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
}

/// The values of every `$ref`.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves() {
    let description = description();
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference}"));
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn endpoints_that_need_a_token_are_marked() {
    let description = description();
    let token = &description["components"]["securitySchemes"]["token"];
    assert_eq!(
        (&token["type"], &token["in"], &token["name"]),
        (&"apiKey".into(), &"header".into(), &"Authorization".into())
    );
    let with_token: Vec<String> = calls(&description)
        .into_iter()
        .filter(|(_, call)| !call["security"].is_null())
        .map(|(call, described)| {
            assert!(described["responses"]["401"].is_object() && described["responses"]["403"].is_object(), "{call}");
            call
        })
        .collect();
    for call in [
        "put /api/v1/crates/new",
        "delete /api/v1/crates/{crate}/{version}/yank",
        "patch /api/v1/crates/{crate}/{version}",
    ] {
        assert!(with_token.iter().any(|one| one == call), "{call}: {with_token:?}");
    }
    let body = &description["paths"]["/api/v1/crates/new"]["put"]["requestBody"]["content"];
    assert!(body["application/octet-stream"].is_object(), "{body}");
}

/// A route that is registered without its description would be missing from it.
#[test]
fn an_endpoint_can_only_be_registered_with_its_description() {
    fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut found);
    assert!(found.len() > 30);
    for (file, code) in found {
        for place in code.match_indices(".route(").map(|(place, _)| place) {
            let rest: String = code[place + ".route(".len()..].split_whitespace().collect();
            let described = rest.starts_with("\"/api/") && !rest.starts_with("\"/api/openapi.json\"");
            assert!(!described, "{file} registers {} without a description", &rest[..rest.len().min(40)]);
        }
    }
}
