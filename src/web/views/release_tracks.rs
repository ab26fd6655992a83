//! The JSON of release tracks: versions that are compatible with each other, by the rules of semver.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::version_details::Listed;
use crate::package::Version;

/// A release track.
#[derive(Serialize, ToSchema)]
pub struct ReleaseTrack {
    /// Its highest version.
    highest: String,
}

/// The release tracks of these versions by their names, such as `1` or `0.4`. Yanked versions and pre-releases are in none.
pub fn release_tracks(versions: &[Listed]) -> BTreeMap<String, ReleaseTrack> {
    let mut highest: BTreeMap<String, &Version> = BTreeMap::new();
    for one in versions.iter().filter(|one| one.yanked == Some(false) && !one.num.is_prerelease()) {
        let track = track(&one.num);
        if highest.get(&track).is_none_or(|other| one.num > **other) {
            highest.insert(track, &one.num);
        }
    }
    highest.into_iter().map(|(track, num)| (track, ReleaseTrack { highest: num.to_string() })).collect()
}

fn track(num: &Version) -> String {
    let num = num.to_string();
    let mut parts = num.split('.');
    match (parts.next(), parts.next()) {
        (Some("0"), Some(minor)) => format!("0.{minor}"),
        (major, _) => major.unwrap_or_default().to_owned(),
    }
}
