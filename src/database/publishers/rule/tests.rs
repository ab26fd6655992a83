//! Rules about claims.

use serde_json::{Value, json};

use super::super::origin::{login, provenance};

use super::*;

fn claims(value: Value) -> Claims {
    value.as_object().unwrap().clone()
}

fn github() -> Value {
    json!({
        "sub": "repo:acme/widgets:environment:release", "repository": "acme/widgets", "repository_owner": "acme",
        "repository_owner_id": "42", "workflow_ref": "acme/widgets/.github/workflows/release.yml@refs/tags/v1@2",
        "environment": "release", "event_name": "push", "ref": "refs/tags/v1@2", "sha": "abc", "run_id": "7", "actor": "ann",
    })
}

fn gitlab() -> Value {
    json!({
        "sub": "project_path:acme/tools/widgets:ref_type:tag:ref:v1", "project_path": "acme/tools/widgets",
        "namespace_id": 42, "ci_config_ref_uri": "gitlab.test/acme/tools/widgets//ci/release.yml@refs/tags/v1",
        "pipeline_id": 5, "job_id": "6", "ref": "v1", "sha": "abc", "pipeline_source": "push", "user_login": "ann",
    })
}

fn workflow() -> Rule {
    serde_json::from_value(json!({
        "kind": "workflow", "owner": "Acme", "owner_id": "42", "repository": "Widgets", "workflow": "release.yml",
        "environment": "Release",
    }))
    .unwrap()
}

fn pipeline() -> Rule {
    serde_json::from_value(json!({
        "kind": "pipeline", "namespace": "acme/tools", "namespace_id": "42", "project": "widgets",
        "workflow": "ci/release.yml", "environment": null,
    }))
    .unwrap()
}

/// The claim that a rule refuses when claims are changed.
fn refused(rule: &Rule, base: Value, changes: Value) -> Option<String> {
    let mut changed = claims(base);
    for (name, value) in changes.as_object().unwrap() {
        changed.insert(name.clone(), value.clone());
    }
    rule.judge(&changed).err().map(|mismatch| mismatch.claim)
}

#[test]
fn a_workflow_is_that_of_its_repository_owner_and_environment() {
    let rule = workflow();
    let refused = |changes: Value| refused(&rule, github(), changes);
    assert_eq!(refused(json!({})), None);
    assert_eq!(refused(json!({"repository": "ACME/widgets"})), None);
    let of_another = json!({"workflow_ref": "evil/widgets/.github/workflows/release.yml@refs/heads/main"});
    assert_eq!(refused(of_another).unwrap(), "the workflow");
    for (changes, claim) in [
        (json!({"repository": "acme/widgets2"}), "repository"),
        (json!({"repository": null}), "repository"),
        (json!({"repository_owner_id": "43"}), "repository_owner_id"),
        (json!({"repository_owner_id": null}), "repository_owner_id"),
        (json!({"workflow_ref": "acme/widgets/.github/workflows/ci.yml@refs/heads/release.yml@x"}), "the workflow"),
        (json!({"workflow_ref": "acme/widgets/.github/workflows/x/release.yml@refs/heads/main"}), "the workflow"),
        (json!({"workflow_ref": "acme/widgets/release.yml@refs/heads/main"}), "the workflow"),
        (json!({"workflow_ref": "acme/widgets/.github/workflows/release.yml"}), "the workflow"),
        (json!({"workflow_ref": null}), "the workflow"),
        (json!({"environment": "staging"}), "the environment"),
        (json!({"environment": null}), "the environment"),
    ] {
        assert_eq!(refused(changes.clone()).as_deref(), Some(claim), "{changes}");
    }
}

#[test]
fn a_pipeline_is_that_of_its_project_and_namespace() {
    let rule = pipeline();
    let refused = |changes: Value| refused(&rule, gitlab(), changes);
    assert_eq!(refused(json!({})), None);
    assert_eq!(refused(json!({"environment": "anything"})), None);
    for (changes, claim) in [
        (json!({"project_path": "acme/widgets"}), "project_path"),
        (json!({"project_path": "acme/tools/widgets/widgets"}), "project_path"),
        (json!({"namespace_id": 43}), "namespace_id"),
        (json!({"ci_config_ref_uri": "gitlab.test/evil/acme//ci/release.yml@x"}), "the pipeline file"),
        (
            json!({"ci_config_ref_uri": "gitlab.test/acme/tools/widgets//ci/other.yml@ci/release.yml"}),
            "the pipeline file",
        ),
        (json!({"ci_config_ref_uri": "https://gitlab.test/acme/tools/widgets//ci/release.yml@x"}), "the pipeline file"),
    ] {
        assert_eq!(refused(changes.clone()).as_deref(), Some(claim), "{changes}");
    }
}

