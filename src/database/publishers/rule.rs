//! What the claims of an ID token have to be for a trusted publisher.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::claims::{Claims, pipeline_file, text, texts, workflow_file};
use crate::database::access::provenance::Provider;

/// The longest name, path or claim, in bytes.
pub const MAX_TEXT: usize = 255;
/// The most claims that a rule names.
pub const MAX_CLAIMS: usize = 20;
/// What the claims have to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Rule {
    /// A workflow of GitHub, or of Forgejo, whose claims are the same.
    Workflow {
        owner: String,
        /// The number of the owner, so that another one of this name is not trusted; None until the first exchange.
        owner_id: Option<String>,
        repository: String,
        /// The name of the file.
        workflow: String,
        /// None: any, or none.
        environment: Option<String>,
    },
    /// A pipeline of GitLab.
    Pipeline {
        namespace: String,
        /// The number of the namespace; None until the first exchange.
        namespace_id: Option<String>,
        project: String,
        /// The path of the file.
        workflow: String,
        environment: Option<String>,
    },
    /// Claims of any issuer.
    Claims {
        /// Names the publisher in the audit log.
        name: String,
        /// The claims, each with its value, in which `*` stands for any text.
        claims: BTreeMap<String, String>,
    },
}

/// Why a rule is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    #[error("{value:?} is not a valid {what}: {expected}")]
    Field { what: &'static str, value: String, expected: &'static str },
    #[error("the ID tokens of Forgejo name no environment: leave it out")]
    NoEnvironment,
    #[error("a trusted publisher of this kind needs a {0}: give it")]
    Missing(&'static str),
    #[error("a trusted publisher of this kind has no {0}: leave it out")]
    Superfluous(&'static str),
    #[error(
        "a trusted publisher needs a claim that distinguishes it, besides aud, exp, iat, iss, jti and nbf: give `sub`, for example"
    )]
    NoClaim,
    #[error("a trusted publisher has at most {MAX_CLAIMS} claims")]
    TooManyClaims,
    #[error("the value `{value}` of the claim `{claim}` matches every ID token: make it more specific")]
    Anything { claim: String, value: String },
}

/// A claim that is not as a rule wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub claim: String,
    pub expected: String,
    pub found: Option<String>,
    /// Whether the repository is the right one, so that this is worth telling.
    pub is_near: bool,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.as_ref().map_or_else(|| "none".to_owned(), |found| format!("`{found}`"));
        write!(f, "{} has to be `{}` and is {found}", self.claim, self.expected)
    }
}

fn field(what: &'static str, value: &str, is_good: bool, expected: &'static str) -> Result<(), InvalidRule> {
    if is_good && value.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(InvalidRule::Field { what, value: value.chars().take(MAX_TEXT).collect(), expected })
}

fn is_word(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_path(text: &str) -> bool {
    text.split('/').all(is_word)
}

fn is_file(text: &str) -> bool {
    let has_ending = [".yml", ".yaml"].iter().any(|ending| text.len() > ending.len() && text.ends_with(ending));
    has_ending && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"@\\".contains(&byte))
}

fn check_number(id: Option<&str>) -> Result<(), InvalidRule> {
    let Some(text) = id else { return Ok(()) };
    let is_number = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    field("number of an owner", text, is_number, "give the number that the server has for the account, or leave it out")
}

fn check_environment(environment: Option<&str>) -> Result<(), InvalidRule> {
    let Some(text) = environment else { return Ok(()) };
    let is_good = !text.trim().is_empty() && text == text.trim() && !text.chars().any(char::is_control);
    field("environment", text, is_good, "give its name, or leave it out for any")
}

/// A rule as people give it.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `OWNER/NAME`, or the path of a project.
    pub repository: Option<String>,
    /// The number of the owner, or of the namespace.
    pub owner_id: Option<String>,
    pub workflow: Option<String>,
    pub environment: Option<String>,
    pub name: Option<String>,
    pub claims: BTreeMap<String, String>,
}

