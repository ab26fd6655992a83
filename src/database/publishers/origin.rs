//! What the claims of an ID token tell about a version, and the machine user that publishes it.

use sha2::{Digest, Sha256};

use super::claims::{Claims, pipeline_file, repository, text, workflow_file};
use super::rule::MAX_TEXT;
use crate::database::access::provenance::{Provenance, Provider};
use crate::package::link_segment::encode;

/// The issuer of github.com.
pub const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// What the claims tell about a version.
pub fn provenance(provider: Provider, issuer: &str, claims: &Claims) -> Provenance {
    let get = |name: &str| text(claims, name);
    let one_of = |names: &[&str]| names.iter().find_map(|name| text(claims, name));
    let repository = repository(provider, claims);
    let mut provenance = Provenance {
        provider,
        issuer: issuer.to_owned(),
        subject: get("sub").unwrap_or_default(),
        sha: one_of(&["sha", "build_commit", "commit_sha"]),
        git_ref: one_of(&["ref", "build_branch", "oidc.circleci.com/vcs-ref"]),
        environment: get("environment"),
        run_url: None,
        run_id: None,
        job_id: None,
        workflow: None,
        event: None,
        actor: None,
        repository: repository.clone(),
    };
    let in_repository = |server: &str, rest: &str, id: &str| {
        let repository = repository.as_deref()?.split('/').map(encode).collect::<Vec<_>>().join("/");
        Some(format!("{server}/{repository}/{rest}/{}", encode(id)))
    };
    match provider {
        Provider::GitHub | Provider::Forgejo => {
            provenance.workflow = get("workflow_ref").and_then(|reference| workflow_file(claims, &reference));
            (provenance.event, provenance.actor) = (get("event_name"), get("actor"));
            provenance.run_id = get("run_id");
            // Forgejo numbers the runs of a repository.
            let run = if provider == Provider::GitHub { get("run_id") } else { get("run_number") };
            provenance.run_url = run.and_then(|run| in_repository(&server(issuer), "actions/runs", &run));
        }
        Provider::GitLab => {
            provenance.workflow = get("ci_config_ref_uri").and_then(|uri| pipeline_file(claims, &uri));
            (provenance.event, provenance.actor) = (get("pipeline_source"), get("user_login"));
            (provenance.run_id, provenance.job_id) = (get("pipeline_id"), get("job_id"));
            let job = provenance.job_id.clone();
            provenance.run_url = job.and_then(|job| in_repository(&server(issuer), "-/jobs", &job));
        }
        Provider::Oidc => provenance.run_id = one_of(&["job_id", "oidc.circleci.com/pipeline-id"]),
    }
    provenance
}

/// The login of the machine user that publishes: a repository or, without repositories, the value of a claim. No name of a
/// repository has an `@`.
pub fn login(provider: Provider, issuer: &str, name: &str) -> String {
    let kind = provider.as_str();
    let server = server(issuer);
    let host = server.split_once("://").map_or(server.as_str(), |(_, host)| host);
    match (provider, host) {
        (Provider::GitHub, "github.com") | (Provider::GitLab, "gitlab.com") => format!("{kind}:{name}"),
        _ => format!("{kind}:{name}@{host}"),
    }
}

/// What tells a CI system from others of its issuer: the repository, or the value of a claim. A long or odd value is shortened to
/// its SHA-256.
pub fn identity(provider: Provider, identity_claim: &str, claims: &Claims) -> Option<String> {
    let value = match provider {
        Provider::Oidc => text(claims, identity_claim)?,
        provider => return repository(provider, claims),
    };
    if value.len() <= MAX_TEXT && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@') {
        return Some(value);
    }
    let digest = Sha256::digest(value.as_bytes());
    Some(format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// The web server of an issuer. An enterprise at github.com may have an issuer of its own, and one with data residency has a
/// server of its own.
pub fn server(issuer: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    if issuer == GITHUB || issuer.starts_with(&format!("{GITHUB}/")) {
        return "https://github.com".to_owned();
    }
    if let Some(host) = issuer.strip_prefix("https://token.actions.").filter(|host| host.ends_with(".ghe.com")) {
        return format!("https://{host}");
    }
    let server = issuer.strip_suffix("/_services/token").or_else(|| issuer.strip_suffix("/api/actions"));
    server.unwrap_or(issuer).to_owned()
}
