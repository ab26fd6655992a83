//! From the claims of an account to what this registry makes of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Claims;
use super::provider::Provider;
use crate::database::access::role::Role;
use crate::database::sign_in::identities::Account;
use crate::database::sign_in::profile::Profile;
use crate::email::EmailAddress;
use crate::package::characters::plain;

/// The longest text of a claim that is read, in characters.
const MAX_TEXT: usize = 200;
/// The longest full name that is kept, in characters.
const MAX_NAME: usize = 100;

/// Why an account cannot be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    #[error(
        "the account has no claim `{0}`, or an empty one: an admin of the registry has to ask {1} for it, with `scopes`, or name another claim"
    )]
    Missing(String, String),
    #[error(
        "the e-mail address `{0}` is not verified at {1}, and logins are e-mail addresses here: verify it there, and sign in again"
    )]
    Unverified(String, String),
    #[error("the account `{0}` is not one that may sign in here: {1} says that its `{2}` is {3}")]
    Claim(String, String, String, String),
    #[error(
        "the account `{0}` is in no group at {1} that may sign in here: ask an admin of the registry which groups may"
    )]
    Group(String, String),
    #[error(
        "{1} sent no claim `{0}`, so your groups are not known: an admin of the registry has to request it with `scopes`, or name another \
         claim with `groups-claim`"
    )]
    NoGroups(String, String),
    #[error("{0} has named the account by a text that cannot be one (`sub`)")]
    Subject(String),
}

/// An account that may sign in.
#[derive(Clone, Debug)]
pub struct Mapped {
    pub account: Account,
    /// The login of a user who is created for it.
    pub login: String,
    pub profile: Profile,
    /// An address that the provider has verified.
    pub email: Option<EmailAddress>,
}

impl Provider {
    /// Reads the claims of an account.
    pub fn map(&self, claims: &Claims) -> Result<Mapped, MappingError> {
        let (settings, title) = (&*self.settings, self.settings.title().to_owned());
        // To the byte: others differ by a space.
        let subject = claims.get("sub").and_then(Value::as_str).map(str::to_owned);
        let subject = subject.filter(|sub| !sub.is_empty() && sub.len() <= 255 && !sub.contains('\0'));
        let subject = subject.ok_or_else(|| MappingError::Subject(title.clone()))?;
        let login = text(claims, &settings.login_claim);
        let login = login.ok_or_else(|| MappingError::Missing(settings.login_claim.clone(), title.clone()))?;
        // Anybody can claim an address that nobody verifies.
        if settings.login_claim == "email" && claims.get("email_verified").and_then(Value::as_bool) != Some(true) {
            return Err(MappingError::Unverified(login, title));
        }
        for (name, wanted) in &settings.required_claims {
            let found = value(claims, name);
            if !found.is_some_and(|found| texts_of(found).contains(wanted)) {
                let found = found.map_or_else(|| "missing".to_owned(), |found| shortened(&found.to_string()));
                return Err(MappingError::Claim(login, title, name.clone(), found));
            }
        }
        let groups = value(claims, &settings.groups_claim);
        if groups.is_none() && settings.allowed_groups.is_some() {
            return Err(MappingError::NoGroups(settings.groups_claim.clone(), title));
        }
        if groups.is_none() && settings.uses_groups() {
            let (provider, claim) = (&settings.name, &settings.groups_claim);
            tracing::warn!(
                provider,
                claim,
                "an account has no claim with groups, so it is in none: is it among `scopes`?"
            );
        }
        let groups = groups.map(texts_of).unwrap_or_default();
        let is_in = |of: &Vec<String>| of.iter().any(|group| groups.contains(group));
        if settings.allowed_groups.as_ref().is_some_and(|allowed| !is_in(allowed)) {
            return Err(MappingError::Group(login, title));
        }
        let manages_role = settings.auditor_groups.is_some() || settings.read_only_groups.is_some();
        let role = match () {
            () if !manages_role => None,
            () if settings.auditor_groups.as_ref().is_some_and(is_in) => Some(Role::Auditor),
            () if settings.read_only_groups.as_ref().is_some_and(is_in) => Some(Role::ReadOnly),
            () => Some(Role::Member),
        };
        let teams = settings.teams.iter().filter(|(group, _)| groups.contains(*group));
        let name = text(claims, &settings.name_claim);
        let profile = Profile {
            name: name.map(|name| plain(&name).chars().take(MAX_NAME).collect()),
            is_admin: settings.admin_groups.as_ref().map(is_in),
            role,
            teams: (!settings.teams.is_empty()).then(|| teams.map(|(_, team)| team.clone()).collect()),
        };
        let is_verified = claims.get("email_verified").and_then(Value::as_bool) == Some(true);
        let email = text(claims, "email").filter(|_| is_verified).and_then(|address| address.parse().ok());
        Ok(Mapped { account: Account::new(&settings.issuer, &subject, &login), login, profile, email })
    }
}

/// A claim, by its name or by a path such as `realm_access.roles`.
fn value<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// A claim that is a text.
fn text(claims: &Claims, name: &str) -> Option<String> {
    let text = value(claims, name)?.as_str()?.trim();
    (!text.is_empty() && !text.contains('\0')).then(|| shortened(text))
}

/// A text that an error repeats, or that is too long for a login anyhow.
fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// The texts of a claim that is one, or several.
fn texts_of(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => BTreeSet::from([text.clone()]),
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Bool(flag) => BTreeSet::from([flag.to_string()]),
        _ => BTreeSet::new(),
    }
}
