//! A staged version beside the one before it.

use std::sync::Arc;

use diesel::PgConnection;

use super::finding::{belongs, visible};
use crate::database::access::caller::Caller;
use crate::database::catalog::owners::{self, Owner};
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::catalog::{crates, dependents};
use crate::database::staging::SetName;
use crate::database::staging::staged::{self, Previous, StagedVersion};
use crate::jobs::RequestError;
use crate::package::{CrateName, Version};
use crate::source::comparison::Comparison;
use crate::web::sources::{self, Package};
use crate::web::{ApiError, App, ClientAddress};

/// The most dependents that are named.
const NAMED: i64 = 20;

/// What the approval of a staged version would publish.
pub struct Review {
    pub staged: StagedVersion,
    /// None: the crate is new.
    pub previous: Option<Previous>,
    /// The logins of the crate's owners; none for a new crate.
    pub owners: Vec<String>,
    /// The first crates of the registry that depend on it, and how many there are.
    pub dependents: (Vec<CrateName>, i64),
    /// The commit that it was packaged from, if cargo recorded one.
    pub vcs_commit: Option<String>,
    /// The packages that are compared; the first one of a new crate has no files.
    pub before: Package,
    pub after: Package,
    pub comparison: Arc<Comparison>,
}

struct Found {
    staged: StagedVersion,
    previous: Option<Previous>,
    owners: Vec<String>,
    dependents: (Vec<CrateName>, i64),
}

/// Compares a staged version with the one before it, for a caller who may see the set.
pub async fn review(
    app: &App,
    client: ClientAddress,
    caller: Caller,
    (set, name, num): (SetName, CrateName, Version),
) -> Result<Review, ApiError> {
    let found = app.with_connection(move |connection| find(connection, &set, (&name, &num), &caller)).await?;
    let Found { staged, previous, owners, dependents } = found;
    let after = Package::new(&staged.name, &staged.num, staged.checksum);
    let before = match &previous {
        Some(previous) => Package::new(&staged.name, &previous.num, previous.checksum),
        None => Package::nothing(&staged.name, &staged.num),
    };
    let opened = sources::open(app, client, &after).await?;
    let vcs_commit = opened.vcs_info().map(|info| info.commit.clone());
    let comparison = sources::compare(app, client, (&before, &after)).await?;
    Ok(Review { staged, previous, owners, dependents, vcs_commit, before, after, comparison })
}

fn find(
    connection: &mut PgConnection,
    set: &SetName,
    (name, num): (&CrateName, &Version),
    caller: &Caller,
) -> Result<Found, RequestError> {
    let set = visible(connection, set, caller)?;
    let staged = staged::of_set(connection, set.id)?;
    let staged = staged.into_iter().find(|one| one.name.canonical() == name.canonical() && one.num == *num);
    let is_member = belongs(connection, &set, caller)?;
    let not_staged = || SetRefusal::NotStaged { set: set.name.clone(), version: format!("{name}@{num}") };
    let mut staged = staged.ok_or_else(not_staged)?;
    if !is_member {
        (staged.token_name, staged.address) = (None, None);
    }
    let previous = staged::previous(connection, name, num)?;
    let dependents = dependents::dependent_crates(connection, &staged.name, NAMED)?;
    let owners = match crates::find(connection, name)? {
        Some(krate) => owners::list_all(connection, krate.id)?.iter().map(Owner::login).collect(),
        None => Vec::new(),
    };
    Ok(Found { staged, previous, owners, dependents })
}
