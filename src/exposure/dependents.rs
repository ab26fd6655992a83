//! The crates of this registry that a build of which takes a version: those whose default version depends on it, directly or through
//! other crates of this registry.

use std::collections::{HashMap, HashSet};

use diesel::{PgConnection, QueryResult};
use semver::VersionReq;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::exposed::{self, Exposed};
use crate::database::download_log::downloads::Subject;
use crate::package::registry_urls::is_crates_io;
use crate::package::{RegistryUrls, Version};

/// The longest list.
const LIMIT: i64 = 10_000;
/// The name of the upstream that is crates.io, wherever it is read.
const CRATES_IO: &str = "crates-io";

/// Where a dependent says that it has a crate from.
#[derive(Clone, Debug)]
pub enum Source {
    /// This registry.
    Here,
    /// An upstream.
    Upstream {
        /// The URLs of its index.
        urls: RegistryUrls,
        /// Whether it is crates.io.
        is_crates_io: bool,
    },
    /// An upstream whose index is not known.
    Unknown,
}

/// A crate that depends on another one.
#[derive(Serialize, ToSchema, Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    #[serde(rename = "crate")]
    #[schema(example = "acme-core")]
    pub krate: String,
    /// Its default version.
    #[schema(example = "2.1.0")]
    pub version: String,
    /// The crate that it depends on.
    #[schema(example = "arrayref")]
    pub on: String,
    /// The requirement on that.
    #[schema(example = "^0.3")]
    pub requirement: String,
    /// `normal`, `build` or `dev`. What depends on it through another crate does not get its `dev` dependencies.
    pub kind: String,
    /// Whether a feature has to ask for it.
    pub optional: bool,
}

impl Source {
    /// The upstream with this name, whose index is at this URL if that is known. `base_url`: that of this registry, if it is known.
    pub fn upstream(name: &str, index: Option<&str>, base_url: Option<&str>) -> Self {
        let index = index.map(|url| format!("sparse+{url}"));
        let is_crates_io = name == CRATES_IO || index.as_deref().is_some_and(is_crates_io);
        if index.is_none() && !is_crates_io {
            return Self::Unknown;
        }
        // Who depends on it by the URL under which it is here.
        let here = base_url.map(|base| format!("sparse+{base}/upstream/{name}/index/"));
        let all = index.iter().chain(&here);
        let urls = all.fold(RegistryUrls::default(), |urls, url| urls.with_index(url));
        Self::Upstream { urls, is_crates_io }
    }
}

/// Those that depend on a crate or version, and those that depend on these. None if it is not known who does.
pub(super) fn find(
    connection: &mut PgConnection,
    source: &Source,
    subject: &Subject,
) -> QueryResult<(Option<Vec<Dependent>>, Vec<Dependent>)> {
    let registries = match source {
        Source::Here => None,
        Source::Unknown => return Ok((None, Vec::new())),
        Source::Upstream { urls, is_crates_io: is } => {
            let all = exposed::registries(connection, &subject.name)?;
            Some(all.into_iter().filter(|url| urls.is_own(url) || (*is && is_crates_io(url))).collect::<Vec<_>>())
        }
    };
    let name = [subject.name.canonical()];
    let mut rows = exposed::dependents(connection, &name, registries.as_deref(), LIMIT)?;
    rows.retain(|row| subject.version.as_ref().is_none_or(|version| matches(row, version)));
    let mut seen: HashSet<i32> = rows.iter().map(|row| row.crate_id).collect();
    let direct = unique(&rows);
    let mut transitive = Vec::new();
    while !rows.is_empty() && i64::try_from(transitive.len()).is_ok_and(|length| length < LIMIT) {
        // What only its own tests need does not reach further.
        let passing = rows.iter().filter(|row| row.kind != "dev");
        let of_names: HashMap<String, Version> =
            passing.map(|row| (row.crate_name.canonical(), row.num.clone())).collect();
        let names: Vec<String> = of_names.keys().cloned().collect();
        rows = exposed::dependents(connection, &names, None, LIMIT)?;
        rows.retain(|row| of_names.get(&row.dependency.canonical()).is_some_and(|version| matches(row, version)));
        rows.retain(|row| !seen.contains(&row.crate_id));
        seen.extend(rows.iter().map(|row| row.crate_id));
        transitive.extend(unique(&rows));
    }
    Ok((Some(direct), transitive))
}

/// Whether cargo may choose the version. A requirement that cannot be read excludes nothing.
fn matches(row: &Exposed, version: &Version) -> bool {
    VersionReq::parse(&row.req).map_or(true, |req| req.matches(version.as_semver()))
}

/// A row of each crate: one that reaches further, if there is one.
fn unique(rows: &[Exposed]) -> Vec<Dependent> {
    let mut ordered: Vec<&Exposed> = rows.iter().collect();
    ordered.sort_by_key(|row| (row.crate_name.as_str(), row.kind == "dev", row.optional));
    ordered.dedup_by_key(|row| row.crate_id);
    ordered.into_iter().map(Dependent::of).collect()
}

impl Dependent {
    fn of(row: &Exposed) -> Self {
        Self {
            krate: row.crate_name.to_string(),
            version: row.num.to_string(),
            on: row.dependency.to_string(),
            requirement: row.req.clone(),
            kind: row.kind.clone(),
            optional: row.optional,
        }
    }
}