#[test]
fn claims_are_texts_in_which_a_star_is_anything() {
    let rule = |wanted: &[(&str, &str)]| Rule::Claims {
        name: "ci".to_owned(),
        claims: wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let token =
        claims(json!({"sub": "organization:acme:pipeline:release:ref:main", "n": 5, "groups": ["a", "b"], "x": {}}));
    for right in [
        &[("sub", "organization:acme:pipeline:release:*")][..],
        &[("sub", "*:pipeline:release:ref:main"), ("n", "5")],
        &[("groups", "b")],
        &[("sub", "organization:*:ref:*n")],
    ] {
        assert_eq!(rule(right).judge(&token), Ok(()), "{right:?}");
    }
    for wrong in [
        &[("sub", "organization:acme:pipeline:release")][..],
        &[("sub", "organization:acme:*:ref:mai")],
        &[("groups", "c")],
        &[("missing", "*x")],
        &[("x", "{}")],
        &[("sub", "main*")],
        &[("sub", "organization:acme:pipeline:release:ref:main*main")],
    ] {
        assert!(rule(wrong).judge(&token).is_err(), "{wrong:?}");
    }
    assert_eq!(rule(&[("iss", "x"), ("aud", "y")]).check(Provider::Oidc), Err(InvalidRule::NoClaim));
    assert_eq!(rule(&[]).check(Provider::Oidc), Err(InvalidRule::NoClaim));
    assert!(matches!(rule(&[("sub", "**")]).check(Provider::Oidc), Err(InvalidRule::Anything { .. })));
    assert_eq!(rule(&[("sub", "a*")]).check(Provider::Oidc), Ok(()));
}

#[test]
fn what_cannot_be_a_repository_or_a_file_is_refused() {
    type Change = fn(&mut Rule);
    let wrong: [(&str, Change); 7] = [
        ("repository owner", |rule| set(rule, "acme/x", None, None)),
        ("repository owner", |rule| set(rule, "", None, None)),
        ("repository name", |rule| set(rule, "acme", Some("a b"), None)),
        ("workflow", |rule| set(rule, "acme", None, Some(".github/workflows/release.yml"))),
        ("workflow", |rule| set(rule, "acme", None, Some("release.txt"))),
        ("workflow", |rule| set(rule, "acme", None, Some("a@b.yml"))),
        ("workflow", |rule| set(rule, "acme", None, Some(".yml"))),
    ];
    for (what, change) in wrong {
        let mut rule = workflow();
        change(&mut rule);
        assert!(
            matches!(rule.check(Provider::GitHub), Err(InvalidRule::Field { what: found, .. }) if found == what),
            "{rule:?}"
        );
    }
    assert_eq!(workflow().check(Provider::Forgejo), Err(InvalidRule::NoEnvironment));
    assert_eq!((workflow().check(Provider::GitHub), pipeline().check(Provider::GitLab)), (Ok(()), Ok(())));
}

fn set(rule: &mut Rule, new_owner: &str, name: Option<&str>, file: Option<&str>) {
    let Rule::Workflow { owner, repository, workflow, .. } = rule else { return };
    *owner = new_owner.to_owned();
    *repository = name.unwrap_or(repository).to_owned();
    *workflow = file.unwrap_or(workflow).to_owned();
}

#[test]
fn the_owner_is_pinned_by_the_first_token() {
    let mut rule = pipeline();
    assert_eq!(rule.pinned(&claims(gitlab())), None);
    let Rule::Pipeline { namespace_id, .. } = &mut rule else { return };
    *namespace_id = None;
    assert_eq!(rule.pinned(&claims(gitlab())), Some(pipeline()));
    assert_eq!(rule.pinned(&claims(json!({}))), None);
}

#[test]
fn provenance_has_the_page_of_the_run() {
    let url = |provider, issuer: &str, token: Value| provenance(provider, issuer, &claims(token)).run_url.unwrap();
    let of_github = url(Provider::GitHub, "https://token.actions.githubusercontent.com", github());
    assert_eq!(of_github, "https://github.com/acme/widgets/actions/runs/7");
    let of_server = url(Provider::GitHub, "https://ghes.test/_services/token", github());
    assert_eq!(of_server, "https://ghes.test/acme/widgets/actions/runs/7");
    let of_enterprise = url(Provider::GitHub, "https://token.actions.githubusercontent.com/acme", github());
    assert_eq!(of_enterprise, "https://github.com/acme/widgets/actions/runs/7");
    let with_residency = url(Provider::GitHub, "https://token.actions.acme.ghe.com", github());
    assert_eq!(with_residency, "https://acme.ghe.com/acme/widgets/actions/runs/7");
    let of_gitlab = url(Provider::GitLab, "https://gitlab.test", gitlab());
    assert_eq!(of_gitlab, "https://gitlab.test/acme/tools/widgets/-/jobs/6");
    assert_eq!(
        login(Provider::GitHub, "https://token.actions.githubusercontent.com", "acme/widgets"),
        "github:acme/widgets"
    );
    assert_eq!(login(Provider::GitLab, "https://gitlab.test", "a/b"), "gitlab:a/b@gitlab.test");
    // A group of the name of a server.
    assert_eq!(login(Provider::GitLab, "https://gitlab.com", "gitlab.test/a/b"), "gitlab:gitlab.test/a/b");
    let mut odd = github();
    odd["run_id"] = json!("../../../../evil?x=#");
    let of_odd = url(Provider::GitHub, "https://ghes.test/_services/token", odd);
    assert_eq!(of_odd, "https://ghes.test/acme/widgets/actions/runs/..%2F..%2F..%2F..%2Fevil%3Fx%3D%23");
}
