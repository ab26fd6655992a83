//! Adding and removing trusted publishers, and allowing a crate to be published by them only.

use diesel::prelude::*;
use serde_json::json;

use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::Caller;
use crate::database::access::provenance::Provider;
use crate::database::access::scope::Scope;
use crate::database::access::users::{self, User};
use crate::database::catalog::crates::Crate;
use crate::database::catalog::publisher_refusal::{MAX_OF_CRATE, MAX_OF_USER, PublisherRefusal};
use crate::database::catalog::refusal::{self, ChangeRefusal, lock_crate};
use crate::database::publishers::configurations::{self, Covers, NewPublisher, Publisher, Target, Which};
use crate::database::publishers::issuers::{self, Issuer};
use crate::database::publishers::origin::GITHUB;
use crate::database::publishers::rule::{Given, InvalidRule, Rule};
use crate::database::schema::crates;
use crate::jobs::request::RequestError;
use crate::package::CrateName;

/// A trusted publisher to add.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub covers: Covers,
    pub issuer: Issuer,
    pub rule: Rule,
    pub stages_only: bool,
    /// The login of the user whose crates a pattern covers; None for the caller. Only admins name another one.
    pub owner: Option<String>,
}

/// The same as people give it, apart from what it covers.
#[derive(Clone, Debug)]
pub struct Asked {
    pub provider: Provider,
    /// None: that of the provider's public server, or the only one.
    pub issuer: Option<String>,
    pub given: Given,
    pub stages_only: bool,
    pub owner: Option<String>,
}

impl Asked {
    /// Finds the issuer, and checks that the rule can be met.
    pub fn wanted(self, connection: &mut PgConnection, covers: Covers) -> Result<Wanted, RequestError> {
        let Self { provider, issuer: url, given, stages_only, owner } = self;
        let invalid = |invalid: InvalidRule| PublisherRefusal::Rule(invalid.to_string());
        let rule = given.rule(provider).map_err(invalid)?;
        let issuer = issuer(connection, provider, url.as_deref())?;
        rule.check(provider).map_err(invalid)?;
        Ok(Wanted { covers, issuer, rule, stages_only, owner })
    }
}

/// The issuer with a URL or, without one, that of the provider's public server.
fn issuer(connection: &mut PgConnection, provider: Provider, url: Option<&str>) -> Result<Issuer, RequestError> {
    let public = match provider {
        Provider::GitHub => Some(GITHUB),
        Provider::GitLab => Some("https://gitlab.com"),
        Provider::Forgejo | Provider::Oidc => None,
    };
    let accepted: Vec<Issuer> =
        issuers::list(connection)?.into_iter().filter(|issuer| issuer.provider == provider).collect();
    let found = match url.or(public) {
        Some(url) => accepted.iter().find(|issuer| issuer.url == url),
        // The only one needs no name.
        None => accepted.first().filter(|_| accepted.len() == 1),
    };
    if let Some(issuer) = found {
        return Ok(issuer.clone());
    }
    let (kind, accepted) = (provider.as_str(), accepted.into_iter().map(|issuer| issuer.url).collect());
    Err(match url.or(public) {
        Some(url) => PublisherRefusal::UnknownIssuer { url: url.to_owned(), kind, accepted },
        None => PublisherRefusal::NoIssuer { kind, accepted },
    }
    .into())
}

/// Checks that a token may configure trusted publishers at all.
pub fn check_may_configure(caller: &Caller) -> Result<(), RequestError> {
    Ok(caller.has_one_of(&[Scope::TrustedPublishing], Scope::TrustedPublishing.as_str())?)
}

/// Checks that a caller may say who publishes a crate.
fn check_owner(connection: &mut PgConnection, krate: &Crate, caller: &Caller) -> Result<(), RequestError> {
    check_may_configure(caller)?;
    caller.covers(&krate.name)?;
    if caller.is_admin() {
        return Ok(());
    }
    Ok(refusal::check_full_owner(connection, krate, &caller.user)??)
}

