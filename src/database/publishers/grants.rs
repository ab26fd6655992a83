//! The right of a token from an exchange to publish a crate. It is that of the trusted publishers for which the token was
//! issued, as they are now: one that was removed gives nothing.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text};

use crate::database::access::provenance::Trusted;
use crate::database::access::users::{self, User};
use crate::package::CrateName;
use crate::statement::statement;

/// The right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whether it is only that to stage a version.
    pub stages_only: bool,
    /// The user who owns the crate if it is new, and whether that is an admin. Always there for a new crate.
    pub owner: Option<(i32, bool)>,
}

impl Grant {
    /// The user who owns a new crate, and whether that is an admin: the one of the grant, or else the publisher.
    pub fn owner_or(grant: Option<&Self>, publisher: &User) -> (i32, bool) {
        grant.and_then(|grant| grant.owner).unwrap_or((publisher.id, publisher.is_admin))
    }
}

/// The right to publish a crate, or a new one (`crate_id` is None). The rows behind it are locked, so that it stays until the
/// transaction ends.
pub fn find(
    connection: &mut PgConnection,
    trusted: &Trusted,
    (crate_id, name): (Option<i32>, &CrateName),
) -> QueryResult<Option<Grant>> {
    const CREATES: &str = "(publisher.creates AND (publisher.allowed_by IS NULL OR EXISTS (
        SELECT FROM users WHERE users.id = publisher.allowed_by AND is_admin AND disabled_at IS NULL)))";
    let mut candidates: Vec<(bool, Option<i32>)> = statement(format!(
        "SELECT publisher.stages_only, CASE WHEN publisher.pattern IS NOT NULL THEN publisher.created_by END
         FROM trusted_publishers AS publisher
         WHERE publisher.id = ANY($1)
             AND CASE WHEN publisher.crate_id IS NOT NULL THEN publisher.crate_id = $2
                      ELSE CASE WHEN publisher.is_prefix THEN starts_with($3, publisher.canonical)
                                ELSE publisher.canonical = $3 END
                          AND CASE WHEN $2 IS NULL THEN {CREATES}
                                   ELSE EXISTS (SELECT FROM crate_owners
                                                WHERE crate_id = $2 AND user_id = publisher.created_by)
                                       -- Or a stolen token of an owner could name another repository.
                                       AND ({CREATES} OR EXISTS (
                                           SELECT FROM crates WHERE crates.id = $2 AND NOT trustpub_only)) END
                 END
         -- Exchanges lock them in this order, too.
         ORDER BY publisher.id
         FOR SHARE OF publisher"
    ))
    .bind::<Array<Integer>, _>(&trusted.publishers)
    .bind::<Nullable<Integer>, _>(crate_id)
    .bind::<Text, _>(name.canonical())
    .returning::<(Bool, Nullable<Integer>)>()
    .get_results(connection)?;
    candidates.sort_by_key(|(stages_only, _)| *stages_only);
    for (stages_only, owner) in candidates {
        let Some(owner) = owner else { return Ok(Some(Grant { stages_only, owner: None })) };
        // A pattern has no more rights than its creator has now.
        let owner = users::read_to_give(connection, owner)?;
        if owner.check_active().is_ok() && owner.role.changes() {
            return Ok(Some(Grant { stages_only, owner: Some((owner.id, owner.is_admin)) }));
        }
    }
    Ok(None)
}
