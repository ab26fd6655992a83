//! By what the last `serve` judges versions of its upstreams.

use diesel::prelude::*;

use crate::database::schema::upstream_policies;

/// Notes the policies of all upstreams, in place of those before.
pub fn note(connection: &mut PgConnection, policies: &[(String, String)]) -> QueryResult<()> {
    connection.transaction(|connection| {
        let names: Vec<&String> = policies.iter().map(|(upstream, _)| upstream).collect();
        diesel::delete(upstream_policies::table.filter(upstream_policies::upstream.ne_all(names)))
            .execute(connection)?;
        for (upstream, policy) in policies {
            diesel::insert_into(upstream_policies::table)
                .values((upstream_policies::upstream.eq(upstream), upstream_policies::policy.eq(policy)))
                .on_conflict(upstream_policies::upstream)
                .do_update()
                .set((upstream_policies::policy.eq(policy), upstream_policies::noted_at.eq(diesel::dsl::now)))
                .execute(connection)?;
        }
        Ok(())
    })
}

/// Upstreams and their policies.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<(String, String)>> {
    let all = upstream_policies::table.order(upstream_policies::upstream);
    all.select((upstream_policies::upstream, upstream_policies::policy)).load(connection)
}