/// Checks that a caller may add a trusted publisher, before anything is asked of other servers.
pub fn check_may_add(connection: &mut PgConnection, wanted: &Wanted, caller: &Caller) -> Result<(), RequestError> {
    let krate = match &wanted.covers {
        Covers::Crate(name) => Some(refusal::find_crate(connection, name)??),
        Covers::Pattern(_) => None,
    };
    check_adds(connection, krate.as_ref(), caller)?;
    let allowed = (krate.is_none() && caller.is_admin()).then_some(None);
    match wanted.owner {
        // The patterns of another user are counted later.
        Some(_) => Ok(()),
        None => {
            let user = Some(&caller.user);
            let new = planned(wanted, krate.as_ref(), (user, allowed))?;
            check_room(connection, &new, (wanted.issuer.provider, krate.as_ref(), user))
        }
    }
}

/// The rows of a trusted publisher. `allowed`: it may publish new crates, allowed by this admin, or by an operator.
fn planned<'a>(
    wanted: &'a Wanted,
    krate: Option<&Crate>,
    (user, allowed): (Option<&User>, Option<Option<i32>>),
) -> Result<NewPublisher<'a>, RequestError> {
    let target = match (&wanted.covers, krate) {
        (Covers::Pattern(pattern), _) => Target::Pattern(pattern),
        (Covers::Crate(name), None) => return Err(ChangeRefusal::UnknownCrate(name.to_string()).into()),
        (Covers::Crate(_), Some(krate)) => Target::Crate(krate.id),
    };
    Ok(NewPublisher {
        issuer_id: wanted.issuer.id,
        target,
        rule: &wanted.rule,
        stages_only: wanted.stages_only,
        creates: allowed.is_some(),
        allowed_by: allowed.flatten(),
        created_by: user.map(|user| user.id),
    })
}

fn check_adds(connection: &mut PgConnection, krate: Option<&Crate>, caller: &Caller) -> Result<(), RequestError> {
    let Some(krate) = krate else {
        check_may_configure(caller)?;
        // A token for some crates could give itself others.
        return if caller.token.crate_patterns.is_some() { Ok(caller.unrestricted()?) } else { Ok(()) };
    };
    check_owner(connection, krate, caller)?;
    if krate.trustpub_only && !caller.is_admin() && !is_certain(caller) {
        return Err(PublisherRefusal::OnlyAdminsAdd { name: krate.name.clone() }.into());
    }
    Ok(())
}

/// Adds a trusted publisher for a user: of a crate for an owner or an admin, with a pattern for every user, since it gives no
/// more than the user has. Only that of an admin may publish new crates.
pub fn add_as(connection: &mut PgConnection, wanted: &Wanted, caller: &Caller) -> Result<Publisher, RequestError> {
    connection.transaction(|connection| {
        let krate = locked(connection, &wanted.covers)?;
        let caller = caller.confirm(connection)??;
        check_adds(connection, krate.as_ref(), &caller)?;
        let owner = match &wanted.owner {
            None => caller.user.clone(),
            Some(_) if krate.is_some() => return Err(PublisherRefusal::OwnerOfCrate.into()),
            Some(login) => {
                caller.admin()?;
                let owner = users::find(connection, login)?.ok_or_else(|| ChangeRefusal::UnknownUser(login.clone()))?;
                users::read_to_give(connection, owner.id)?.check_active().map_err(ChangeRefusal::from)?;
                owner
            }
        };
        let allowed = (krate.is_none() && caller.is_admin()).then_some(Some(caller.user.id));
        add_locked(connection, wanted, krate.as_ref(), (Some(&owner), allowed, &caller.actor()))
    })
}

