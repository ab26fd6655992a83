//! `supercargo publisher`.

use chrono::SecondsFormat;
use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::provenance::Provider;
use crate::database::access::users;
use crate::database::catalog::refusal::{ChangeRefusal, find_crate};
use crate::database::publishers::configurations::{self, Covers, Publisher, Which};
use crate::database::publishers::issuers;
use crate::database::publishers::rule::Rule;
use crate::jobs::trusted_publishing::configure::{self, Asked};
use crate::oidc::http::check_issuer;
use crate::oidc::keys::IssuerKeys;
use crate::package::CrateName;

/// Adds a trusted publisher of a crate, or of a prefix with `*`, whose owner is named then.
pub fn add(
    connection: &mut PgConnection,
    operator: &Actor,
    (covers, asked): (String, Asked),
    keys: &IssuerKeys,
) -> Result<(), AdminError> {
    let owner = asked.owner.clone();
    let (covers, owner) = match (covers.ends_with('*'), owner) {
        (false, Some(_)) => return Err(AdminError::OwnerOfCrate(covers)),
        (true, None) => return Err(AdminError::NoPatternOwner(covers)),
        (false, None) => (Covers::Crate(covers.parse()?), None),
        (true, Some(login)) => {
            let owner = users::find(connection, &login)?.ok_or(AdminError::NoUser(login))?;
            owner.check_active()?;
            (Covers::Pattern(covers.parse()?), Some(owner))
        }
    };
    let mut wanted = asked.wanted(connection, covers)?;
    keys.pin_owner(&wanted.issuer, &mut wanted.rule).map_err(ChangeRefusal::from)?;
    let publisher = configure::add(connection, &wanted, owner.as_ref(), operator)?;
    let verb = if publisher.stages_only { "stage" } else { "publish" };
    let new_crates = match &publisher.created_by {
        Some(owner) if publisher.creates => format!(", and new crates, which {owner} will own"),
        _ => String::new(),
    };
    let pinned = match &publisher.rule {
        Rule::Workflow { owner_id: None, .. } | Rule::Pipeline { namespace_id: None, .. } => {
            "; the number of its owner is that of the first ID token"
        }
        _ => "",
    };
    say!(
        "trusted publisher {}: {} of {} may {verb} {}{new_crates}{pinned}",
        publisher.id,
        publisher.rule.described(),
        publisher.issuer,
        publisher.covers.text()
    );
    Ok(())
}

pub fn list(connection: &mut PgConnection, krate: Option<&str>, as_json: bool) -> Result<(), AdminError> {
    let name: Option<CrateName> = krate.map(str::parse).transpose()?;
    if let Some(name) = &name {
        find_crate(connection, name)??;
    }
    let found = configurations::list(connection, name.as_ref().map_or(Which::All, Which::OfCrate))?;
    if as_json {
        return Ok(print_json(&found.iter().map(as_value).collect::<Vec<_>>())?);
    }
    print_table(
        ["ID", "CRATES", "PUBLISHER", "ISSUER", "MAY", "ADDED BY"],
        found.into_iter().map(|publisher| {
            let verb = if publisher.stages_only { "stage" } else { "publish" };
            let may = if publisher.creates { format!("{verb}, also new crates") } else { verb.to_owned() };
            let by = publisher.created_by.unwrap_or_else(|| "operator".to_owned());
            let (covers, whose) = (publisher.covers.text(), publisher.rule.described());
            [publisher.id.to_string(), covers, whose, publisher.issuer, may, by]
        }),
    );
    Ok(())
}

fn as_value(publisher: &Publisher) -> serde_json::Value {
    json!({
        "id": publisher.id, "crates": publisher.covers.text(), "provider": publisher.provider, "issuer": publisher.issuer,
        "rule": publisher.rule, "stage_only": publisher.stages_only, "new_crates": publisher.creates, "created_by": publisher.created_by,
        "created_at": publisher.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

pub fn remove(connection: &mut PgConnection, operator: &Actor, id: i32) -> Result<(), AdminError> {
    let publisher = configure::remove(connection, id, operator)?;
    say!(
        "removed the trusted publisher {id}: {} may not publish {}",
        publisher.rule.described(),
        publisher.covers.text()
    );
    Ok(())
}

pub fn require(connection: &mut PgConnection, operator: &Actor, krate: &str, only: bool) -> Result<(), AdminError> {
    let name: CrateName = krate.parse()?;
    configure::restrict(connection, &name, only, operator)?;
    if only {
        say!("only trusted publishers may publish {name}");
    } else {
        say!("tokens of users may publish {name}, too");
    }
    Ok(())
}

pub fn add_issuer(
    connection: &mut PgConnection,
    operator: &Actor,
    (provider, url): (&str, &str),
    identity_claim: Option<&str>,
) -> Result<(), AdminError> {
    let provider: Provider = provider.parse()?;
    check_issuer(url)?;
    if identity_claim.is_some() && provider != Provider::Oidc {
        return Err(AdminError::IdentityIsRepository(provider));
    }
    let identity = identity_claim.unwrap_or("sub");
    connection.transaction(|connection| {
        issuers::add(connection, (provider, url), identity)?.ok_or_else(|| AdminError::IssuerExists(url.to_owned()))?;
        Event::new(Action::IssuerAdd)
            .about(url)
            .detail(json!({ "provider": provider, "identity_claim": identity }))
            .record(connection, operator)?;
        say!("ID tokens of {url} are accepted, as those of {}", provider.title());
        Ok(())
    })
}

pub fn list_issuers(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let found = issuers::list(connection)?;
    if as_json {
        let values: Vec<_> =
            found.iter().map(|issuer| json!({ "provider": issuer.provider, "url": issuer.url, "identity_claim": issuer.identity_claim })).collect();
        return Ok(print_json(&values)?);
    }
    print_table(["PROVIDER", "URL"], found.into_iter().map(|issuer| [issuer.provider.to_string(), issuer.url]));
    Ok(())
}

pub fn remove_issuer(connection: &mut PgConnection, operator: &Actor, url: &str) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let publishers = configurations::ids_of_issuer(connection, url)?;
        configurations::lock_tokens(connection, &publishers)?;
        let removed = issuers::remove(connection, url)?.ok_or_else(|| AdminError::NoIssuer(url.to_owned()))?;
        configurations::revoke_orphans(connection)?;
        Event::new(Action::IssuerRemove)
            .about(url)
            .detail(json!({ "publishers": removed }))
            .record(connection, operator)?;
        let noun = if removed == 1 { "trusted publisher" } else { "trusted publishers" };
        say!("ID tokens of {url} are not accepted; removed {removed} {noun}");
        Ok(())
    })
}