impl Given {
    /// The rule for a provider; it is not checked yet.
    pub fn rule(self, provider: Provider) -> Result<Rule, InvalidRule> {
        if provider == Provider::Oidc {
            self.has_not(&[
                ("owner_id", &self.owner_id),
                ("repository", &self.repository),
                ("workflow", &self.workflow),
                ("environment", &self.environment),
            ])?;
            let name = self.name.ok_or(InvalidRule::Missing("name"))?;
            return Ok(Rule::Claims { name, claims: self.claims });
        }
        self.has_not(&[("name", &self.name)])?;
        if !self.claims.is_empty() {
            return Err(InvalidRule::Superfluous("claims"));
        }
        let path = self.repository.ok_or(InvalidRule::Missing("repository"))?;
        let (owner, name) = path.rsplit_once('/').ok_or_else(|| InvalidRule::Field {
            what: "repository",
            value: path.chars().take(MAX_TEXT).collect(),
            expected: "give OWNER/NAME, or the path of a GitLab project",
        })?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        let workflow = self.workflow.ok_or(InvalidRule::Missing("workflow"))?;
        let (id, environment) = (self.owner_id, self.environment);
        Ok(if provider == Provider::GitLab {
            Rule::Pipeline { namespace: owner, namespace_id: id, project: name, workflow, environment }
        } else {
            Rule::Workflow { owner, owner_id: id, repository: name, workflow, environment }
        })
    }

    fn has_not(&self, fields: &[(&'static str, &Option<String>)]) -> Result<(), InvalidRule> {
        match fields.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(InvalidRule::Superfluous(name)),
            None => Ok(()),
        }
    }
}

impl Rule {
    /// Who a trusted publisher is, for people.
    pub fn described(&self) -> String {
        match self {
            Self::Workflow { workflow, environment, .. } | Self::Pipeline { workflow, environment, .. } => {
                let environment =
                    environment.as_ref().map(|name| format!(" in the environment {name}")).unwrap_or_default();
                format!("{workflow} in {}{environment}", self.repository().unwrap_or_default())
            }
            Self::Claims { name, claims } => {
                let claims: Vec<_> = claims.iter().map(|(claim, value)| format!("{claim}={value}")).collect();
                format!("{name} ({})", claims.join(", "))
            }
        }
    }

    /// Checks that ID tokens of a provider can meet it, and not all of them do.
    pub fn check(&self, provider: Provider) -> Result<(), InvalidRule> {
        match self {
            Self::Workflow { environment: Some(_), .. } if provider == Provider::Forgejo => {
                Err(InvalidRule::NoEnvironment)
            }
            Self::Workflow { owner, owner_id, repository, workflow, environment } => {
                check_number(owner_id.as_deref())?;
                field("repository owner", owner, is_word(owner), "give the name of a user or an organization")?;
                field("repository name", repository, is_word(repository), "give the name without its owner")?;
                let is_name = is_file(workflow) && !workflow.contains('/');
                field(
                    "workflow",
                    workflow,
                    is_name,
                    "give the name of its file, without directories, such as `release.yml`",
                )?;
                check_environment(environment.as_deref())
            }
            Self::Pipeline { namespace, namespace_id, project, workflow, environment } => {
                check_number(namespace_id.as_deref())?;
                field("namespace", namespace, is_path(namespace), "give the path of a group or a user")?;
                field("project", project, is_word(project), "give the last part of the project's path")?;
                field(
                    "pipeline file",
                    workflow,
                    is_file(workflow),
                    "give its path in the project, such as `.gitlab-ci.yml`",
                )?;
                check_environment(environment.as_deref())
            }
            Self::Claims { name, claims } => {
                field("name", name, is_path(name), "give letters, digits and `-_./`")?;
                check_claims(claims)
            }
        }
    }

    /// The repository in lower case, by which the rules of a token are found.
    pub fn repository_key(&self) -> Option<String> {
        self.repository().map(|repository| repository.to_lowercase())
    }

    /// The repository, as `OWNER/NAME`.
    pub fn repository(&self) -> Option<String> {
        match self {
            Self::Workflow { owner, repository, .. } => Some(format!("{owner}/{repository}")),
            Self::Pipeline { namespace, project, .. } => Some(format!("{namespace}/{project}")),
            Self::Claims { .. } => None,
        }
    }

    /// Whether two rules are the same but for spelling in another case, for names, and for numbers that are pinned.
    pub fn is_like(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }

    fn plain(&self) -> Self {
        let mut rule = self.clone();
        match &mut rule {
            Self::Workflow { owner: path, owner_id: id, repository: name, environment, .. }
            | Self::Pipeline { namespace: path, namespace_id: id, project: name, environment, .. } => {
                (*path, *id, *name) = (path.to_lowercase(), None, name.to_lowercase());
                *environment = environment.as_ref().map(|text| text.to_lowercase());
            }
            Self::Claims { name, .. } => name.clear(),
        }
        rule
    }

