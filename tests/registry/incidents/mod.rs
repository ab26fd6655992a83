//! After an incident: who downloaded a version, which crates depend on it, and what upstreams never should do.

mod exposure;
mod logging;
mod names;
mod vanishing;

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use crate::support::harness::BASE_URL;
use crate::support::package::Package;

/// The log of downloads, as far as it is written, the oldest entry first.
fn entries(connection: &mut PgConnection) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Entry {
        #[diesel(sql_type = Text)]
        line: String,
    }
    let entries = diesel::sql_query(
        "SELECT concat_ws(' ', nullif(upstream, ''), crate_name || '@' || version, coalesce(login || '/' || token_name, 'anonymous'),
             address, user_agent, CASE WHEN is_delivered THEN 'delivered' ELSE 'refused' END) AS line
         FROM download_log ORDER BY at, ctid",
    );
    entries.load::<Entry>(connection).unwrap().into_iter().map(|entry| entry.line).collect()
}

/// A dependency: the crate, what is required of it, its kind, and the URL of its registry; none for crates.io.
type Dependency<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

/// A package with dependencies.
fn depending(name: &str, dependencies: &[Dependency<'_>]) -> Package {
    let own = format!("sparse+{BASE_URL}/index/");
    dependencies.iter().fold(Package::new(name, "1.0.0").metadata("deps", json!([])), |package, dependency| {
        let (on, version, kind, registry) = *dependency;
        let table = if kind == "normal" { "dependencies".to_owned() } else { format!("{kind}-dependencies") };
        let url = registry.map(|url| format!("registry-index = \"{url}\"\n")).unwrap_or_default();
        let told = match registry {
            None => Some("https://github.com/rust-lang/crates.io-index"),
            Some(url) => Some(url).filter(|url| *url != own),
        };
        let mut deps: Vec<Value> = package.metadata["deps"].as_array().unwrap().clone();
        deps.push(json!({
            "name": on, "version_req": format!("^{version}"), "features": [], "optional": false, "default_features": true,
            "target": null, "kind": kind, "registry": told, "explicit_name_in_toml": null,
        }));
        let package = package.manifest(&format!("[{table}.{on}]\nversion = \"{version}\"\n{url}"));
        package.metadata("deps", json!(deps))
    })
}
