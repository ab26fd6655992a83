//! What the index of an upstream says of one version, and what becomes of it here.

use std::sync::Arc;

use chrono::Utc;

use super::client::FetchError;
use super::index_file::IndexFile;
use super::upstream::Upstream;
use crate::package::characters::Plain;
use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName, Version};
use crate::upstream_cache::advisories::Noted;
use crate::upstream_cache::cooldown::in_words;
use crate::upstream_cache::lines::lines;
use crate::upstream_cache::verdict::{Policy, Verdict};

/// Patched ranges of a refusal.
const RANGES: usize = 5;

/// What the index says of a version.
pub(super) struct InIndex {
    pub index: Arc<IndexFile>,
    /// The name in the spelling of its index.
    pub name: CrateName,
    pub checksum: Checksum,
    pub verdict: Verdict,
}

/// What the index says of a version. A version that the kept file lacks may be there since a moment.
pub(super) async fn find(
    upstream: &Arc<Upstream>,
    (name, version): (&CrateName, &Version),
    policy: &Policy,
) -> Result<Option<InIndex>, FetchError> {
    let path = index_path(name);
    let Some(file) = upstream.index_file(&path).await? else { return Ok(None) };
    if let Some(found) = in_file(&file, version, policy) {
        return Ok(Some(found));
    }
    let newer = upstream.check_again_soon(&path, &file).await?;
    Ok(newer.and_then(|file| in_file(&file, version, policy)))
}

/// The same in one file.
pub(super) fn in_file(file: &Arc<IndexFile>, version: &Version, policy: &Policy) -> Option<InIndex> {
    let wanted = version.to_string();
    let line = lines(&file.file.content).find_map(|(_, line)| line.filter(|line| line.vers == wanted))?;
    let verdict = policy.judge(&file.file, &line, Utc::now());
    Some(InIndex {
        index: Arc::clone(file),
        name: line.name.parse().ok()?,
        checksum: line.cksum.parse().ok()?,
        verdict,
    })
}

impl InIndex {
    /// Why a version is not delivered, and what its user can do.
    pub(super) fn refusal(&self, of: &str, (name, version): (&CrateName, &Version), policy: &Policy) -> String {
        match &self.verdict {
            Verdict::Young(until) => format!(
                "{name}@{version} is too young: this registry passes on versions of {of} when they are {} old, this one from {} UTC on. Use an \
                 older version, or ask the operator of this registry",
                policy.age.map(in_words).unwrap_or_default(),
                until.format("%Y-%m-%d %H:%M")
            ),
            Verdict::Held(reason) => format!(
                "{name}@{version} of {of} is on hold in this registry: {reason}. Use another version, or ask the operator of this registry"
            ),
            Verdict::Blocked(reason) => format!("{name}@{version} of {of} is blocked in this registry: {reason}"),
            Verdict::Changed(first) => format!(
                "{of} has changed {name}@{version}: its SHA-256 was {first} and is {} now, which never happens to a version. It is not \
                 delivered; tell the operator of this registry",
                self.checksum
            ),
            Verdict::Vulnerable(advisory, _) => vulnerable((name, version), advisory),
            Verdict::Passes => format!("{name}@{version} of {of} is not delivered"),
        }
    }
}

/// What an advisory says of a version, and what to use instead.
fn vulnerable((name, version): (&CrateName, &Version), advisory: &Noted) -> String {
    let Noted { id, title, url, severity, ranges } = advisory;
    let see = url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default();
    let instead = match ranges.patched() {
        [] => "No version is patched: use another crate".to_owned(),
        patched if patched.len() > RANGES => {
            format!("Use {}, or another patched version", patched[..RANGES].join(" or "))
        }
        patched => format!("Use {}", patched.join(" or ")),
    };
    let text = format!(
        "{name}@{version} is not delivered by this registry: {id} ({severity}) affects it: {title}{see}. {instead}, or ask the operator \
         of this registry"
    );
    Plain(&text).to_string()
}