    /// Checks the claims of a verified ID token.
    pub fn judge(&self, claims: &Claims) -> Result<(), Mismatch> {
        match self {
            Self::Workflow { owner_id, workflow, environment, .. } => {
                self.same_repository("repository", claims)?;
                if let Some(id) = owner_id {
                    same("repository_owner_id", id, text(claims, "repository_owner_id"))?;
                }
                let file = text(claims, "workflow_ref").and_then(|reference| workflow_file(claims, &reference));
                same("the workflow", workflow, file)?;
                same_environment(environment.as_deref(), claims)
            }
            Self::Pipeline { namespace_id, workflow, environment, .. } => {
                self.same_repository("project_path", claims)?;
                if let Some(id) = namespace_id {
                    same("namespace_id", id, text(claims, "namespace_id"))?;
                }
                let file = text(claims, "ci_config_ref_uri").and_then(|uri| pipeline_file(claims, &uri));
                same("the pipeline file", workflow, file)?;
                same_environment(environment.as_deref(), claims)
            }
            Self::Claims { claims: wanted, .. } => {
                for (name, pattern) in wanted {
                    let found = texts(claims, name);
                    if !found.iter().any(|text| glob(pattern, text)) {
                        let found = (!found.is_empty()).then(|| found.join(", "));
                        let (claim, expected) = (name.clone(), pattern.clone());
                        return Err(Mismatch { claim, expected, found, is_near: false });
                    }
                }
                Ok(())
            }
        }
    }

    /// Two names are one in any case, and a repository that was renamed is another one.
    fn same_repository(&self, claim: &str, claims: &Claims) -> Result<(), Mismatch> {
        let expected = self.repository().unwrap_or_default();
        let found = text(claims, claim);
        match found {
            Some(found) if found.eq_ignore_ascii_case(&expected) => Ok(()),
            found => Err(Mismatch { claim: claim.to_owned(), expected, found, is_near: false }),
        }
    }

    /// The rule with the numbers of the token's owner, if it has none yet: an account that takes the name later has another one.
    pub fn pinned(&self, claims: &Claims) -> Option<Self> {
        let mut rule = self.clone();
        match &mut rule {
            Self::Workflow { owner_id: id @ None, .. } => *id = Some(text(claims, "repository_owner_id")?),
            Self::Pipeline { namespace_id: id @ None, .. } => *id = Some(text(claims, "namespace_id")?),
            _ => return None,
        }
        Some(rule)
    }
}

fn check_claims(claims: &BTreeMap<String, String>) -> Result<(), InvalidRule> {
    if claims.len() > MAX_CLAIMS {
        return Err(InvalidRule::TooManyClaims);
    }
    for (claim, value) in claims {
        field("claim", claim, !claim.is_empty() && claim.bytes().all(|byte| byte.is_ascii_graphic()), "give its name")?;
        let is_line = !value.is_empty() && !value.chars().any(char::is_control);
        field("value of a claim", value, is_line, "give a text, in which `*` stands for any")?;
        if value.chars().all(|character| character == '*') {
            return Err(InvalidRule::Anything { claim: claim.clone(), value: value.clone() });
        }
    }
    let of_every_token = ["aud", "exp", "iat", "iss", "jti", "nbf"];
    if claims.keys().all(|claim| of_every_token.contains(&claim.as_str())) {
        return Err(InvalidRule::NoClaim);
    }
    Ok(())
}

fn same(claim: &str, expected: &str, found: Option<String>) -> Result<(), Mismatch> {
    match found {
        Some(found) if found == expected => Ok(()),
        found => Err(Mismatch { claim: claim.to_owned(), expected: expected.to_owned(), found, is_near: true }),
    }
}

fn same_environment(expected: Option<&str>, claims: &Claims) -> Result<(), Mismatch> {
    let Some(expected) = expected else { return Ok(()) };
    let found = text(claims, "environment");
    if found.as_deref().is_some_and(|found| found.to_lowercase() == expected.to_lowercase()) {
        return Ok(());
    }
    Err(Mismatch { claim: "the environment".to_owned(), expected: expected.to_owned(), found, is_near: true })
}

/// Whether a text is as a pattern with `*` says.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