/// Adds a trusted publisher for an operator. With a pattern, `owner` is the user whose crates it may publish.
pub fn add(
    connection: &mut PgConnection,
    wanted: &Wanted,
    owner: Option<&User>,
    operator: &Actor,
) -> Result<Publisher, RequestError> {
    connection.transaction(|connection| {
        let krate = locked(connection, &wanted.covers)?;
        let allowed = krate.is_none().then_some(None);
        add_locked(connection, wanted, krate.as_ref(), (owner, allowed, operator))
    })
}

fn locked(connection: &mut PgConnection, covers: &Covers) -> Result<Option<Crate>, RequestError> {
    match covers {
        Covers::Crate(name) => Ok(Some(lock_crate(connection, name)??)),
        Covers::Pattern(_) => Ok(None),
    }
}

fn add_locked(
    connection: &mut PgConnection,
    wanted: &Wanted,
    krate: Option<&Crate>,
    (user, allowed, actor): (Option<&User>, Option<Option<i32>>, &Actor),
) -> Result<Publisher, RequestError> {
    let new = planned(wanted, krate, (user, allowed))?;
    check_room(connection, &new, (wanted.issuer.provider, krate, user))?;
    let id = configurations::add(connection, &new)?;
    let covers = wanted.covers.text();
    let mut event = Event::new(Action::PublisherAdd).detail(json!({
        "id": id, "issuer": wanted.issuer.url, "rule": wanted.rule, "stages_only": wanted.stages_only, "covers": covers,
        "new_crates": new.creates, "owner": user.map(|user| &user.login),
    }));
    if let Some(krate) = krate {
        event = event.of_crate(&krate.name);
    }
    event.about(&covers).record(connection, actor)?;
    one(connection, id)
}

/// Refuses one that is there, and one too many.
fn check_room(
    connection: &mut PgConnection,
    new: &NewPublisher<'_>,
    (provider, krate, user): (Provider, Option<&Crate>, Option<&User>),
) -> Result<(), RequestError> {
    if let Some(id) = configurations::same(connection, new)? {
        return Err(PublisherRefusal::Exists(id).into());
    }
    let (what, limit) = match krate {
        Some(krate) => (format!("the crate `{}`", krate.name), MAX_OF_CRATE),
        None => (format!("the user `{}`", user.map_or("", |user| &user.login)), MAX_OF_USER),
    };
    if configurations::count_alike(connection, new, provider)? >= limit {
        return Err(PublisherRefusal::TooMany { what, limit }.into());
    }
    Ok(())
}

fn one(connection: &mut PgConnection, id: i32) -> Result<Publisher, RequestError> {
    let found = configurations::list(connection, Which::One(id))?.pop();
    Ok(found.ok_or(PublisherRefusal::Unknown(id))?)
}

/// Removes a trusted publisher for a user: an owner of its crate, who has configured its pattern, or an admin. Tokens that it
/// has got are revoked. `provider`: refuses one of another provider.
pub fn remove_as(
    connection: &mut PgConnection,
    (id, provider): (i32, Option<Provider>),
    caller: &Caller,
) -> Result<(), RequestError> {
    check_may_configure(caller)?;
    connection.transaction(|connection| {
        let publisher = one(connection, id)?;
        if provider.is_some_and(|provider| provider != publisher.provider) {
            return Err(PublisherRefusal::Unknown(id).into());
        }
        let krate = locked(connection, &publisher.covers)?;
        let caller = caller.confirm(connection)??;
        match &krate {
            Some(krate) => check_owner(connection, krate, &caller)?,
            None if caller.is_admin() || publisher.created_by.as_deref() == Some(&caller.user.login) => {}
            // Others are not to know of it.
            None => return Err(PublisherRefusal::Unknown(id).into()),
        }
        remove_locked(connection, &publisher, krate.as_ref(), &caller.actor())
    })
}

/// Removes a trusted publisher for an operator.
pub fn remove(connection: &mut PgConnection, id: i32, operator: &Actor) -> Result<Publisher, RequestError> {
    connection.transaction(|connection| {
        let publisher = one(connection, id)?;
        let krate = locked(connection, &publisher.covers)?;
        remove_locked(connection, &publisher, krate.as_ref(), operator)?;
        Ok(publisher)
    })
}

