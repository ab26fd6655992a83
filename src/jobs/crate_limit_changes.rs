//! Limits of single crates, which operators and admins change.

use diesel::PgConnection;
use serde_json::{Value, json};

use crate::database::access::audit::{Action, Actor, Event};
use crate::database::catalog::crate_limits::{self, CrateLimits};
use crate::database::catalog::crates;
use crate::package::CrateName;

/// Changes the limits of a name, which may have no crate yet, in the transaction of the caller. Returns the limits in effect.
pub fn change(
    connection: &mut PgConnection,
    name: &CrateName,
    changed: impl FnOnce(CrateLimits) -> CrateLimits,
    actor: &Actor,
) -> diesel::QueryResult<CrateLimits> {
    let before = crate_limits::lock(connection, name)?;
    let after = changed(before.clone());
    crate_limits::set(connection, name, &after)?;
    if after != before {
        let krate = crates::find(connection, name)?;
        let of = krate.as_ref().map_or(name, |krate| &krate.name);
        let detail = json!({ "before": described(&before), "after": described(&after) });
        Event::new(Action::CrateLimits).of_crate(of).detail(detail).record(connection, actor)?;
    }
    Ok(after)
}

/// The limits as JSON; null keeps the registry's.
pub fn described(limits: &CrateLimits) -> Value {
    json!({
        "crate_size": limits.max_crate_size, "unpacked_size": limits.max_unpacked_size,
        "features": limits.max_features, "dependencies": limits.max_dependencies,
    })
}
