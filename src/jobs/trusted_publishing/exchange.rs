//! The exchange of an ID token for a token of this registry.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::database::PoolError;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::of_token;
use crate::database::access::new_token::MAX_NAME;
use crate::database::access::provenance::{Provider, Trusted};
use crate::database::access::scope::Scope;
use crate::database::access::tokens::Token;
use crate::database::access::users::{Inactive, User};
use crate::database::publishers::configurations::{self, Publisher, Which};
use crate::database::publishers::exchange::{self, NewTrustedToken, PlainToken};
use crate::database::publishers::issuers::Issuer;
use crate::database::publishers::rule::{Mismatch, Rule};
use crate::database::publishers::{claims, origin};
use crate::package::characters::plain;

/// Why an ID token is not exchanged. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error("the ID token has no usable claim `{0}`")]
    Claim(&'static str),
    #[error(
        "the run was started by `{event}`, in which code of other people may run with the rights of the repository: publish from a \
         `push`, a `release` or a `workflow_dispatch`"
    )]
    UntrustedEvent { event: String },
    #[error(
        "no trusted publisher is configured for {whose} of {issuer}: have an owner of the crate add one, or an operator with \
         `supercargo publisher add`"
    )]
    NoPublisher { whose: String, issuer: String },
    #[error("the trusted publishers that are configured for {whose} do not match the ID token: {problems}")]
    Mismatch { whose: String, problems: String },
    #[error(
        "the ID token has no claim `{claim}`, by which this registry distinguishes the CI systems of its issuer: an operator \
         may choose another one with `supercargo publisher issuer add --identity-claim`"
    )]
    Identity { claim: String },
    #[error("this ID token was exchanged before, and each can be once: request a new one")]
    Used,
    #[error("a user who is no machine has the login `{0}`: ask an operator of this registry")]
    LoginTaken(String),
    #[error(transparent)]
    Inactive(#[from] Inactive),
    #[error("the system returned no random numbers")]
    Randomness(#[from] rand::rngs::SysError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// A verified ID token, and where the request came from.
pub struct Presented<'a> {
    pub issuer: &'a Issuer,
    pub claims: &'a Map<String, Value>,
    /// How long after its end it may still be verified, in seconds.
    pub leeway: u64,
    /// The ID token itself.
    pub text: &'a str,
    /// The client's address, and the id of the request.
    pub from: (Option<String>, Option<String>),
}

/// What the ID token was exchanged for.
pub struct Exchanged {
    pub plain: PlainToken,
    pub token: Token,
    /// The machine user.
    pub login: String,
}

impl Presented<'_> {
    /// Exchanges the ID token, once.
    pub fn exchange(&self, connection: &mut PgConnection) -> Result<Exchanged, ExchangeError> {
        let (provider, url) = (self.issuer.provider, &self.issuer.url);
        let (used, forget_at) = self.identity()?;
        if let Some(event) = claims::untrusted_event(provider, self.claims) {
            return Err(ExchangeError::UntrustedEvent { event: shown(&event) });
        }
        let publishers = self.matching(connection)?;
        let plain = PlainToken::random()?;
        connection.transaction(|connection| {
            if !exchange::note_use(connection, used, forget_at)? {
                return Err(ExchangeError::Used);
            }
            let mut trusted = Vec::new();
            for publisher in publishers {
                // Another ID token may have pinned another owner since.
                if configurations::pin(connection, &publisher, self.claims)? {
                    trusted.push(publisher);
                }
            }
            let first = trusted.first().ok_or_else(|| self.not_configured())?;
            let user = self.machine(connection)?;
            user.check_enabled()?;
            let provenance = origin::provenance(provider, url, self.claims);
            let name = token_name(&provenance.workflow, &provenance.run_id, &self.name_of(&first.rule));
            let of = Trusted { publishers: trusted.iter().map(|publisher| publisher.id).collect(), provenance };
            let new = NewTrustedToken {
                user: user.id,
                name: &name,
                scopes: scopes(&trusted),
                // Crate names are patterns.
                crates: trusted.iter().filter_map(|publisher| publisher.covers.text().parse().ok()).collect(),
                trusted: &of,
            };
            let token = new.create(connection, &plain)?;
            let actor = of_token(&user, &token, self.from.clone());
            let detail = json!({ "token": token.describe(), "provenance": of.provenance });
            Event::new(Action::TokenCreate).about(&token.name).detail(detail).record(connection, &actor)?;
            Ok(Exchanged { plain, token, login: user.login })
        })
    }

    fn text_of(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// What tells the ID token from others, and when it is too old to be sent again.
    fn identity(&self) -> Result<([u8; 32], DateTime<Utc>), ExchangeError> {
        let until = self.claims.get("exp").and_then(Value::as_i64).ok_or(ExchangeError::Claim("exp"))?;
        let until = DateTime::from_timestamp(until, 0).ok_or(ExchangeError::Claim("exp"))?;
        let forget_at =
            until.checked_add_signed(TimeDelta::seconds(1 + i64::try_from(self.leeway).unwrap_or(i64::from(u32::MAX))));
        let of_token = match self.text_of("jti") {
            Some(id) => id,
            // Some issuers number no tokens. There may be a second signature of the same claims.
            None if matches!(self.issuer.provider, Provider::Oidc | Provider::Forgejo) => {
                self.text.rsplit_once('.').map_or(self.text, |(signed, _)| signed)
            }
            None => return Err(ExchangeError::Claim("jti")),
        };
        let digest = Sha256::new().chain_update(&self.issuer.url).chain_update([0]).chain_update(of_token).finalize();
        Ok((digest.into(), forget_at.ok_or(ExchangeError::Claim("exp"))?))
    }

    /// The trusted publishers that it is of.
    fn matching(&self, connection: &mut PgConnection) -> Result<Vec<Publisher>, ExchangeError> {
        let repository =
            claims::repository(self.issuer.provider, self.claims).map(|repository| repository.to_lowercase());
        let which = Which::OfToken(self.issuer.id, repository.as_deref());
        let (mut matching, mut problems) = (Vec::new(), Vec::<Mismatch>::new());
        for publisher in configurations::list(connection, which)? {
            match publisher.rule.judge(self.claims) {
                Ok(()) => matching.push(publisher),
                Err(mismatch) => {
                    // The refusal does not disclose the rules of other users. An operator finds the reason here.
                    let (publisher, problem) = (publisher.id, shown(&mismatch.to_string()));
                    tracing::debug!(publisher, problem, "a trusted publisher does not match an ID token");
                    problems.extend(Some(mismatch).filter(|mismatch| mismatch.is_near));
                }
            }
        }
        if !matching.is_empty() {
            return Ok(matching);
        }
        let mut problems: Vec<String> = problems.iter().map(|problem| shown(&problem.to_string())).collect();
        problems.dedup();
        problems.truncate(10);
        if problems.is_empty() {
            return Err(self.not_configured());
        }
        Err(ExchangeError::Mismatch { whose: self.whose(), problems: problems.join("; ") })
    }

    fn not_configured(&self) -> ExchangeError {
        ExchangeError::NoPublisher { whose: self.whose(), issuer: self.issuer.url.clone() }
    }

    /// Whose it is, for people.
    fn whose(&self) -> String {
        match claims::repository(self.issuer.provider, self.claims) {
            Some(repository) => format!("the repository `{}`", shown(&repository)),
            None => format!("the subject `{}`", shown(self.text_of("sub").unwrap_or_default())),
        }
    }

    /// The machine user: one for a repository or a value of the issuer's claim.
    fn machine(&self, connection: &mut PgConnection) -> Result<User, ExchangeError> {
        let Issuer { id, provider, url, identity_claim, .. } = self.issuer;
        let identity = origin::identity(*provider, identity_claim, self.claims)
            .ok_or_else(|| ExchangeError::Identity { claim: identity_claim.clone() })?;
        let login = origin::login(*provider, url, &identity);
        // Two issuers may be at one host.
        for login in [login.clone(), format!("{login}#{id}")] {
            if let Some(user) = exchange::machine(connection, &login, url)? {
                return Ok(user);
            }
        }
        Err(ExchangeError::LoginTaken(login))
    }

    fn name_of(&self, rule: &Rule) -> String {
        match rule {
            Rule::Claims { name, .. } => name.clone(),
            rule => rule.repository().unwrap_or_default(),
        }
    }
}

/// A token for which all is to be staged cannot publish.
fn scopes(publishers: &[Publisher]) -> Vec<Scope> {
    let is_of_new = |publisher: &Publisher| publisher.creates;
    let mut scopes = vec![Scope::StageUpdate];
    if publishers.iter().any(is_of_new) {
        scopes.push(Scope::StageNew);
    }
    let publishing: Vec<&Publisher> = publishers.iter().filter(|publisher| !publisher.stages_only).collect();
    if !publishing.is_empty() {
        scopes.extend([Scope::PublishUpdate, Scope::PublishDocs]);
    }
    if publishing.iter().any(|publisher| is_of_new(publisher)) {
        scopes.push(Scope::PublishNew);
    }
    scopes
}

/// The name of the token in the audit log.
fn token_name(workflow: &Option<String>, run: &Option<String>, of: &str) -> String {
    let parts = [Some(of.to_owned()), workflow.clone(), run.as_ref().map(|run| format!("run {run}"))];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    plain(&name).chars().take(MAX_NAME).collect()
}

fn shown(text: &str) -> String {
    plain(text).chars().take(200).collect()
}