fn remove_locked(
    connection: &mut PgConnection,
    publisher: &Publisher,
    krate: Option<&Crate>,
    actor: &Actor,
) -> Result<(), RequestError> {
    configurations::lock_tokens(connection, &[publisher.id])?;
    if !configurations::remove(connection, publisher.id)? {
        return Err(PublisherRefusal::Unknown(publisher.id).into());
    }
    configurations::revoke_orphans(connection)?;
    let covers = publisher.covers.text();
    let mut event = Event::new(Action::PublisherRemove)
        .detail(json!({ "id": publisher.id, "issuer": publisher.issuer, "rule": publisher.rule, "covers": covers }));
    if let Some(krate) = krate {
        event = event.of_crate(&krate.name);
    }
    event.about(&covers).record(connection, actor)?;
    Ok(())
}

/// The trusted publishers of a crate, for its owners, or those that a user may change.
pub fn list_as(
    connection: &mut PgConnection,
    krate: Option<&CrateName>,
    caller: &Caller,
) -> Result<Vec<Publisher>, RequestError> {
    check_may_configure(caller)?;
    let Some(name) = krate else {
        return Ok(configurations::list(connection, Which::OfUser(caller.user.id))?);
    };
    let krate = refusal::find_crate(connection, name)??;
    check_owner(connection, &krate, caller)?;
    Ok(configurations::list(connection, Which::OfCrate(name))?)
}

/// Whether it is certain that it is the user: a person, who has signed in a short time ago. A stolen token, or session, is not
/// enough.
fn is_certain(caller: &Caller) -> bool {
    caller.is_person() && caller.is_proven()
}

/// Lets only trusted publishers publish a crate, or tokens of users again. The latter takes an admin, or an owner who has just signed
/// in: otherwise a stolen token of an owner would suffice to publish after all.
pub fn restrict_as(
    connection: &mut PgConnection,
    name: &CrateName,
    trustpub_only: bool,
    caller: &Caller,
) -> Result<(), RequestError> {
    connection.transaction(|connection| {
        let krate = lock_crate(connection, name)??;
        let caller = caller.confirm(connection)??;
        check_owner(connection, &krate, &caller)?;
        if krate.trustpub_only && !trustpub_only && !caller.is_admin() && !is_certain(&caller) {
            return Err(PublisherRefusal::OnlyAdminsUndo { name: krate.name }.into());
        }
        restrict_locked(connection, &krate, trustpub_only, &caller.actor())
    })
}

/// Does that for an operator.
pub fn restrict(
    connection: &mut PgConnection,
    name: &CrateName,
    trustpub_only: bool,
    operator: &Actor,
) -> Result<(), RequestError> {
    connection.transaction(|connection| {
        let krate = lock_crate(connection, name)??;
        restrict_locked(connection, &krate, trustpub_only, operator)
    })
}

fn restrict_locked(
    connection: &mut PgConnection,
    krate: &Crate,
    trustpub_only: bool,
    actor: &Actor,
) -> Result<(), RequestError> {
    if krate.trustpub_only == trustpub_only {
        return Ok(());
    }
    // A pattern of an ordinary user gives nothing for such a crate.
    let remains = |publisher: &Publisher| publisher.creates || matches!(publisher.covers, Covers::Crate(_));
    if trustpub_only && !configurations::list(connection, Which::OfCrate(&krate.name))?.iter().any(remains) {
        return Err(PublisherRefusal::NoPublisher { name: krate.name.clone() }.into());
    }
    diesel::update(crates::table.find(krate.id)).set(crates::trustpub_only.eq(trustpub_only)).execute(connection)?;
    let action = if trustpub_only { Action::PublishingRestrict } else { Action::PublishingUnrestrict };
    Event::new(action).of_crate(&krate.name).record(connection, actor)?;
    Ok(())
}
