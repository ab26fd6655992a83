//! The paths of pages and what else they link to, under the path of the public URL.

use std::fmt::Display;

use crate::package::{CrateName, Version, link_segment};
use crate::web::base_path;
use crate::web::docs::url as docs_url;

/// Builds links. Values are encoded, so that none can lead elsewhere.
#[derive(Clone, Debug)]
pub struct Links {
    /// The public URL, without a slash at its end.
    base_url: String,
}

impl Links {
    pub fn new(base_url: &str) -> Self {
        Self { base_url: base_url.to_owned() }
    }

    /// The public URL of the registry, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The path of the registry; empty if it has none.
    pub fn base(&self) -> &str {
        base_path::of(&self.base_url)
    }

    /// The path of something at this path below the registry's, which begins with a slash and is encoded already.
    pub fn to(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }

    /// The whole URL of a path that another function here returned.
    pub fn whole(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.strip_suffix(self.base()).unwrap_or(&self.base_url))
    }

    pub fn home(&self) -> String {
        self.to("/")
    }

    pub fn me(&self) -> String {
        self.to("/me")
    }

    /// The page of a user, for admins.
    pub fn user(&self, login: &str) -> String {
        self.to(&format!("/admin/users/{}", segment(&login)))
    }

    /// The page of a team, for admins.
    pub fn team(&self, name: &str) -> String {
        self.to(&format!("/admin/teams/{}", segment(&name)))
    }

    /// The page of an advisory about a crate of an upstream, or of this registry, whose name is empty.
    pub fn advisory(&self, id: &str, upstream: &str) -> String {
        self.to(&format!("/advisories/{}{}", segment(&id), of_upstream(upstream)))
    }

    /// The same in the form of OSV.
    pub fn osv(&self, id: &str, upstream: &str) -> String {
        self.to(&format!("/api/v1/advisories/{}{}", segment(&id), of_upstream(upstream)))
    }

    /// The documentation of a version.
    pub fn docs(&self, name: &CrateName, num: &Version) -> String {
        docs_url(self.base(), name, num)
    }

    /// The page of a webhook.
    pub fn webhook(&self, id: i32) -> String {
        self.to(&format!("/webhooks/{id}"))
    }

    /// What the forms on the page of a webhook are sent to: `pause`, `test`.
    pub fn of_webhook(&self, id: i32, change: &str) -> String {
        format!("{}/{change}", self.webhook(id))
    }

    pub fn sign_in(&self) -> String {
        self.to("/sign-in")
    }

    pub fn sign_out(&self) -> String {
        self.to("/sign-out")
    }

    /// The queue, with its list narrowed by these parameters.
    pub fn queue(&self, parameters: &[(&str, &str)]) -> String {
        self.with_query("/queue", parameters)
    }

    /// The page of a job.
    pub fn job(&self, id: i64) -> String {
        self.to(&format!("/queue/jobs/{id}"))
    }

    /// The page that asks before a job is changed: `retry`, `discard`.
    pub fn job_change(&self, id: i64, change: &str) -> String {
        format!("{}/{change}", self.job(id))
    }

    /// The page that asks before all dead jobs of a kind are retried.
    pub fn retry_dead(&self, kind: &str) -> String {
        self.with_query("/queue/retry-dead", &[("kind", kind)])
    }

    /// All crates, or a search with these parameters.
    pub fn search(&self, parameters: &[(&str, &str)]) -> String {
        self.with_query("/search", parameters)
    }

    pub fn keywords(&self) -> String {
        self.to("/keywords")
    }

    pub fn categories(&self) -> String {
        self.to("/categories")
    }

    /// The crate's page, with its default version.
    pub fn krate(&self, name: &impl Display) -> String {
        self.to(&format!("/crates/{}", segment(name)))
    }

    pub fn version(&self, name: &impl Display, num: &impl Display) -> String {
        format!("{}/{}", self.krate(name), segment(num))
    }

    /// A page of a crate: `versions`, `dependents`.
    pub fn of_crate(&self, name: &impl Display, page: &str) -> String {
        format!("{}/{page}", self.krate(name))
    }

    /// A page of a version: `dependencies`, `features`, `source`.
    pub fn of_version(&self, name: &impl Display, num: &impl Display, page: &str) -> String {
        format!("{}/{page}", self.version(name, num))
    }

    /// The page of a packaged file or directory; the empty path is the root.
    pub fn source(&self, name: &impl Display, num: &impl Display, path: &str) -> String {
        format!("{}{}", self.of_version(name, num, "source"), below(path))
    }

    /// The content of a packaged file.
    pub fn raw(&self, name: &impl Display, num: &impl Display, path: &str) -> String {
        format!("{}{}", self.of_version(name, num, "raw"), below(path))
    }

    /// What changed from one version to another.
    pub fn diff(&self, name: &impl Display, from: &impl Display, to: &impl Display) -> String {
        format!("{}/diff/{}...{}", self.krate(name), segment(from), segment(to))
    }

    /// The release sets, narrowed by these parameters.
    pub fn release_sets(&self, parameters: &[(&str, &str)]) -> String {
        self.with_query("/release-sets", parameters)
    }

    /// The page of a release set.
    pub fn release_set(&self, name: &impl Display) -> String {
        self.to(&format!("/release-sets/{}", segment(name)))
    }

    /// The form that decides a release set: `approve`, `reject`.
    pub fn decision(&self, name: &impl Display, decision: &str) -> String {
        format!("{}/{decision}", self.release_set(name))
    }

    /// What a staged version changes.
    pub fn staged(&self, set: &impl Display, name: &impl Display, num: &impl Display) -> String {
        format!("{}/{}/{}", self.release_set(set), segment(name), segment(num))
    }

    /// The crate file.
    pub fn download(&self, name: &impl Display, num: &impl Display) -> String {
        self.to(&format!("/api/v1/crates/{}/{}/download", segment(name), segment(num)))
    }

    /// A path with a query; parameters without a value are left out.
    pub fn with_query(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { self.to(path) } else { format!("{}?{query}", self.to(path)) }
    }
}

/// A path below another, with a slash in front; empty for the empty path.
fn below(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).map(|part| format!("/{}", segment(&part))).collect()
}

/// One segment of a path.
fn segment(value: &impl Display) -> String {
    link_segment::encode(&value.to_string())
}

fn of_upstream(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("?upstream={}", segment(&name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_the_path_of_the_public_url_and_every_value_encoded() {
        let links = Links::new("https://host.example/crates");
        assert_eq!(links.krate(&"a?b/c"), "/crates/crates/a%3Fb%2Fc");
        assert_eq!(links.version(&"a", &"1.0.0+b"), "/crates/crates/a/1.0.0+b");
        assert_eq!(
            links.source(&"a", &"1.0.0", "src//größe #1.rs"),
            "/crates/crates/a/1.0.0/source/src/gr%C3%B6%C3%9Fe%20%231.rs"
        );
        assert_eq!(links.source(&"a", &"1.0.0", "../../x"), "/crates/crates/a/1.0.0/source///x");
        assert_eq!(links.diff(&"a", &"1.0.0", &"2.0.0"), "/crates/crates/a/diff/1.0.0...2.0.0");
        assert_eq!(links.search(&[("q", "a&b"), ("sort", "")]), "/crates/search?q=a%26b");
        assert_eq!(links.whole(&links.krate(&"a")), "https://host.example/crates/crates/a");
        let root = Links::new("http://[::1]:8080");
        assert_eq!((root.home(), root.whole(&root.me())), ("/".to_owned(), "http://[::1]:8080/me".to_owned()));
    }
}
